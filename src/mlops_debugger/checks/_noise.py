"""What a model of another family says about the labels: noise, where it sits, and whether it changes along the file."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.model_selection import GroupKFold, StratifiedKFold

from mlops_debugger.checks import RunView
from mlops_debugger.checks._association import classifier, common_tokens, presence
from mlops_debugger.checks._common import (
    HELD_OUT,
    FloatArray,
    IntArray,
    Measure,
    features,
    labels,
    largest,
    ranked,
    sample,
    text,
    vector,
)
from mlops_debugger.checks._kept import kept

_ROWS = 1500
_LEAST = 60


@dataclass(frozen=True)
class Opinion:
    """Out-of-fold answers of an independent model on training rows (file order), and its answers on held-out rows.

    `held_out` maps a split to (positions of the rows that were asked about, target, answer). `group` and `row` are the
    rows' groups and ids, where there are any.
    """

    target: IntArray
    answer: IntArray
    row: FloatArray
    group: FloatArray | None
    held_out: dict[str, tuple[IntArray, IntArray, IntArray]]


def independent(view: RunView) -> Iterator[Measure]:
    """Everything that follows from one set of out-of-fold answers."""
    opinion = opinion_on(view)
    if opinion is None:
        return
    yield from _level(opinion)
    yield from _cells(opinion)
    yield _change_point(opinion)
    yield from _slices(opinion)


@functools.lru_cache(maxsize=2)
def opinion_on(view: RunView) -> Opinion | None:
    """Ask an independent model; None where the run has too few rows with labels, or no labels."""
    rows, target = features(view, "train"), labels(view, "train")
    if rows is None or target is None or len(rows) != len(target):
        return None
    known = np.flatnonzero(target >= 0)
    counts = np.bincount(target[known]) if known.size else np.zeros(0, dtype=int)
    known = known[counts[target[known]] >= 6] if known.size else known
    if known.size < _LEAST or np.unique(target[known]).size < 2:
        return None
    taken = known[sample(len(known), _ROWS, "noise")]
    ids, groups = vector(view, "train.row_id"), vector(view, "train.group")
    row = ids if ids is not None and len(ids) == len(rows) else np.arange(len(rows), dtype=np.float64)
    taken = taken[np.argsort(row[taken], kind="stable")]
    group = groups[taken] if groups is not None and len(groups) == len(rows) and np.isfinite(groups).all() else None
    kind = text(view, "kind")
    tokens = common_tokens(rows) if kind == "text" else np.zeros(0)
    asked: dict[str, tuple[IntArray, IntArray, FloatArray]] = {}
    for split in HELD_OUT:
        other, truth = features(view, split), labels(view, split)
        if other is None or truth is None or len(other) != len(truth) or other.shape[1] != rows.shape[1]:
            continue
        chosen = np.flatnonzero(truth >= 0)
        chosen = chosen[sample(len(chosen), 800, "noise")]
        if chosen.size >= 30:
            asked[split] = chosen, truth[chosen], _prepare(other[chosen], kind, tokens)
    answer, *told = _answers(
        kind,
        _prepare(rows[taken], kind, tokens),
        target[taken],
        row[taken] if group is None else group,
        tuple(inputs for _, _, inputs in asked.values()),
    )
    held_out = {
        split: (chosen, truth, given) for (split, (chosen, truth, _)), given in zip(asked.items(), told, strict=True)
    }
    return Opinion(target[taken], answer, row[taken], group, held_out)


@kept
def _answers(
    kind: str, rows: FloatArray, target: IntArray, together: FloatArray, asked: tuple[FloatArray, ...]
) -> tuple[IntArray, ...]:
    """Out-of-fold answers on the rows, then those of a model fitted on all of them on what else is asked."""
    answer = np.empty(len(rows), dtype=np.int64)
    for used, held in _folds(target, together):
        answer[held] = classifier(kind).fit(rows[used], target[used]).predict(rows[held])
    whole = classifier(kind).fit(rows, target)
    return answer, *(whole.predict(inputs).astype(np.int64) for inputs in asked)


def _prepare(rows: FloatArray, kind: str, tokens: FloatArray) -> FloatArray:
    return presence(rows, tokens) if kind == "text" else np.clip(rows, -1e9, 1e9)


def _folds(target: IntArray, group: FloatArray) -> list[tuple[IntArray, IntArray]]:
    """Three folds that keep groups, and copies of a row, together, as held-out rows may come from new groups."""
    if np.isfinite(group).all() and 6 <= np.unique(group).size < len(group):
        return list(GroupKFold(3).split(target, target, group))
    return list(StratifiedKFold(3, shuffle=True, random_state=0).split(target, target))


def _level(opinion: Opinion) -> Iterator[Measure]:
    """How often the independent model contradicts the labels, against guessing and against held-out rows."""
    n = len(opinion.target)
    error = float(np.mean(opinion.answer != opinion.target))
    naive = 1.0 - float(np.bincount(opinion.target).max()) / n
    relative = error / naive if naive > 0 else 0.0
    where = f"out-of-fold answers of an independent model on {n} training rows"
    says = (
        f"An independent model contradicts {error:.1%} of the training labels out of fold; always answering the "
        "commonest "
        f"class contradicts {naive:.1%}."
    )
    yield Measure("independent_error", relative, n, says, where)
    gaps = []
    for split, (_, target, answer) in opinion.held_out.items():
        other = float(np.mean(answer != target))
        pooled = (error * n + other * len(target)) / (n + len(target))
        spread = np.sqrt(max(pooled * (1 - pooled), 1e-9) * (1 / n + 1 / len(target)))
        says = (
            f"An independent model contradicts {error:.1%} of the training labels and {other:.1%} of those of {split}."
        )
        for name, gap in (("contradicted_training", error - other), ("contradicted_held_out", other - error)):
            p = min(1.0, 2 * float(stats.norm.sf(gap / spread)))
            gaps.append(Measure(name, gap, n, says, f"{where} and {len(target)} of {split}", (), p))
    for name in ("contradicted_training", "contradicted_held_out"):
        yield from largest([m for m in gaps if m.name == name])


def _cells(opinion: Opinion) -> Iterator[Measure]:
    """The pair of classes that is confused more often in training than on held-out rows."""
    width = int(max(opinion.target.max(), opinion.answer.max())) + 1
    mine = _confusion(opinion.target, opinion.answer, width)
    found = []
    for split, (_, target, answer) in opinion.held_out.items():
        kept = (target < width) & (answer < width)
        theirs = _confusion(target[kept], answer[kept], width)
        counts = [table.sum(axis=1, keepdims=True) for table in (mine, theirs)]
        enough = (counts[0] >= 10) & (counts[1] >= 10)
        shares = [table / np.maximum(count, 1) for table, count in zip((mine, theirs), counts, strict=True)]
        gap = np.where(enough & ~np.eye(width, dtype=bool), shares[0] - shares[1], 0.0)
        pooled = (mine + theirs) / np.maximum(counts[0] + counts[1], 1)
        spread = np.sqrt(
            np.maximum(pooled * (1 - pooled), 1e-9) * (1 / np.maximum(counts[0], 1) + 1 / np.maximum(counts[1], 1))
        )
        at, told = np.unravel_index(int(np.argmax(gap)), gap.shape)
        p = min(1.0, float(stats.norm.sf(gap[at, told] / spread[at, told])) * width * width * 2)
        says = (
            f"Rows labelled {at} look like class {told} to an independent model in {shares[0][at, told]:.1%} of "
            "training and "
            f"{shares[1][at, told]:.1%} of {split}."
        )
        found.append(
            Measure("confused_pair_gap", float(gap[at, told]), len(opinion.target), says, f"train and {split}", (), p)
        )
    yield from largest(found)


def _confusion(target: IntArray, answer: IntArray, width: int) -> FloatArray:
    table = np.zeros((width, width))
    np.add.at(table, (target, answer), 1)
    return table


def _change_point(opinion: Opinion) -> Measure:
    """CUSUM of being right, in file order: 1.36 is the 5 % point where nothing changes."""
    right = (opinion.answer == opinion.target).astype(float)
    spread = float(right.std())
    walk = np.cumsum(right - right.mean()) / (spread * np.sqrt(len(right))) if spread > 0 else np.zeros(len(right))
    at = int(np.argmax(np.abs(walk)))
    before, after = (
        float(right[: at + 1].mean()),
        float(right[at + 1 :].mean()) if at + 1 < len(right) else float(right.mean()),
    )
    says = (
        f"In file order, an independent model agrees with {before:.1%} of the training labels up to row id "
        f"{opinion.row[at]:g} and with {after:.1%} after it."
    )
    return Measure(
        "change_point", float(np.abs(walk).max()), len(right), says, "agreement with labels in order of row id"
    )


def _slices(opinion: Opinion) -> Iterator[Measure]:
    """The group whose labels the independent model contradicts most."""
    if opinion.group is None:
        return
    wrong = opinion.answer != opinion.target
    rate = float(wrong.mean())
    names, inverse, counts = np.unique(opinion.group, return_inverse=True, return_counts=True)
    errors = np.bincount(inverse, weights=wrong)
    enough = counts >= 20
    if enough.sum() < 2:
        return
    excess = np.where(enough, errors / counts - rate, -1.0)
    at = int(np.argmax(excess))
    p = min(1.0, float(stats.binom.sf(errors[at] - 1, counts[at], rate)) * int(enough.sum()))
    says = (
        f"An independent model contradicts {errors[at] / counts[at]:.1%} of the labels of group {names[at]:g}, "
        f"{rate:.1%} overall."
    )
    worst = ranked([f"group {name:g}" for name in names], excess)
    yield Measure("group_contradiction", float(excess[at]), int(counts[at]), says, "training labels by group", worst, p)
