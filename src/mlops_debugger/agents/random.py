"""The random agent: a few valid actions, then a complete submission with a random edit of a config key that it saw."""

from __future__ import annotations

from typing import Any

import numpy as np
import yaml

from mlops_debugger.agents import Agent
from mlops_debugger.contract import (
    ARTIFACTS,
    CATEGORIES,
    SANITY_CHECKS,
    MLOpsAction,
    MLOpsObservation,
)
from mlops_debugger.edits import CONFIG, EDITABLE, ConfigEdit, Fix, Value, flatten, format_fix, load_yaml

_READS = ("read_config", "read_logs", "check_dataset_stats", "inspect_preprocessing", "read_eval_results")
_RESERVE = 3
"""Steps kept for submissions that are sent back."""


class Random:
    """Reads the config at some point, since it needs keys to edit; the rest is chance."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._looks = int(self._rng.integers(1, 9))
        self._leaves: list[tuple[str, Any]] = []

    def act(self, observation: MLOpsObservation) -> MLOpsAction:
        self._learn(observation.last_action_result)
        steps_left = observation.max_steps - observation.step_count
        if self._leaves and (observation.step_count >= self._looks or steps_left <= _RESERVE):
            return self._submit()
        if not self._leaves and observation.step_count >= self._looks - 1:
            return MLOpsAction(action_type="read_config")
        return self._look()

    def _learn(self, result: dict[str, Any]) -> None:
        if result.get("artifact") != CONFIG or not isinstance(result.get("content"), str):
            return
        try:
            config = load_yaml(result["content"])
        except yaml.YAMLError:
            return
        if isinstance(config, dict):
            self._leaves = [(path, value) for path, value in flatten(config) if _is_path(config, path)]

    def _look(self) -> MLOpsAction:
        kind = self._rng.integers(3)
        if kind == 0:
            return MLOpsAction.model_validate({"action_type": self._pick(_READS)})
        if kind == 1:
            return MLOpsAction.model_validate(
                {"action_type": "run_sanity_check", "sanity_check_type": self._pick(SANITY_CHECKS)}
            )
        return MLOpsAction.model_validate({"action_type": "query_artifact", "artifact_name": self._pick(ARTIFACTS)})

    def _submit(self) -> MLOpsAction:
        path, value = self._leaves[int(self._rng.integers(len(self._leaves)))]
        answer = {
            "action_type": "submit_diagnosis",
            "failure_category": self._pick(CATEGORIES),
            "root_cause_file": self._pick(EDITABLE),
            "root_cause_field": path,
            "proposed_fix": format_fix(Fix(config=(ConfigEdit(path, self._other(value)),))),
            "diagnosis": "A guess.",
        }
        return MLOpsAction.model_validate(answer)

    def _other(self, value: Value) -> Value:
        """Another value of the same kind."""
        if isinstance(value, bool):
            return not value
        factor = float(10.0 ** self._rng.uniform(-2, 2))
        if isinstance(value, int):
            return max(0, round((value or 1) * factor))
        if isinstance(value, float):
            return float(f"{(value or 0.01) * factor:.2g}")
        return value[::-1] if isinstance(value, list) else value

    def _pick(self, options: tuple[str, ...]) -> str:
        return options[int(self._rng.integers(len(options)))]


def _is_path(config: dict[str, Any], path: str) -> bool:
    """Whether the dots of a path lead to its value: a key that holds a dot itself cannot be named."""
    node: Any = config
    for key in path.split("."):
        if not isinstance(node, dict) or key not in node:
            return False
        node = node[key]
    return True


AGENT = Agent("random actions, then a random complete submission: a lower bound", lambda seed, handed: Random(seed))
