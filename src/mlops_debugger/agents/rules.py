"""The rules agent: reads every artifact, runs every check, then decides by general rules of the trade.

The rules know what values are usual, what a model card is for and how training and evaluation code have to agree; they
know no fault by name. The likeliest suspicion is submitted; if its fix is sent back, the next one is. Without a
suspicion that is worth saying, the agent reports that it found no fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mlops_debugger.agents import (
    Agent,
    _rules_features,
    _rules_labels,
    _rules_setup,
    _rules_training,
)
from mlops_debugger.agents._dossier import Dossier
from mlops_debugger.agents._source import Source
from mlops_debugger.agents._survey import Survey
from mlops_debugger.agents._suspicion import Suspicion
from mlops_debugger.contract import MLOpsAction, MLOpsObservation

RULES: tuple[Callable[[Dossier], Iterator[Suspicion]], ...] = (*_rules_training.RULES, *_rules_setup.RULES)
CODE_RULES: tuple[Callable[[Dossier, Source], Iterator[Suspicion]], ...] = (
    *_rules_labels.RULES,
    *_rules_features.RULES,
)
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
        self._survey = Survey()
        self._suspicions: list[Suspicion] | None = None

    def act(self, observation: MLOpsObservation) -> MLOpsAction:
        return self._survey.next(observation) or self._submit()

    def _submit(self) -> MLOpsAction:
        if self._suspicions is None:
            self._suspicions = suspicions(Dossier(self._survey.artifacts, self._survey.findings))
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


def suspicions(run: Dossier) -> list[Suspicion]:
    """What the rules say of a run, the likeliest first."""
    found = [suspicion for rule in RULES for suspicion in rule(run)]
    if (source := run.source) is not None:
        found += [suspicion for rule in CODE_RULES for suspicion in rule(run, source)]

    def support(suspicion: Suspicion) -> float:
        verdicts = [run.verdict(check) for check in _SUPPORT[suspicion.category]]
        return suspicion.weight + (0.6 if "fail" in verdicts else 0.3 if "warn" in verdicts else 0.0)

    return sorted(found, key=support, reverse=True)


AGENT = Agent("reads everything, runs every check, decides by general rules", lambda seed, handed: Rules())
