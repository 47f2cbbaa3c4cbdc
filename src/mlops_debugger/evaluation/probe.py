"""The reset probe: can a classifier tell the answer from what reset shows?

Given the project, everything but the run's own numbers (final loss, status, size of the log) must be at chance. The
same classifier on those numbers gives their lift, which is reported.
"""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from mlops_debugger.bank import Scenario
from mlops_debugger.contract import MLOpsObservation
from mlops_debugger.environment import Episode
from mlops_debugger.grading import grade, prepare
from mlops_debugger.seeds import derive, generator

Target = Literal["fault", "category", "control"]
Part = Literal["surroundings", "own numbers"]
_FOLDS = 4


@dataclass(frozen=True)
class Probe:
    """Cross-validated accuracy, what chance gives (mean over shuffled labels), and the permutation p-value."""

    accuracy: float
    chance: float
    p_value: float
    n: int

    @property
    def lift(self) -> float:
        return self.accuracy - self.chance


def reset_observation(scenario: Scenario) -> MLOpsObservation:
    """What an agent sees of a scenario before its first step."""
    episode = Episode(scenario, task_id="mixed", seed=0, episode_id="probe", prepare=prepare, grade=grade)
    return episode.observation()


def features(scenario: Scenario, part: Part) -> list[float]:
    """What reset shows of a scenario, as numbers: the run's own, or all the rest."""
    shown = reset_observation(scenario)
    log = next(meta for meta in shown.available_artifacts if meta.name == "train.log")
    if part == "own numbers":
        loss = shown.run_summary["final_loss"]
        status = str(shown.run_summary["training_status"])
        return [
            -1.0 if loss is None else float(loss), float(derive(status) % 1000), *_numbers(log.size_hint)
        ]  # fmt: skip
    row = [float(int(shown.run_id[-2:], 16)), float(int(shown.run_id[-10:-8], 16)), float(len(shown.run_id))]
    for meta in shown.available_artifacts:
        row += [float(len(meta.description)), *_numbers(meta.last_modified)]
        if meta.name != "train.log":
            row += [*_numbers(meta.size_hint), float(len(meta.size_hint))]
    row += [float(len(shown.task_description)), float(len(shown.messages)), float(len(shown.run_summary))]
    row += [float(derive(key) % 1000) for key in shown.run_summary]
    return row


def _numbers(text: str) -> list[float]:
    found = [float(number) for number in re.findall(r"\d+", text)]
    return (found + [-1.0] * 3)[:3]


def probe(scenarios: Sequence[Scenario], part: Part, target: Target, *, permutations: int = 40) -> Probe:
    """Classify within each project and pool the hits; labels are shuffled within projects for chance and p-value."""
    by_project: dict[str, list[Scenario]] = defaultdict(list)
    for scenario in scenarios:
        if target == "control" or not scenario.is_control:
            by_project[scenario.project].append(scenario)
    tables = []
    for project, members in sorted(by_project.items()):
        table = np.array([features(member, part) for member in members])
        tables.append((project, table, np.array([_label(member, target) for member in members])))
    total = sum(len(labels) for _, _, labels in tables)
    observed = sum(_hits(table, labels) for _, table, labels in tables) / total
    shuffled = []
    for index in range(permutations):
        hits = 0
        for project, table, labels in tables:
            hits += _hits(table, generator("probe", project, index).permutation(labels))
        shuffled.append(hits / total)
    p_value = (1 + sum(value >= observed for value in shuffled)) / (1 + permutations)
    return Probe(observed, float(np.mean(shuffled)), p_value, total)


def _label(scenario: Scenario, target: Target) -> str:
    if target == "control":
        return str(scenario.is_control)
    return scenario.fault or "" if target == "fault" else scenario.answers[0].categories[0]


def _hits(table: NDArray[np.float64], labels: NDArray[np.str_]) -> int:
    """Right predictions on held-out rows; classes with a single member count as missed."""
    names, counts = np.unique(labels, return_counts=True)
    keep = np.isin(labels, names[counts >= 2])
    if len(set(labels[keep])) < 2:
        return 0
    folds = StratifiedKFold(min(_FOLDS, int(counts[counts >= 2].min())), shuffle=True, random_state=0)
    model = RandomForestClassifier(60, random_state=0, n_jobs=1)
    with warnings.catch_warnings():
        # Many faults with two members each are many classes, not a regression.
        warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
        predicted = cross_val_predict(model, table[keep], labels[keep], cv=folds)
    return int(np.sum(predicted == labels[keep]))
