"""Do the inputs of training and evaluation match, and do they look like inputs?

Evidence: distributions by column (Kolmogorov–Smirnov with Bonferroni and a least effect), adversarial validation,
correlations among inputs and with the target (marginal statistics are blind to swapped columns and flipped images),
and within training: scale, bounds, repeated and missing values.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlops_debugger.checks import Finding, NamedCheck, RunView, _bands, _shifts
from mlops_debugger.checks._common import (
    SPLITS,
    FloatArray,
    IntArray,
    Measure,
    columns,
    feature_kinds,
    feature_names,
    features,
    finite,
    largest,
    ranked,
    sample,
    text,
    vector,
)

_MANY = 20  # distinct values above which a numeric column counts as continuous


def _finite_values(view: RunView) -> Iterator[Measure]:
    found = []
    for split in SPLITS:
        raw = columns(view, f"{split}.features")
        if raw is None:
            continue
        bad = 1.0 - np.isfinite(raw).mean(axis=0)
        share = float(bad.mean())
        worst = ranked(feature_names(view, raw.shape[1]), bad)
        says = f"{share:.2%} of the {split} inputs are not finite; most in {worst[0][0]} ({worst[0][1]:.1%})."
        found.append(Measure("nonfinite_share", share, len(raw), says, f"inputs of {split}", worst))
    yield from largest(found)


def _continuous(view: RunView, rows: FloatArray) -> IntArray:
    """Positions of the numeric columns with many values: those whose bounds and repeats mean something."""
    kinds = feature_kinds(view, rows.shape[1])
    return np.array(
        [j for j, k in enumerate(kinds) if k == "numeric" and np.unique(rows[:, j]).size > _MANY], dtype=int
    )


def _scale(view: RunView) -> Iterator[Measure]:
    if text(view, "kind") == "text":
        return
    size: list[Measure] = []
    for split in SPLITS:
        rows = features(view, split)
        if rows is None:
            continue
        top = np.quantile(np.abs(rows), 0.999, axis=0)
        at, names = int(np.argmax(top)), feature_names(view, rows.shape[1])
        says = f"Inputs of {split} reach {top[at]:.3g} ({names[at]}, 99.9th percentile of the absolute value)."
        size.append(Measure("largest_input", float(top[at]), len(rows), says, f"inputs of {split}", ranked(names, top)))
    yield from largest(size)
    rows = features(view, "train")
    if rows is None or len(rows) < 2:
        return
    names, kinds = feature_names(view, rows.shape[1]), feature_kinds(view, rows.shape[1])
    spread = rows.std(axis=0)
    constant = float(np.mean(spread < 1e-12))
    says = f"{constant:.0%} of the {len(names)} inputs are constant on train."
    yield Measure("constant_inputs", constant, len(rows), says, "inputs of train")
    varied = np.array([j for j in range(len(names)) if kinds[j] != "category" and spread[j] >= 1e-12], dtype=int)
    if not varied.size:
        return
    middle = float(np.median(spread[varied]))
    says = f"The median standard deviation of the inputs is {middle:.3g} on train."
    yield Measure("typical_spread", middle, len(rows), says, "inputs of train")
    varied = varied[[kinds[int(j)] == "numeric" for j in varied]]
    if not varied.size:
        return
    ratio = float(spread[varied].max() / spread[varied].min())
    widest, least = (names[int(varied[f(spread[varied])])] for f in (np.argmax, np.argmin))
    says = f"The widest input ({widest}) varies {ratio:.3g} times as much as the narrowest ({least}) on train."
    yield Measure("spread_between_inputs", ratio, len(rows), says, "inputs of train")


def _values(view: RunView) -> Iterator[Measure]:
    """Values at the bounds, repeated values and far ones, of continuous columns of train."""
    rows = features(view, "train")
    if rows is None or len(rows) < 50 or text(view, "kind") in ("text", "image"):
        return
    kinds = feature_kinds(view, rows.shape[1])
    names = feature_names(view, rows.shape[1])
    numeric = [j for j, kind in enumerate(kinds) if kind == "numeric"]
    if numeric:
        distinct = np.array([np.unique(rows[:, j]).size for j in numeric])
        coarse = float(np.mean(distinct <= _MANY))
        says = f"{coarse:.0%} of the {len(numeric)} numeric inputs take at most {_MANY} values on train."
        worst = ranked([names[j] for j in numeric], -distinct.astype(float))
        yield Measure("coarse_inputs", coarse, len(rows), says, "inputs of train", tuple((n, -v) for n, v in worst))
    many = _continuous(view, rows)
    if not many.size:
        return
    found = [_repeats(rows[:, j]) for j in many]
    kept = [names[int(j)] for j in many]
    texts = (
        ("share_at_bounds", "of the rows hold the smallest or largest value of"),
        ("modal_share", "of the rows share one value of"),
        ("far_repeats", "of the rows share a value over 8 robust standard deviations off in"),
    )
    for position, (name, words) in enumerate(texts):
        values = np.array([item[position] for item in found])
        at = int(np.argmax(values))
        says = f"{values[at]:.1%} {words} {kept[at]} on train."
        where = f"{len(kept)} continuous inputs of train"
        yield Measure(name, float(values[at]), len(rows), says, where, ranked(kept, values))


def _repeats(column: FloatArray) -> tuple[float, float, float]:
    """Shares of rows: at either bound, at the commonest value, at one repeated value far from the rest."""
    values, counts = np.unique(column, return_counts=True)
    at_bounds = max(float(counts[0]), float(counts[-1])) / len(column)
    middle = float(np.median(column))
    robust = 1.4826 * float(np.median(np.abs(column - middle))) or float(column.std())
    far = (np.abs(values - middle) > 8 * robust) & (counts >= 5)
    return at_bounds, float(counts.max()) / len(column), float(counts[far].max() if far.any() else 0) / len(column)


def _grain(view: RunView) -> Iterator[Measure]:
    """Do columns take fewer values on one split than on the other?"""
    if text(view, "kind") == "text":
        return
    train = features(view, "train")
    found = []
    for split in ("validation", "test"):
        other = features(view, split)
        if train is None or other is None or train.shape[1] != other.shape[1] or min(len(train), len(other)) < 50:
            continue
        n = min(len(train), len(other), 1000)
        parts = [part[sample(len(part), n, "grain")] for part in (train, other)]
        many = _continuous(view, np.vstack(parts))
        if not many.size:
            continue
        counts = np.array([[np.unique(part[:, j]).size for j in many] for part in parts], dtype=float)
        fold = np.maximum(counts[0] / counts[1], counts[1] / counts[0])
        kept = [feature_names(view, train.shape[1])[int(j)] for j in many]
        at = int(np.argmax(fold))
        says = (
            f"{kept[at]} takes {counts[0, at]:g} values in {n} rows of train and {counts[1, at]:g} in {n} rows of "
            f"{split}."
        )
        found.append(
            Measure("distinct_ratio", float(fold[at]), n, says, f"inputs of train and {split}", ranked(kept, fold))
        )
    yield from largest(found)


def _text_shape(view: RunView) -> Iterator[Measure]:
    rows, lengths = features(view, "train"), vector(view, "train.length")
    if text(view, "kind") != "text" or rows is None or lengths is None:
        return
    cut = float(np.mean(finite(lengths) > rows.shape[1]))
    says = f"{cut:.1%} of the training texts are longer than the {rows.shape[1]} tokens that the model gets."
    yield Measure("truncated_share", cut, len(rows), says, "lengths of train")


PARTS: tuple[_bands.Part, ...] = (
    _finite_values,
    _scale,
    _values,
    _grain,
    _text_shape,
    _shifts.distributions,
    _shifts.together,
    _shifts.relations,
    _shifts.in_time_order,
    _shifts.images,
    _shifts.texts,
)


def run(view: RunView) -> Finding:
    """Inputs of training and evaluation against each other and against the healthy range."""
    return _bands.judge("feature_statistics", view, PARTS, "the run saved no inputs (train.features, test.features)")


CHECK = NamedCheck(run=run)
