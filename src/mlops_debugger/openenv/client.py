"""The typed client.

    with MLOpsClient("http://127.0.0.1:8000").sync() as client:
        result = client.reset(seed=7, task_id="easy")
        while not result.done:
            result = client.step(MLOpsAction(action_type="read_config"))

Without `.sync()` the same methods are awaited. A harness that was given the server's key passes it as `harness_key` and
gets the full `state()`; anyone else finds its answer sealed. A server that asks for a bearer token gets it as `token`.
"""

from __future__ import annotations

from typing import Any

from openenv.core.client_types import StepResult
from openenv.core.env_client import EnvClient

from mlops_debugger import contract
from mlops_debugger.openenv.access import HARNESS_HEADER, TOKEN_HEADER
from mlops_debugger.openenv.models import MLOpsObservation, MLOpsState

# A fix trial trains three models and may wait for others' trials.
MESSAGE_TIMEOUT_S = 300.0


class MLOpsClient(EnvClient[contract.MLOpsAction, MLOpsObservation, MLOpsState]):
    """A session on a server: one WebSocket, one episode at a time.

    `options` are those of OpenEnv's `EnvClient` (timeouts, `headers`, a `provider` that starts a container).
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        harness_key: str | None = None,
        token: str | None = None,
        **options: Any,
    ) -> None:
        options.setdefault("message_timeout_s", MESSAGE_TIMEOUT_S)
        headers = dict(options.get("headers") or {})
        if harness_key is not None:
            headers[HARNESS_HEADER] = harness_key
        if token is not None:
            headers[TOKEN_HEADER] = f"Bearer {token}"
        options["headers"] = headers
        super().__init__(base_url, **options)

    def _step_payload(self, action: contract.MLOpsAction) -> dict[str, Any]:
        return action.model_dump(exclude_defaults=True)

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[MLOpsObservation]:
        reward, done = payload.get("reward"), payload.get("done", False)
        observation = MLOpsObservation.model_validate({**payload["observation"], "reward": reward, "done": done})
        return StepResult(observation=observation, reward=reward, done=done, metadata=payload.get("metadata"))

    def _parse_state(self, payload: dict[str, Any]) -> MLOpsState:
        return MLOpsState.model_validate(payload)
