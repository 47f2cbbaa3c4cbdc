"""What the saved answers themselves tell: against guessing, a simple model and themselves, and horizon by horizon."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlops_debugger.checks import RunView
from mlops_debugger.checks._common import (
    HELD_OUT,
    FloatArray,
    Measure,
    answers,
    columns,
    features,
    finite,
    forecasts,
    is_regression,
    labels,
    largest,
    sample,
    vector,
)
from mlops_debugger.checks._loss_level import scores
from mlops_debugger.checks._noise import opinion_on

_LEAST = 50  # rows of a split below which a comparison of errors means little
_REPEATED = 1e-6  # change of an output that no other order of summation explains


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


def simple_model(view: RunView) -> Iterator[Measure]:
    """Does a simple model, fitted on the same training rows, do better than the run?"""
    found = []
    for split in HELD_OUT:
        pair = _simple_errors(view, split)
        if pair is None or len(pair[0]) < _LEAST:
            continue
        mine, other, unit = pair
        lead = mine - other
        p = float(stats.ttest_1samp(lead, 0.0, alternative="greater").pvalue) if lead.std() > 0 else 1.0
        says = (
            f"On {len(lead)} rows of {split} the run has {unit} {mine.mean():.3g}, a simple model {other.mean():.3g}."
        )
        where = f"answers on {split}, and those of a simple model fitted on train"
        found.append(Measure("simple_model_lead", float(lead.mean()), len(lead), says, where, (), min(1.0, 2 * p)))
    yield from largest(found)


def _simple_errors(view: RunView, split: str) -> tuple[FloatArray, FloatArray, str] | None:
    """Errors by row of the run and of a simple model on the same rows, and what they are."""
    if is_regression(view):
        return _linear_errors(view, split)
    opinion, told = opinion_on(view), labels(view, split, "prediction")
    if opinion is None or told is None or split not in opinion.held_out:
        return None
    rows, target, answer = opinion.held_out[split]
    if rows.max() >= len(told):
        return None
    mine, other = (np.where(given == target, 0.0, 1.0) for given in (told[rows], answer))
    return mine, other, "a share of wrong answers of"


def _linear_errors(view: RunView, split: str) -> tuple[FloatArray, FloatArray, str] | None:
    """As `_simple_errors`, by ridge regression on standardised inputs; errors in mean absolute deviations."""
    pair, rows, other = forecasts(view, split), features(view, "train"), features(view, split)
    target = columns(view, "train.target")
    if pair is None or rows is None or other is None or target is None:
        return None
    if len(other) != len(pair[0]) or len(rows) != len(target) or rows.shape[1] != other.shape[1]:
        return None
    known = np.flatnonzero(np.isfinite(target).all(axis=1))
    known = known[sample(len(known), 2000, "linear")]
    if len(known) < _LEAST or target.shape[1] != pair[0].shape[1]:
        return None
    # Skewed targets (costs) are fitted in logarithms, as most teams would.
    skewed = bool((target[known] > -1).all() and stats.skew(target[known].ravel()) > 2)
    fitted = np.log1p(target[known]) if skewed else finite(target[known])
    model = make_pipeline(StandardScaler(), Ridge(alpha=10.0)).fit(np.clip(rows[known], -1e9, 1e9), fitted)
    answer = np.asarray(model.predict(np.clip(other, -1e9, 1e9)), dtype=np.float64).reshape(pair[0].shape)
    answer = np.expm1(np.clip(answer, -700, 700)) if skewed else answer
    deviation = float(np.abs(pair[0] - np.median(pair[0], axis=0)).mean())
    if not deviation > 0:
        return None
    mine, simple = (np.abs(finite(given) - pair[0]).mean(axis=1) / deviation for given in (pair[1], answer))
    return mine, simple, "a mean absolute error, relative to that of the median, of"


def repeated(view: RunView) -> Iterator[Measure]:
    """Do the outputs stay what they are when the rows come in another order and in other batches?"""
    gap = vector(view, "test.repeat_gap")
    if gap is None:
        return
    changed = float(np.mean(finite(gap) > _REPEATED))
    says = f"Evaluated again in another order and batch size, {changed:.1%} of the test rows get other outputs."
    yield Measure("changed_when_repeated", changed, len(gap), says, "outputs on test, evaluated twice")


def confidence(view: RunView) -> Iterator[Measure]:
    """Do answers follow the probabilities, and are the probabilities honest?"""
    unlike, gaps, sums = [], [], []
    # A model that learnt by a log loss is right about its confidence in the mean; a forest or a nearest neighbour
    # never promised to be.
    fitted = any(vector(view, name) is not None for name in ("epoch.train_loss", "step.loss"))
    hesitant = "underconfidence" if fitted else "unfitted_underconfidence"
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
            error = np.sqrt(max(right * (1 - right), 1e-6) / len(target))
            over, under = (min(1.0, 2 * float(stats.norm.sf(gap / error))) for gap in (sure - right, right - sure))
            gaps.append(Measure("overconfidence", sure - right, len(target), says, where, (), over))
            gaps.append(Measure(hesitant, right - sure, len(target), says, where, (), under))
    yield from largest(sums)
    yield from largest(unlike)
    for name in ("overconfidence", hesitant):
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
