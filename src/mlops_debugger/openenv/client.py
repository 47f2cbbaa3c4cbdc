"""The typed client.

    with MLOpsClient("http://127.0.0.1:8000").sync() as client:
        result = client.reset(seed=7, task_id="easy")
        while not result.done:
            result = client.step(MLOpsAction(action_type="read_config"))

Without `.sync()` the same methods are awaited. A harness that was given the server's key passes it as `harness_key` and
gets the full `state()`; anyone else finds its answer sealed. A server that asks for a bearer token gets it as `token`.

An episode lives in its connection. When that is lost, OpenEnv's client would open another one at the next step, in
which there is no episode; this one raises a `SessionError` that says what happened, until the next `reset`.
"""

from __future__ import annotations

import json
from typing import Any, Self

from openenv.core.client_types import StepResult
from openenv.core.containers.runtime.providers import ContainerProvider
from openenv.core.env_client import EnvClient
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from mlops_debugger import contract
from mlops_debugger.errors import SessionClosedError, SessionError
from mlops_debugger.openenv.access import HARNESS_HEADER, TOKEN_HEADER
from mlops_debugger.openenv.keys import HARNESS_KEY_VARIABLE, TOKEN_VARIABLE
from mlops_debugger.openenv.losses import IDLE, answered, lost, no_answer, unreachable
from mlops_debugger.openenv.models import MLOpsObservation, MLOpsState

# A fix trial trains three models and may wait for others' trials.
MESSAGE_TIMEOUT_S = 300.0


class MLOpsClient(EnvClient[contract.MLOpsAction, MLOpsObservation, MLOpsState]):
    """A session on a server: one WebSocket, one episode at a time.

    `options` are those of OpenEnv's `EnvClient` (timeouts, `headers`, a `provider` that starts a container).
    Every method that talks raises a `SessionError` where the session cannot be opened or is lost (see
    `mlops_debugger.errors`), and `RuntimeError` where the server answers with an error, such as a wrong reset.
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
        options["headers"] = {**(options.get("headers") or {}), **_headers(harness_key, token)}
        super().__init__(base_url, **options)
        # The connection that the running episode lives in, and what became of it.
        self._episode_in: Any = None
        self._loss: SessionError | None = None

    @classmethod
    def _bootstrap_container(
        cls,
        image: str,
        provider: ContainerProvider | None = None,
        *,
        harness_key: str | None = None,
        token: str | None = None,
        **options: Any,
    ) -> Self:
        """What `from_docker_image` does when it is resolved. `harness_key` and `token` are given to both sides."""
        secrets = {HARNESS_KEY_VARIABLE: harness_key, TOKEN_VARIABLE: token}
        given = {name: value for name, value in secrets.items() if value is not None}
        if given:
            options["env_vars"] = {**(options.get("env_vars") or {}), **given}
        client: Self = super()._bootstrap_container(image, provider, **options)
        client._headers = {**(client._headers or {}), **_headers(harness_key, token)}
        return client

    async def _connect_async(self) -> Self:
        try:
            await super()._connect_async()
        except ConnectionError as error:
            raise unreachable(self._ws_url or str(self._base_url), error.__cause__ or error) from error
        return self

    async def _send_and_receive(self, message: dict[str, Any]) -> dict[str, Any]:
        """Ask and await the answer, on the connection of the episode alone; `reset` may open another one."""
        opens = message.get("type") == "reset"
        if not opens:
            self._check_alive()
            return await self._ask(message)
        if self._loss is not None:  # the connection may stand though its session is gone: hang up
            await self._disconnect_async()
        reused = self._ws is not None
        self._episode_in = self._loss = None
        try:
            response = await self._ask(message)
        except SessionClosedError:
            if not reused:
                raise
            await self._disconnect_async()
            response = await self._ask(message)
        self._episode_in = self._ws
        return response

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            response: dict[str, Any] = await super()._send_and_receive(message)
        except ConnectionClosed as error:
            raise self._lose(lost(error, len(json.dumps(message)), self._max_message_size)) from error
        except SessionError as error:
            raise self._lose(error) from None
        except TimeoutError as error:
            raise self._lose(no_answer(self._message_timeout)) from error
        except RuntimeError as error:
            told = answered(str(error))
            raise (error if told is None else self._lose(told)) from None
        if self._episode_in is not None and _closed_by_server(response):
            raise self._lose(SessionClosedError(IDLE))
        return response

    def _check_alive(self) -> None:
        """Raise what became of the episode's connection, if it is lost."""
        if self._loss is not None:
            raise self._loss
        alive = self._episode_in is None or (self._ws is self._episode_in and self._ws.state is State.OPEN)
        if not alive:
            closed = self._episode_in.protocol.close_exc
            raise self._lose(lost(closed, 0, self._max_message_size)) from closed

    def _lose(self, error: SessionError) -> SessionError:
        if self._episode_in is not None:
            self._loss = error
        return error

    def _step_payload(self, action: contract.MLOpsAction) -> dict[str, Any]:
        return action.model_dump(exclude_defaults=True)

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[MLOpsObservation]:
        reward, done = payload.get("reward"), payload.get("done", False)
        observation = MLOpsObservation.model_validate({**payload["observation"], "reward": reward, "done": done})
        return StepResult(observation=observation, reward=reward, done=done, metadata=payload.get("metadata"))

    def _parse_state(self, payload: dict[str, Any]) -> MLOpsState:
        return MLOpsState.model_validate(payload)


def _closed_by_server(response: dict[str, Any]) -> bool:
    """The server's idle reaper closes the environment behind a connection that stays open; it then answers so."""
    data = response.get("data") or {}
    if response.get("type") == "state":
        return data.get("task_id") == ""
    return ((data.get("observation") or {}).get("last_action_result") or {}).get("closed") is True


def _headers(harness_key: str | None, token: str | None) -> dict[str, str]:
    """What a connection presents."""
    headers = {} if harness_key is None else {HARNESS_HEADER: harness_key}
    return headers if token is None else {**headers, TOKEN_HEADER: f"Bearer {token}"}
