"""Differences between the inputs of training and of a held-out split, measured column by column and together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from mlops_debugger.checks import RunView
from mlops_debugger.checks._association import adversarial_auc, associations, common_tokens, fisher, inputs, padding
from mlops_debugger.checks._common import (
    BoolArray,
    FloatArray,
    Measure,
    feature_names,
    features,
    finite,
    largest,
    pairs,
    ranked,
    sample,
    text,
    vector,
)
from mlops_debugger.checks._kept import kept

_ROWS = 2000  # rows a split that are enough for a distribution
_ENOUGH = 8


def _both(view: RunView, second: str) -> tuple[FloatArray, FloatArray] | None:
    first, other = features(view, "train"), features(view, second)
    if first is None or other is None or first.shape[1] != other.shape[1] or min(len(first), len(other)) < _ENOUGH:
        return None
    return first, other


def distributions(view: RunView) -> Iterator[Measure]:
    """Kolmogorov–Smirnov distance, shift of the mean and ratio of the spreads, column by column."""
    if text(view, "kind") == "text":
        return
    distance: list[Measure] = []
    shift: list[Measure] = []
    spread: list[Measure] = []
    breadth: list[Measure] = []
    for _, split in pairs():
        both = _both(view, split)
        if both is None:
            continue
        first, other = (part[sample(len(part), _ROWS, "distributions")] for part in both)
        names, n = feature_names(view, first.shape[1]), len(other)
        where = f"{len(names)} features of train (n={len(both[0])}) and {split} (n={len(both[1])})"
        ks = _by_column(first, other)
        at = int(np.argmax(ks))
        p = min(1.0, float(stats.kstwobign.sf(ks[at] * np.sqrt(len(first) * n / (len(first) + n)))) * len(names) * 2)
        says = f"The distribution of {names[at]} on {split} lies {ks[at]:.3g} (Kolmogorov–Smirnov) from that on train."
        distance.append(Measure("ks_distance", float(ks[at]), n, says, where, ranked(names, ks), p))
        sd_first, sd_other = first.std(axis=0), other.std(axis=0)
        pooled = np.sqrt((sd_first**2 + sd_other**2) / 2)
        moved = np.abs(first.mean(axis=0) - other.mean(axis=0)) / np.where(pooled > 0, pooled, np.inf)
        at = int(np.argmax(moved))
        says = (
            f"The mean of {names[at]} is {first[:, at].mean():.3g} on train and {other[:, at].mean():.3g} on {split}, "
            f"{moved[at]:.2g} standard deviations apart."
        )
        error = np.sqrt(1 / len(first) + 1 / n)
        p = min(1.0, float(2 * stats.norm.sf(moved[at] / error)) * len(names) * 2)
        shift.append(Measure("mean_shift", float(moved[at]), n, says, where, ranked(names, moved), p))
        usable = (sd_first > 1e-9) & (sd_other > 1e-9) & _varied(first) & _varied(other)
        ratio = np.where(usable, np.where(usable, sd_other, 1) / np.where(usable, sd_first, 1), 1.0)
        fold = np.maximum(ratio, 1 / ratio)
        at = int(np.argmax(fold))
        says = (
            f"The standard deviation of {names[at]} is {sd_first[at]:.3g} on train and {sd_other[at]:.3g} on {split}."
        )
        error = np.sqrt(_log_sd_variance(first[:, at]) + _log_sd_variance(other[:, at]))
        p = min(1.0, float(2 * stats.norm.sf(np.log(fold[at]) / error)) * len(names) * 2) if error > 0 else 1.0
        spread.append(Measure("spread_ratio", float(fold[at]), n, says, where, ranked(names, fold), p))
        changed = float(np.mean((moved > 0.5) | (fold > 2)))
        says = f"{changed:.0%} of the features have another mean (by over 0.5 SD) or spread (over 2-fold) on {split}."
        breadth.append(Measure("features_shifted", changed, n, says, where))
    for found in (distance, shift, spread, breadth):
        yield from largest(found)


def _log_sd_variance(column: FloatArray) -> float:
    """Variance of the logarithm of a standard deviation, which far values make large."""
    kurtosis = float(stats.kurtosis(column, fisher=False)) if column.std() > 0 else 1.0
    return max(kurtosis - 1, 0.0) / (4 * len(column))


def _varied(rows: FloatArray) -> BoolArray:
    """Columns whose spread rests on more than a few rows: at least 10 % differ from the median."""
    return np.asarray(np.mean(rows != np.median(rows, axis=0), axis=0) >= 0.1, dtype=np.bool_)


@kept
def _by_column(first: FloatArray, other: FloatArray) -> FloatArray:
    """Kolmogorov–Smirnov distance of each column."""
    return np.array([_ks(first[:, j], other[:, j]) for j in range(first.shape[1])])


def _ks(first: FloatArray, other: FloatArray) -> float:
    one, two = np.sort(first), np.sort(other)
    grid = np.concatenate([one, two])
    gap = np.searchsorted(one, grid, "right") / len(one) - np.searchsorted(two, grid, "right") / len(two)
    return float(np.abs(gap).max())


def together(view: RunView) -> Iterator[Measure]:
    """Can a model tell the splits apart, and do the inputs correlate with each other as they do on train?"""
    rows, names = inputs(view)
    telling: list[Measure] = []
    changed: list[Measure] = []
    for first, split in pairs():
        if first not in rows or split not in rows or min(len(rows[first]), len(rows[split])) < 40 or not names:
            continue
        one, other = rows[first], rows[split]
        varied = np.flatnonzero(_varied(one) & _varied(other))
        value, n, p = adversarial_auc(one, other, text(view, "kind"))
        says = (
            f"A model tells {split} inputs from train inputs with a cross-validated AUC of {value:.3f} (0.5 is chance)."
        )
        telling.append(Measure("adversarial_auc", value, n, says, f"inputs of train and {split}", (), min(1.0, 2 * p)))
        if text(view, "kind") != "text" and len(varied) > 1:
            kept = [names[int(j)] for j in varied]
            changed.append(_correlations(one[:, varied], other[:, varied], kept, split))
    yield from largest(telling)
    yield from largest(changed)


def _correlations(first: FloatArray, other: FloatArray, names: list[str], split: str) -> Measure:
    """The pair of inputs whose rank correlation changed most."""
    tables = [_among_inputs(part[sample(len(part), 1000, "correlations")]) for part in (first, other)]
    gap = np.abs(np.triu(tables[0] - tables[1], 1))
    left, right = np.unravel_index(int(np.argmax(gap)), gap.shape)
    value = float(gap[left, right])
    n = (min(len(first), 1000), min(len(other), 1000))
    bend = np.abs(np.diff(np.arctanh(np.clip([t[left, right] for t in tables], -0.999, 0.999))))[0]
    error = np.sqrt(1.06 / max(n[0] - 3, 1) + 1.06 / max(n[1] - 3, 1))
    p = min(1.0, float(2 * stats.norm.sf(bend / error)) * len(names) * (len(names) - 1))
    says = (
        f"The rank correlation of {names[left]} with {names[right]} is {tables[0][left, right]:.2f} on train and "
        f"{tables[1][left, right]:.2f} on {split}."
    )
    return Measure("correlation_change", value, n[1], says, f"{len(names)} inputs of train and {split}", (), p)


@kept
def _among_inputs(rows: FloatArray) -> FloatArray:
    """Rank correlations of the columns with each other."""
    ranks = stats.rankdata(rows, axis=0)
    centred = ranks - ranks.mean(axis=0)
    norm = np.sqrt((centred**2).sum(axis=0))
    unit = centred / np.where(norm > 0, norm, np.inf)
    return np.asarray(unit.T @ unit, dtype=np.float64)


def relations(view: RunView) -> Iterator[Measure]:
    """Do the inputs relate to the target as they do on train?"""
    found = associations(view)
    measures = []
    for first, split in pairs():
        if first not in found or split not in found:
            continue
        one, other = found[first], found[split]
        difference, p = fisher(one, other)
        if not difference.size:
            continue
        by_input = np.abs(difference).max(axis=1)
        at, column = np.unravel_index(int(np.argmax(np.abs(difference))), difference.shape)
        says = (
            f"{one.names[at]} correlates with the target {one.values[at, column]:+.2f} on train and "
            f"{other.values[at, column]:+.2f} on {split}."
        )
        where = (
            f"rank correlations of {len(one.names)} inputs with the target, train (n={one.n}) and {split} (n={other.n})"
        )
        measures.append(
            Measure(
                "relation_change",
                float(by_input[at]),
                other.n,
                says,
                where,
                ranked(one.names, by_input),
                min(1.0, 2 * float(p[at, column])),
            )
        )
    yield from largest(measures)


def in_time_order(view: RunView) -> Iterator[Measure]:
    """Do the inputs of a series go on from one row to the next as they do on train?"""
    if text(view, "kind") != "series":
        return
    found = []
    for _, split in pairs():
        both = _both(view, split)
        times = [vector(view, f"{name}.time") for name in ("train", split)]
        if both is None or any(t is None or len(t) != len(part) for t, part in zip(times, both, strict=True)):
            continue
        varied = np.flatnonzero(_varied(both[0]) & _varied(both[1]))
        if not varied.size or len(both[1]) < 40:
            continue
        one, other = (
            _next_row(part[np.argsort(t, kind="stable")][:, varied])
            for part, t in zip(both, times, strict=True)
            if t is not None
        )
        names = [feature_names(view, both[0].shape[1])[int(j)] for j in varied]
        gap = np.abs(one - other)
        at = int(np.argmax(gap))
        says = (
            f"From one row to the next, {names[at]} correlates {one[at]:.2f} with itself on train and {other[at]:.2f} "
            f"on {split}."
        )
        where = f"{len(names)} inputs of train and {split} in time order"
        found.append(Measure("autocorrelation_change", float(gap[at]), len(both[1]), says, where, ranked(names, gap)))
    yield from largest(found)


def _next_row(rows: FloatArray) -> FloatArray:
    """Correlation of every column with itself one row later; 0 for a constant."""
    centred = rows - rows.mean(axis=0)
    norm = np.sqrt((centred[:-1] ** 2).sum(axis=0) * (centred[1:] ** 2).sum(axis=0))
    product = (centred[:-1] * centred[1:]).sum(axis=0)
    return np.asarray(np.divide(product, norm, out=np.zeros_like(norm), where=norm > 0), dtype=np.float64)


def images(view: RunView) -> Iterator[Measure]:
    """Does the mean image of a split look like that of train?"""
    if text(view, "kind") != "image":
        return
    found = []
    for _, split in pairs():
        both = _both(view, split)
        if both is None:
            continue
        one, other = both[0].mean(axis=0), both[1].mean(axis=0)
        if one.std() == 0 or other.std() == 0:
            continue
        alike = float(np.corrcoef(one, other)[0, 1])
        says = f"The mean image of {split} correlates {alike:.3f} with that of train."
        found.append(Measure("mean_image_distance", 1 - alike, len(both[1]), says, f"mean images of train and {split}"))
    yield from largest(found)


def texts(view: RunView) -> Iterator[Measure]:
    """Lengths, padding and token frequencies of texts."""
    if text(view, "kind") != "text":
        return
    lengths: list[Measure] = []
    sides: list[Measure] = []
    frequencies: list[Measure] = []
    for _, split in pairs():
        both = _both(view, split)
        if both is None:
            continue
        where, n = f"token ids of train (n={len(both[0])}) and {split} (n={len(both[1])})", len(both[1])
        pad = padding(both[0])
        leading, trailing = ([float(np.mean(part[:, end] == pad)) for part in both] for end in (0, -1))
        gap = max(abs(leading[0] - leading[1]), abs(trailing[0] - trailing[1]))
        says = (
            f"Rows begin with the padding id {pad:g} in {leading[0]:.1%} of train and {leading[1]:.1%} of "
            f"{split}; they "
            f"end with it in {trailing[0]:.1%} and {trailing[1]:.1%}."
        )
        sides.append(Measure("padding_gap", gap, n, says, where))
        tokens = common_tokens(both[0], 400)
        shares = [_token_shares(part, tokens, pad) for part in both]
        names = [f"token {int(t)}" for t in tokens]
        tvd = 0.5 * float(np.abs(shares[0] - shares[1]).sum())
        says = f"Token frequencies on {split} differ from those on train by {tvd:.1%} in total."
        worst = ranked([*names, "other tokens"], np.abs(shares[0] - shares[1]))
        frequencies.append(Measure("token_distance", tvd, n, says, where, worst))
        counted = [vector(view, f"{name}.length") for name in ("train", split)]
        used = [
            finite(known) if known is not None else (part != pad).sum(axis=1).astype(float)
            for known, part in zip(counted, both, strict=True)
        ]
        ks = _ks(used[0], used[1])
        says = f"Texts of {split} have {used[1].mean():.3g} tokens on average, texts of train {used[0].mean():.3g}."
        p = float(stats.kstwobign.sf(ks * np.sqrt(len(used[0]) * len(used[1]) / (len(used[0]) + len(used[1])))))
        lengths.append(Measure("length_distance", ks, n, says, where, (), min(1.0, 2 * p)))
    for found in (lengths, sides, frequencies):
        yield from largest(found)


def _token_shares(rows: FloatArray, tokens: FloatArray, pad: float) -> FloatArray:
    """Shares of the listed tokens, and of all others, among what is not padding."""
    values, counts = np.unique(rows[rows != pad], return_counts=True)
    seen = dict(zip(values.tolist(), counts.tolist(), strict=True))
    listed = np.array([seen.get(float(token), 0) for token in tokens], dtype=np.float64)
    total = max(float(counts.sum()), 1.0)
    return np.append(listed, total - listed.sum()) / total
