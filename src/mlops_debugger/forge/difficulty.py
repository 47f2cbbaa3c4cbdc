"""Difficulty, computed from the pair of runs and from the other scenarios of the same project.

Four parts in [0, 1], each 1 where the evidence is loudest: how far the learning curves part, how far the reported test
metric moves, how many checks get worse than on the healthy twin, and how rare the pattern of verdicts is among the
project's scenarios with other causes. Difficulty is one minus their weighted mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlops_debugger.bank.records import SeedProof
from mlops_debugger.checks import VERDICTS
from mlops_debugger.runs.pool import RunResult

WEIGHTS = {"curves": 0.25, "report": 0.25, "checks": 0.3, "rarity": 0.2}
Findings = Mapping[str, Mapping[str, Any]]


def pair_parts(
    proof: SeedProof, healthy: RunResult, broken: RunResult, before: Findings, after: Findings
) -> dict[str, float]:
    """The parts that the pair alone decides."""
    if broken.crashed:
        return {"curves": 1.0, "report": 1.0, "checks": 1.0}
    worse = 0.0
    for name, finding in after.items():
        step = VERDICTS.index(finding["verdict"]) - VERDICTS.index(before[name]["verdict"])
        worse += min(1.0, max(0, step) / 2)
    moved = abs(proof.broken.reported["test"] - proof.healthy.reported["test"])
    return {
        "curves": max(_apart(healthy, broken, f"epoch.{name}") for name in ("train_loss", "val_loss", "val_metric")),
        "report": float(min(1.0, moved / 0.5)),
        "checks": min(1.0, worse / 3),
    }


def _apart(healthy: RunResult, broken: RunResult, name: str) -> float:
    first, second = healthy.record.arrays.get(name), broken.record.arrays.get(name)
    if first is None or second is None or not len(first) or not len(second):
        return 1.0
    scale = max(abs(float(np.ptp(first))), 1e-9)
    value = abs(float(second[-1]) - float(first[-1])) / scale
    return float(min(1.0, value)) if np.isfinite(value) else 1.0


def rarity(patterns: Sequence[tuple[str, str | None, tuple[str, ...]]]) -> list[float]:
    """For each (project, site, verdicts): the share of the project's scenarios of other sites with other verdicts."""
    result = []
    for project, site, verdicts in patterns:
        others = [pattern for name, place, pattern in patterns if name == project and place != site]
        alike = sum(pattern == verdicts for pattern in others)
        result.append(1.0 - alike / len(others) if others else 1.0)
    return result


def difficulty(parts: Mapping[str, float]) -> float:
    """One minus the weighted mean of the parts."""
    return round(1.0 - sum(weight * parts[name] for name, weight in WEIGHTS.items()), 4)
