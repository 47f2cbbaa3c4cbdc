"""What the saved answers themselves tell: against guessing, against confidence, and horizon by horizon."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlops_debugger.checks import RunView
from mlops_debugger.checks._common import (
    HELD_OUT,
    Measure,
    answers,
    columns,
    finite,
    forecasts,
    is_regression,
    largest,
    vector,
)
from mlops_debugger.checks._loss_level import scores


def baseline(view: RunView) -> Iterator[Measure]:
    """Skill over the naive answer, which knows the targets' distribution alone."""
    found = []
    for split in HELD_OUT:
        if is_regression(view):
            pair = forecasts(view, split)
            if pair is None or len(pair[0]) < 20:
                continue
            naive = float(np.abs(pair[0] - np.median(pair[0], axis=0)).mean())
            error = float(np.abs(pair[0] - pair[1]).mean())
            skill = 1 - error / naive if naive > 0 else float("nan")
            says = f"The mean absolute error on {split} is {error:.4g}; the median as constant answer has {naive:.4g}."
        else:
            labelled = answers(view, split)
            if labelled is None or len(labelled[0]) < 20:
                continue
            right = float(np.mean(labelled[0] == labelled[1]))
            commonest = float(np.bincount(labelled[0]).max()) / len(labelled[0])
            skill = (right - commonest) / (1 - commonest) if commonest < 1 else float("nan")
            says = f"On {split} {right:.1%} of the answers are right; the commonest class alone gives {commonest:.1%}."
        found.append(
            Measure("skill_over_naive", skill, len(view.arrays[f"{split}.target"]), says, f"answers on {split}")
        )
    usable = [m for m in found if not np.isnan(m.value)]
    if usable:
        yield min(usable, key=lambda m: m.value)


def confidence(view: RunView) -> Iterator[Measure]:
    """Do answers follow the probabilities, and are the probabilities honest?"""
    unlike, gaps, sums = [], [], []
    for split in HELD_OUT:
        pair, told = scores(view, split), vector(view, f"{split}.prediction")
        raw = columns(view, f"{split}.score")
        if pair is None or raw is None:
            continue
        score, target = pair
        off = float(np.abs(score.sum(axis=1) - 1).max())
        where = f"probabilities of {split}"
        sums.append(
            Measure(
                "probability_sum_error", off, len(target), f"Probabilities on {split} sum to 1 within {off:.3g}.", where
            )
        )
        if told is not None and len(told) == len(raw):
            share = float(np.mean(finite(raw).argmax(axis=1) != told))
            says = f"{share:.1%} of the answers on {split} are not the class with the largest probability."
            unlike.append(Measure("answers_unlike_scores", share, len(told), says, f"answers and {where}"))
        if len(target) >= 50:
            sure, right = float(score.max(axis=1).mean()), float(np.mean(score.argmax(axis=1) == target))
            says = f"On {split} the mean confidence is {sure:.1%} and {right:.1%} of the likeliest classes are right."
            gaps.append(Measure("overconfidence", sure - right, len(target), says, where))
            gaps.append(Measure("underconfidence", right - sure, len(target), says, where))
    yield from largest(sums)
    yield from largest(unlike)
    for name in ("overconfidence", "underconfidence"):
        yield from largest([m for m in gaps if m.name == name])


def horizons(view: RunView) -> Iterator[Measure]:
    """Errors should grow with the horizon, or at least not fall much."""
    found = []
    for split in HELD_OUT:
        pair = forecasts(view, split) if is_regression(view) else None
        if pair is None or pair[0].shape[1] < 2 or len(pair[0]) < 20:
            continue
        errors = np.abs(pair[0] - pair[1]).mean(axis=0)
        growth = float(errors[-1] / max(float(errors[0]), 1e-12))
        says = (
            f"The mean absolute error on {split} is {errors[0]:.4g} at the first horizon and {errors[-1]:.4g} at the "
            "last."
        )
        worst = tuple((f"horizon {j + 1}", float(error)) for j, error in enumerate(errors[:5]))
        found.append(Measure("horizon_growth", growth, len(pair[0]), says, f"errors of {split} by horizon", worst))
    if found:
        yield min(found, key=lambda m: m.value)
