"""The rules agent: reads every artifact, runs every check, then decides by general rules of the trade.

The rules know what values are usual, what a model card is for and how training and evaluation code have to agree; they
know no fault by name. The likeliest suspicion is submitted; if its fix is sent back, the next one is. Without a
suspicion that is worth saying, the agent reports that it found no fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mlops_debugger.agents import (
    Agent,
    _rules_features,
    _rules_labels,
    _rules_setup,
    _rules_training,
)
from mlops_debugger.agents._dossier import Dossier
from mlops_debugger.agents._source import Source
from mlops_debugger.agents._suspicion import Suspicion
from mlops_debugger.contract import ARTIFACTS, SANITY_CHECKS, MLOpsAction, MLOpsObservation

RULES: tuple[Callable[[Dossier], Iterator[Suspicion]], ...] = (*_rules_training.RULES, *_rules_setup.RULES)
CODE_RULES: tuple[Callable[[Dossier, Source], Iterator[Suspicion]], ...] = (
    *_rules_labels.RULES,
    *_rules_features.RULES,
)
_READS = ("read_config", "inspect_preprocessing", "read_eval_results", "read_logs", "check_dataset_stats")
_SUPPORT = {
    "config_error": ("gradient_norms", "loss_trajectory"),
    "data_leakage": ("data_leakage", "metric_gap_analysis"),
    "evaluation_bug": ("metric_gap_analysis",),
    "preprocessing_bug": ("feature_statistics", "encoder_version_match", "metric_gap_analysis"),
    "label_mismatch": ("label_consistency", "encoder_version_match", "class_balance"),
    "architecture_bug": ("loss_trajectory", "gradient_norms"),
}
"""Checks that usually stir with a fault of the category; they settle ties between suspicions."""


class Rules:
    """One episode: a fixed round of looking, then submissions in the order of suspicion."""

    def __init__(self) -> None:
        self._plan = _round()
        self._artifacts: dict[str, str] = {}
        self._findings: dict[str, dict[str, Any]] = {}
        self._suspicions: list[Suspicion] | None = None

    def act(self, observation: MLOpsObservation) -> MLOpsAction:
        self._learn(observation.last_action_result)
        action = next(self._plan, None)
        return action if action is not None else self._submit()

    def _learn(self, result: dict[str, Any]) -> None:
        if "error" in result:
            return
        if isinstance(check := result.get("sanity_check"), str):
            self._findings[check] = result
            return
        name, text = result.get("artifact"), result.get("content")
        if isinstance(name, str) and isinstance(text, str) and text:
            self._artifacts[name] = text

    def _submit(self) -> MLOpsAction:
        if self._suspicions is None:
            self._suspicions = suspicions(Dossier(self._artifacts, self._findings))
        if not self._suspicions:
            return MLOpsAction(action_type="submit_diagnosis", diagnosis="No fault found: every rule is content.")
        found = self._suspicions.pop(0)
        answer = {
            "action_type": "submit_diagnosis",
            "failure_category": found.category,
            "root_cause_file": found.file,
            "root_cause_field": found.field,
            "proposed_fix": found.fix,
            "diagnosis": found.why,
        }
        return MLOpsAction.model_validate(answer)


def _round() -> Iterator[MLOpsAction]:
    for kind in _READS:
        yield MLOpsAction.model_validate({"action_type": kind})
    yield MLOpsAction(action_type="query_artifact", artifact_name=ARTIFACTS[-1])
    for check in SANITY_CHECKS:
        yield MLOpsAction(action_type="run_sanity_check", sanity_check_type=check)


def suspicions(run: Dossier) -> list[Suspicion]:
    """What the rules say of a run, the likeliest first."""
    found = [suspicion for rule in RULES for suspicion in rule(run)]
    if (source := run.source) is not None:
        found += [suspicion for rule in CODE_RULES for suspicion in rule(run, source)]

    def support(suspicion: Suspicion) -> float:
        verdicts = [run.verdict(check) for check in _SUPPORT[suspicion.category]]
        return suspicion.weight + (0.6 if "fail" in verdicts else 0.3 if "warn" in verdicts else 0.0)

    return sorted(found, key=support, reverse=True)


AGENT = Agent("reads everything, runs every check, decides by general rules", lambda seed, state: Rules())
