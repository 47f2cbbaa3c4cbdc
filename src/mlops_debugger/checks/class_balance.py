"""Are classes, and rows, balanced across splits, and are they answered in proportion?

Evidence: class shares by split (total variation distance with a chi² test, since chi² alone grows with n), predicted
against true shares, recall by class, how many of the prepared rows each split got, and which classes lost rows before.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from mlops_debugger.checks import Finding, NamedCheck, RunView, _bands
from mlops_debugger.checks._common import (
    HELD_OUT,
    MAX_CLASSES,
    SPLITS,
    FloatArray,
    IntArray,
    Measure,
    answers,
    labels,
    largest,
    mapping,
    number,
    pairs,
    positions,
    ranked,
    rows_of,
    vector,
    words,
)


def _counts(values: IntArray, width: int) -> FloatArray:
    return np.bincount(values[values >= 0], minlength=width)[:width].astype(np.float64)


def _names(view: RunView, width: int) -> list[str]:
    stages = mapping(view, "classes")
    listed = stages.get("train")
    if isinstance(listed, list | tuple) and len(listed) >= width:
        return [str(name) or f"class {i}" for i, name in enumerate(listed[:width])]
    return [f"class {i}" for i in range(width)]


def _distance(first: FloatArray, second: FloatArray) -> tuple[float, float]:
    """Total variation distance of two count vectors, and the p-value of the chi² test that they agree."""
    tvd = 0.5 * float(np.abs(first / first.sum() - second / second.sum()).sum())
    table = np.vstack([first, second])[:, first + second > 0]
    p = float(stats.chi2_contingency(table)[1]) if table.shape[1] > 1 else 1.0
    return tvd, p


def _between_splits(view: RunView) -> Iterator[Measure]:
    found = []
    for first, second in pairs():
        one, other = labels(view, first), labels(view, second)
        if one is None or other is None or not (one >= 0).any() or not (other >= 0).any():
            continue
        width = int(max(one.max(), other.max())) + 1
        a, b = _counts(one, width), _counts(other, width)
        tvd, p = _distance(a, b)
        change = np.abs(a / a.sum() - b / b.sum())
        names = _names(view, width)
        at = int(np.argmax(change))
        found.append(
            Measure(
                "split_distance",
                tvd,
                int(b.sum()),
                f"Class shares of {second} differ from {first} by {tvd:.1%} in total; most for {names[at]}: "
                f"{a[at] / a.sum():.1%} in {first}, {b[at] / b.sum():.1%} in {second}.",
                f"class counts of {first} (n={int(a.sum())}) and {second} (n={int(b.sum())})",
                ranked(names, change),
                min(1.0, p * 2),
            )
        )
    yield from largest(found)


def _rarest(view: RunView) -> Iterator[Measure]:
    target = labels(view, "train")
    if target is None or not (target >= 0).any():
        return
    listed = len(words(view, "source_classes"))
    width = max(int(target.max()) + 1, min(int(number(view, "model_outputs") or 0), 100), listed)
    shares = _counts(target, width) / max(int((target >= 0).sum()), 1)
    names = _names(view, width)
    at = int(np.argmin(shares))
    yield Measure(
        "rarest_share",
        float(shares[at]) * width,
        int((target >= 0).sum()),
        f"The rarest class in training ({names[at]}) has {shares[at]:.2%} of the rows; equal shares would be "
        f"{1 / width:.2%}.",
        "class counts of train",
        tuple((name, float(value)) for name, value in zip(names, shares, strict=True)),
    )


def _predicted(view: RunView) -> Iterator[Measure]:
    distance, missed, skewed = [], [], []
    for split in HELD_OUT:
        pair = answers(view, split)
        if pair is None or len(pair[0]) < 20:
            continue
        width = int(max(pair[0].max(), pair[1].max())) + 1
        true, told = _counts(pair[0], width), _counts(pair[1], width)
        names, n = _names(view, width), len(pair[0])
        tvd, p = _distance(true, told)
        where = f"predicted and true classes of {split}"
        at = int(np.argmax(np.abs(true - told)))
        says = (
            f"Predicted class shares on {split} differ from the true ones by {tvd:.1%}; most for {names[at]}: "
            f"true {true[at] / n:.1%}, predicted {told[at] / n:.1%}."
        )
        distance.append(Measure("predicted_distance", tvd, n, says, where, ranked(names, np.abs(true - told) / n), p))
        never = (told == 0) & (true > 0)
        share = float(true[never].sum() / n)
        listed = ", ".join(name for name, gone in zip(names, never, strict=True) if gone)
        says = f"{share:.1%} of the {split} rows belong to classes that are never predicted ({listed})."
        missed.append(Measure("never_predicted", share, n, says, where))
        ratio = (told + 2) / (true + 2)
        odd = np.where(true + told >= 20, np.maximum(ratio, 1 / ratio), 1.0)
        at = int(np.argmax(odd))
        says = f"On {split} the class {names[at]} is predicted {int(told[at])} times and true {int(true[at])} times."
        skewed.append(Measure("predicted_ratio", float(odd[at]), n, says, where, ranked(names, odd)))
    for found in (distance, missed, skewed):
        yield from largest(found)


def _recall(view: RunView) -> Iterator[Measure]:
    found = []
    for split in HELD_OUT:
        pair = answers(view, split)
        if pair is None:
            continue
        counts = _counts(pair[0], int(pair[0].max()) + 1)
        hits = _counts(pair[0][pair[0] == pair[1]], len(counts))
        enough = np.flatnonzero(counts >= 20)
        if len(enough) < 2:
            continue
        recall = hits[enough] / counts[enough]
        names = [_names(view, len(counts))[int(i)] for i in enough]
        gap = float(recall.max() - recall.min())
        at = int(np.argmin(recall))
        says = f"Recall on {split} ranges from {recall[at]:.1%} ({names[at]}) to {recall.max():.1%}."
        worst = tuple((name, float(value)) for name, value in zip(names, recall, strict=True))
        found.append(Measure("recall_gap", gap, len(pair[0]), says, f"recall by class of {split}", worst))
    yield from largest(found)


def _sizes(view: RunView) -> Iterator[Measure]:
    sizes = {split: rows_of(view, split) for split in SPLITS}
    total = sum(sizes.values())
    if not total or not sizes["train"] or not (sizes["validation"] or sizes["test"]):
        return
    listed = ", ".join(f"{split} {count}" for split, count in sizes.items())
    share = sizes["train"] / total
    yield Measure(
        "train_share", share, total, f"Training has {share:.1%} of the rows that were split ({listed}).", listed
    )
    held = {split: count for split, count in sizes.items() if split != "train" and count}
    least = min(held, key=lambda split: held[split])
    part = held[least] / total
    yield Measure(
        "held_out_share", part, total, f"{least} has {part:.1%} of the rows that were split ({listed}).", listed
    )
    rows = mapping(view, "rows")
    source, prepared = rows.get("source"), rows.get("prepared")
    if isinstance(prepared, int | float) and prepared > 0:
        unused = 1.0 - total / float(prepared)
        says = f"{unused:.1%} of the {prepared:g} prepared rows are in no split ({listed})."
        yield Measure("unused_rows", unused, int(min(prepared, 1e9)), says, "rows of the splits and prepared rows")
    if isinstance(prepared, int | float) and isinstance(source, int | float) and source > 0:
        removed = 1.0 - float(prepared) / float(source)
        says = f"Cleaning kept {prepared:g} of {source:g} rows ({removed:.1%} removed)."
        yield Measure("removed_rows", removed, int(min(source, 1e9)), says, "rows read and rows after cleaning")


def _removed(view: RunView) -> Iterator[Measure]:
    """Which classes lost rows on the way from the source into the splits?"""
    source = vector(view, "source.class_counts")
    if source is None or len(source) > MAX_CLASSES or not np.isfinite(source).all() or (source < 0).any():
        return
    kept = _kept_by_class(view, len(source))
    if kept is None or not kept.sum() > 0:
        return
    kept = np.minimum(kept, source)
    listed = words(view, "source_classes")
    names = listed if len(listed) == len(source) else [f"class {i}" for i in range(len(source))]
    share = np.divide(kept, source, out=np.zeros_like(kept), where=source > 0)
    overall = float(kept.sum() / source.sum())
    gap = np.where(source >= 20, np.abs(share - overall), 0.0)
    at = int(np.argmax(gap))
    table = np.vstack([kept, source - kept])[:, source > 0]
    decided = table.shape[1] > 1 and bool((table.sum(axis=1) > 0).all())
    p = float(stats.chi2_contingency(table)[1]) if decided else 1.0
    says = f"{share[at]:.1%} of the source rows of {names[at]} are in a split, {overall:.1%} of all source rows are."
    where = f"class counts of the source (n={int(source.sum())}) and of all splits (n={int(kept.sum())})"
    yield Measure("removed_by_class", float(gap[at]), int(source.sum()), says, where, ranked(names, gap), p)


def _kept_by_class(view: RunView, width: int) -> FloatArray | None:
    """Rows of every source class in the splits, each row once."""
    found = []
    for split in SPLITS:
        row, raw = vector(view, f"{split}.row_id"), vector(view, f"{split}.source_target")
        if row is not None and raw is not None and len(row) == len(raw):
            found.append(np.column_stack([row, raw]))
    if not found:
        return None
    rows = np.vstack(found)
    _, first = np.unique(rows[:, 0], return_index=True)
    return _counts(positions(rows[first, 1]), width)


def _unlabelled(view: RunView) -> Iterator[Measure]:
    found = []
    for split in SPLITS:
        raw = vector(view, f"{split}.source_target")
        if raw is None:
            continue
        share = float(np.mean(~(raw >= 0)))
        says = f"{share:.1%} of the {split} rows have no label in the source."
        found.append(Measure("unlabelled_rows", share, len(raw), says, f"source labels of {split}"))
    yield from largest(found)


PARTS: tuple[_bands.Part, ...] = (_between_splits, _rarest, _predicted, _recall, _sizes, _removed, _unlabelled)


def run(view: RunView) -> Finding:
    """Class shares, predicted shares and split sizes against the healthy range."""
    return _bands.judge("class_balance", view, PARTS, "there are neither class targets nor rows of two splits")


CHECK = NamedCheck(run=run)
