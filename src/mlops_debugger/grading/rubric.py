"""The rows and their sum: a pure function of the scenario, the diagnosis and the trial's result."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_debugger.bank.records import Answer, Figures, Scenario, SeedProof
from mlops_debugger.grading.diagnosis import Diagnosis, TrialResult
from mlops_debugger.grading.sites import worth
from mlops_debugger.runs.measure import SPLITS, harm

WEIGHTS = {"category": 0.15, "file": 0.10, "field": 0.30, "fix": 0.45}
"""The most that each row can add to the score."""

_EARNED = 0.25
"""What the field or the fix has to be worth for category and file to count.

Menus are small: without this, a list of all names in sight, or a fix that changes all keys in sight, would open them.
"""
_SELF_AGREEMENT = 0.001
"""How far a reported skill may be from what its own predictions give: four decimals in a report come to 0.0001."""


@dataclass(frozen=True)
class Grade:
    """`rows` maps a row to its share of the weight in [0, 1], or None where it could not be scored."""

    score: float
    rows: dict[str, float | None]
    unscored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def right_bar(proof: SeedProof, sigma: float) -> float:
    """The most harm that a right fix may leave on this seed."""
    return min(max(0.02, 3 * sigma), proof.harm / 4)


def half_bar(proof: SeedProof) -> float:
    """The most harm that a half right fix may leave on this seed."""
    return min(proof.harm, max(proof.healthy.actual, 0.0)) / 2


def guards(figures: Figures, healthy: Figures) -> tuple[str, ...]:
    """The guards that a run breaks, relative to its healthy twin; empty when it is honest."""
    if figures.crashed:
        return ("the run did not finish",)
    broken = []
    for split in SPLITS:
        before, after = healthy.split_sizes.get(split, 0), figures.split_sizes.get(split, 0)
        if abs(after - before) > 0.2 * before:
            broken.append(f"{split}: {after} rows, its twin has {before}")
        shares, twin = figures.class_shares.get(split, []), healthy.class_shares.get(split, [])
        if len(shares) != len(twin) or any(
            abs(new - old) > 0.2 * old + 0.02 for new, old in zip(shares, twin, strict=True)
        ):
            broken.append(f"{split}: other classes than its twin")
        if figures.trained_on.get(split, 0) > healthy.trained_on.get(split, 0):
            broken.append(f"{split}: {figures.trained_on[split]} of its rows were trained on")
        if abs(figures.reported.get(split, -1.0) - figures.recomputed.get(split, 1.0)) > _SELF_AGREEMENT:
            broken.append(f"{split}: the report disagrees with its own predictions")
    if not 0 < figures.epochs <= 2 * healthy.epochs:
        broken.append(f"{figures.epochs} epochs, its twin has {healthy.epochs}")
    if not 0 < figures.parameters <= 2 * healthy.parameters:
        broken.append(f"{figures.parameters} parameters, its twin has {healthy.parameters}")
    return tuple(broken)


def seed_verdict(figures: Figures, proof: SeedProof, sigma: float) -> float:
    """1 for right, 0.5 for half right, 0 for wrong, on one seed."""
    if figures.crashed or not figures.finite or guards(figures, proof.healthy):
        return 0.0
    left = harm(figures, proof.healthy)
    if left <= right_bar(proof, sigma):
        return 1.0
    return 0.5 if left <= half_bar(proof) else 0.0


def fix_worth(scenario: Scenario, trial: TrialResult) -> float:
    """The fix row's share: the worst seed decides, halved for every touch beyond what the gold fix needs."""
    verdicts = [
        seed_verdict(figures, proof, scenario.sigma)
        for figures, proof in zip(trial.figures, scenario.proofs, strict=False)
    ]
    worst = min(verdicts, default=0.0)
    if worst > 0 and len(verdicts) < len(scenario.proofs):
        return 0.0
    return float(worst * 0.5 ** max(0, trial.touches - scenario.gold_touches))


def grade(scenario: Scenario, diagnosis: Diagnosis, trial: TrialResult | None) -> Grade:
    """Grade a diagnosis. `trial` is None where none was needed, or where there is no trainer."""
    if scenario.is_control:
        rows: dict[str, float | None] = dict.fromkeys(WEIGHTS, 1.0 if diagnosis.no_fault else 0.0)
        return Grade(1.0 if diagnosis.no_fault else 0.0, rows)
    if diagnosis.no_fault:
        return Grade(0.0, dict.fromkeys(WEIGHTS, 0.0))
    fix: float | None = None
    notes: tuple[str, ...] = ()
    if trial is not None and trial.status == "completed":
        fix = fix_worth(scenario, trial)
    else:
        notes = (f"fix: {trial.detail}" if trial is not None else "fix: there is no trainer here",)
    candidates = [_rows(answer, diagnosis, fix) for answer in scenario.answers]
    rows = max(candidates, key=_score, default=dict.fromkeys(WEIGHTS, 0.0))
    unscored = tuple(name for name, value in rows.items() if value is None)
    return Grade(_score(rows), rows, unscored, notes)


def _rows(answer: Answer, diagnosis: Diagnosis, fix: float | None) -> dict[str, float | None]:
    named = worth(diagnosis.field or "", answer.names) if diagnosis.file == answer.file else 0.0
    earned = max(named, fix or 0.0) >= _EARNED
    return {
        "category": 1.0 if earned and diagnosis.category in answer.categories else 0.0,
        "file": 1.0 if earned and diagnosis.file == answer.file else 0.0,
        "field": named,
        "fix": fix,
    }


def _score(rows: dict[str, float | None]) -> float:
    """The sum of the scored rows, never renormalised."""
    return round(sum(WEIGHTS[name] * value for name, value in rows.items() if value is not None), 6)
