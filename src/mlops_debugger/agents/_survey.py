"""The round of somebody who looks at everything once: every artifact, every check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlops_debugger.contract import ARTIFACTS, SANITY_CHECKS, MLOpsAction, MLOpsObservation

_READS = ("read_config", "inspect_preprocessing", "read_eval_results", "read_logs", "check_dataset_stats")


class Survey:
    """Asks for one thing after the other, and keeps what came back: texts by artifact, findings by check."""

    def __init__(self) -> None:
        self.artifacts: dict[str, str] = {}
        self.findings: dict[str, dict[str, Any]] = {}
        self._plan = _round()

    def next(self, observation: MLOpsObservation) -> MLOpsAction | None:
        """Learn from the last answer; the next thing to look at, or None when everything was seen."""
        self._learn(observation.last_action_result)
        return next(self._plan, None)

    def _learn(self, result: dict[str, Any]) -> None:
        if "error" in result:
            return
        if isinstance(check := result.get("sanity_check"), str):
            self.findings[check] = result
            return
        name, text = result.get("artifact"), result.get("content")
        if isinstance(name, str) and isinstance(text, str) and text:
            self.artifacts[name] = text


def _round() -> Iterator[MLOpsAction]:
    for kind in _READS:
        yield MLOpsAction.model_validate({"action_type": kind})
    yield MLOpsAction(action_type="query_artifact", artifact_name=ARTIFACTS[-1])
    for check in SANITY_CHECKS:
        yield MLOpsAction(action_type="run_sanity_check", sanity_check_type=check)
