"""Are label mappings, and what labels mean, identical in training and evaluation?

Evidence: class lists and id maps by stage; the encoded target as a function of the raw label; a better assignment of
answers to classes (Hungarian method); independence of prediction and truth; an independent model's opinion of the
labels; for forecasts the slope, lag and offset of the target.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats
from scipy.optimize import linear_sum_assignment

from mlops_debugger.checks import Finding, NamedCheck, RunView, _bands, _copies, _mapping, _noise
from mlops_debugger.checks._common import (
    HELD_OUT,
    SPLITS,
    FloatArray,
    Measure,
    answers,
    columns,
    finite,
    forecasts,
    is_regression,
    largest,
    vector,
)
from mlops_debugger.checks._margins import confusion_of, redrawn
from mlops_debugger.checks._reports import confusion

_SAME = 0.999  # correlation from which targets count as values of the source series


def _assignment(view: RunView) -> Iterator[Measure]:
    """Would answers be right more often if classes were renamed?"""
    found = []
    for split in SPLITS:
        pair = answers(view, split)
        if pair is None or len(pair[0]) < 30:
            continue
        width = int(max(pair[0].max(), pair[1].max())) + 1
        table = np.zeros((width, width))
        np.add.at(table, pair, 1)
        rows, renamed = linear_sum_assignment(-table)
        n = len(pair[0])
        now, best = float(np.trace(table)) / n, float(table[rows, renamed].sum()) / n
        changed = [int(k) for k in rows[rows != renamed] if table[k].sum() > 0]
        gained = sum(table[k, renamed[k]] for k in changed)
        lost = sum(table[k, k] for k in changed)
        tried = max(1, width * (width - 1) // 2) * 3
        p = min(1.0, float(stats.binom.sf(gained - 1, gained + lost, 0.5)) * tried) if changed else 1.0
        renaming = ", ".join(f"{k}→{renamed[k]}" for k in changed[:4])
        says = (
            f"On {split} {now:.1%} of the answers are right; {best:.1%} would be if classes were renamed "
            f"{renaming or 'not at all'}."
        )
        worst = tuple((f"true {k} answered {renamed[k]}", float(table[k, renamed[k]])) for k in changed[:4])
        found.append(Measure("renaming_gain", best - now, n, says, f"confusion matrix of {split}", worst, p))
    yield from largest(found)


def _dependence(view: RunView) -> Iterator[Measure]:
    """How strongly do predictions depend on targets, split by split?"""
    strength: dict[str, tuple[float, int]] = {}
    for split in SPLITS:
        found = _correlation(view, split) if is_regression(view) else _cramer(view, split)
        if found is not None:
            strength[split] = found
    if not strength:
        return
    listed = ", ".join(f"{split} {value:.2f}" for split, (value, _) in strength.items())
    what = "correlation" if is_regression(view) else "Cramér's V"
    least = min(strength, key=lambda split: strength[split][0])
    value, n = strength[least]
    worst = tuple((split, found[0]) for split, found in strength.items())
    says = f"Predictions depend on targets with {what} {value:.2f} on {least} ({listed})."
    yield Measure("dependence", value, n, says, "prediction and target by split", worst)
    held = [found[0] for split, found in strength.items() if split != "train"]
    if len(held) > 1:
        gap = max(held) - min(held)
        says = f"The dependence of predictions on targets differs between validation and test ({what}: {listed})."
        p = _dependence_p(view, strength)
        yield Measure("dependence_gap", gap, n, says, "prediction and target by split", worst, p)


def _dependence_p(view: RunView, strength: dict[str, tuple[float, int]]) -> float:
    """Two-sided p-value of equal dependence on the held-out splits."""
    (one, n), (other, m) = (strength[split] for split in HELD_OUT)
    if is_regression(view):
        bend = np.diff(np.arctanh(np.clip([one, other], -0.999, 0.999)))[0]
        error = float(np.sqrt(1 / max(n - 3, 1) + 1 / max(m - 3, 1)))
        return float(2 * stats.norm.sf(abs(bend) / error))
    tables = (confusion_of(view, split) for split in HELD_OUT)
    spreads = [np.std(_cramers(redrawn(t, t.sum()))) for t in tables if t is not None]
    error = float(np.sqrt(np.sum(np.square(spreads))))
    return float(2 * stats.norm.sf(abs(one - other) / error)) if error > 0 else float(one == other)


def _cramer(view: RunView, split: str) -> tuple[float, int] | None:
    """Bias-corrected Cramér's V, or None where it means nothing: one class, or one answer."""
    pair = answers(view, split)
    if pair is None or len(pair[0]) < 30:
        return None
    value = float(_cramers(confusion(*pair)[None])[0])
    return None if np.isnan(value) else (value, len(pair[0]))


def _cramers(tables: FloatArray) -> FloatArray:
    """Bias-corrected Cramér's V of each table; NaN where a side has one class. Shape (tables, classes, classes)."""
    n = tables.sum(axis=(1, 2))
    true, told = tables.sum(axis=2), tables.sum(axis=1)
    expected = true[:, :, None] * told[:, None, :] / n[:, None, None]
    off = np.divide((tables - expected) ** 2, expected, out=np.zeros_like(tables), where=expected > 0)
    r, k = ((side > 0).sum(axis=1).astype(float) for side in (true, told))
    phi = np.maximum(0.0, off.sum(axis=(1, 2)) / n - (r - 1) * (k - 1) / (n - 1))
    size = np.minimum(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    known = (np.minimum(r, k) >= 2) & (size > 0)
    return np.where(known, np.minimum(1.0, np.sqrt(phi / np.where(known, size, 1.0))), np.nan)


def _correlation(view: RunView, split: str) -> tuple[float, int] | None:
    pair = forecasts(view, split)
    if pair is None or len(pair[0]) < 20:
        return None
    target, prediction = (part.ravel() for part in pair)
    if target.std() == 0 or prediction.std() == 0:
        return None
    return float(np.corrcoef(target, prediction)[0, 1]), len(pair[0])


def _calibration(view: RunView) -> Iterator[Measure]:
    """Slope, spread and level of predictions against targets of a regression."""
    spreads, biases = [], []
    for split in SPLITS:
        pair = forecasts(view, split) if is_regression(view) else None
        if pair is None or len(pair[0]) < 20 or pair[0].std() == 0:
            continue
        target, prediction = pair
        ratio = float(prediction.std() / target.std())
        fold = max(ratio, 1 / max(ratio, 1e-12))
        where = f"predictions and targets of {split}"
        says = (
            f"Predictions on {split} have a standard deviation of {prediction.std():.3g}, targets of "
            f"{target.std():.3g}."
        )
        spreads.append(Measure("prediction_spread_ratio", fold, len(target), says, where))
        bias = float((prediction - target).mean() / target.std())
        says = (
            f"Predictions on {split} average {prediction.mean():.4g}, targets {target.mean():.4g}: {bias:+.2f} SD "
            "apart."
        )
        # The rows of a series hang together, so its p-value is a little too small; the band allows for that.
        p = float(stats.ttest_1samp((prediction - target).mean(axis=1), 0.0).pvalue) if bias else 1.0
        biases.append(Measure("prediction_bias", abs(bias), len(target), says, where, (), min(1.0, 3 * p)))
    yield from largest(spreads)
    yield from largest(biases)


def _lag(view: RunView) -> Iterator[Measure]:
    """Do predictions follow other positions of the target better than their own?"""
    found = []
    for split in SPLITS:
        pair, time = (forecasts(view, split), vector(view, f"{split}.time")) if is_regression(view) else (None, None)
        if pair is None or time is None or len(time) != len(pair[0]) or len(time) < 60:
            continue
        order = np.argsort(time, kind="stable")
        target, prediction = pair[0][order, 0], pair[1][order, 0]
        reach = min(30, len(target) // 4)
        lags = np.arange(-reach, reach + 1)
        values = np.array([_shifted(target, prediction, int(lag)) for lag in lags])
        at = int(np.argmax(values))
        gain = float(values[at] - values[reach])
        says = (
            f"On {split} predictions correlate {values[reach]:.3f} with their own targets and {values[at]:.3f} at lag "
            f"{lags[at]:+d}."
        )
        worst = ((f"lag {lags[at]:+d}", float(values[at])), ("lag 0", float(values[reach])))
        found.append(
            Measure("lag_gain", gain, len(target), says, f"targets and predictions of {split} in time order", worst)
        )
    yield from largest(found)


def _shifted(target: FloatArray, prediction: FloatArray, lag: int) -> float:
    one = target[max(0, -lag) : len(target) - max(0, lag)]
    other = prediction[max(0, lag) : len(prediction) - max(0, -lag)]
    return float(np.corrcoef(one, other)[0, 1]) if one.std() > 0 and other.std() > 0 else 0.0


def _offsets(view: RunView) -> Iterator[Measure]:
    """Which positions of the series are the targets? The same ones, one after the other, in every split."""
    series = vector(view, "source.series")
    if series is None or not is_regression(view) or len(series) < 60:
        return
    found: dict[str, list[int]] = {}
    match: dict[str, float] = {}
    for split in SPLITS:
        target, time = columns(view, f"{split}.target"), vector(view, f"{split}.time")
        if target is None or time is None or len(time) != len(target) or len(time) < 30 or not np.isfinite(time).all():
            continue
        if time.min() < 0 or time.max() >= len(series):
            continue
        kept = np.unique(np.linspace(0, target.shape[1] - 1, min(6, target.shape[1])).astype(int))
        best = [_offset(series, time.astype(int), finite(target[:, j])) for j in kept]
        found[split], match[split] = (
            [at - int(j) for (at, _), j in zip(best, kept, strict=True)],
            min(r for _, r in best),
        )
    if match.get("train", 0.0) < _SAME:
        return
    least = min(match, key=lambda split: match[split])
    says = f"Targets of {least} correlate at most {match[least]:.4f} with the source series at any offset up to 60."
    yield Measure("series_mismatch", 1 - match[least], len(series), says, "targets and the source series")
    starts = sorted({start for split, offsets in found.items() if match[split] >= _SAME for start in offsets})
    listed = "; ".join(f"{split}: {sorted(set(offsets))}" for split, offsets in found.items())
    says = f"The first target lies at these offsets from the row's position: {listed}."
    yield Measure("offset_differences", len(starts) - 1, len(series), says, "offsets of targets by split")


def _offset(
    series: FloatArray, time: np.ndarray[tuple[int], np.dtype[np.int_]], target: FloatArray
) -> tuple[int, float]:
    best = (0, 0.0)
    if target.std() == 0:
        return best
    for offset in range(-60, 61):
        at = time + offset
        inside = (at >= 0) & (at < len(series))
        inside[inside] = np.isfinite(series[at[inside]])
        if inside.sum() < 30:
            continue
        one, other = finite(series[at[inside]]), target[inside]
        if one.std() > 0 and other.std() > 0:
            r = float(np.corrcoef(one, other)[0, 1])
            best = (offset, r) if r > best[1] + 1e-9 else best
    return best


PARTS: tuple[_bands.Part, ...] = (
    _mapping.class_lists,
    _mapping.label_maps,
    _mapping.encoded_labels,
    _mapping.sound_targets,
    _assignment,
    _dependence,
    _calibration,
    _lag,
    _offsets,
    _copies.consistent_lags,
    _noise.independent,
)


def run(view: RunView) -> Finding:
    """Labels, their maps and what they mean, split by split."""
    return _bands.judge("label_consistency", view, PARTS, "the run saved no targets and noted no class lists")


CHECK = NamedCheck(run=run)
