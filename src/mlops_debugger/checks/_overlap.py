"""The same, or nearly the same, rows in two splits: by id, by content, by distance, by group and by time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse, stats
from sklearn.neighbors import NearestNeighbors

from mlops_debugger import seeds
from mlops_debugger.checks import RunView
from mlops_debugger.checks._association import common_tokens, presence
from mlops_debugger.checks._common import (
    HELD_OUT,
    SPLITS,
    FloatArray,
    Measure,
    columns,
    features,
    finite,
    is_regression,
    labels,
    largest,
    sample,
    text,
    vector,
)
from mlops_debugger.checks._kept import kept

_PAIRS = (("train", "validation"), ("train", "test"), ("validation", "test"))
_NEAR = 0.2  # of the typical distance to the fifth neighbour


def ids(view: RunView) -> Iterator[Measure]:
    """Row ids in two splits, and ids that stand twice in a held-out one."""
    found, repeated = [], []
    rows = {split: values for split in SPLITS if (values := vector(view, f"{split}.row_id")) is not None}
    for first, second in _PAIRS:
        if first in rows and second in rows:
            shared = np.isin(rows[second], rows[first])
            value = float(shared.mean())
            says = f"{int(shared.sum())} of the {len(shared)} {second} row ids ({value:.1%}) are in {first} too."
            worst = tuple((f"row {row:g}", 1.0) for row in np.unique(rows[second][shared])[:3])
            found.append(Measure("row_id_overlap", value, len(shared), says, f"row ids of {first} and {second}", worst))
    for split in HELD_OUT:
        if split in rows:
            value = 1.0 - np.unique(rows[split]).size / len(rows[split])
            says = f"{value:.1%} of the {split} rows repeat a row id of the same split."
            repeated.append(Measure("repeated_row_ids", value, len(rows[split]), says, f"row ids of {split}"))
    yield from largest(found)
    yield from largest(repeated)


def equal_rows(view: RunView) -> Iterator[Measure]:
    """Rows with equal inputs in two splits, beyond what few distinct values bring about by chance."""
    rows = {split: values for split in SPLITS if (values := _hashes(view, split)) is not None}
    chance: dict[str, float] = {s: _chance(view, s) for s in SPLITS[:2] if s in rows}
    found, within = [], []
    for first, second in _PAIRS:
        if first not in rows or second not in rows:
            continue
        shared = np.isin(rows[second], rows[first])
        value, n = float(shared.mean()), len(shared)
        p = min(1.0, 3 * float(stats.binom.sf(int(shared.sum()) - 1, n, max(chance[first], 1 / (n * 20)))))
        says = (
            f"{int(shared.sum())} of {n} {second} rows ({value:.1%}) have exactly the inputs of a row of {first}; "
            "chance would "
            f"give {chance[first]:.1%}."
        )
        where = f"inputs of {first} and {second}"
        found.append(Measure("equal_rows", max(0.0, value - chance[first]), n, says, where, (), p))
    for split in SPLITS:
        if split in rows and len(rows[split]) > 1:
            value = 1.0 - np.unique(rows[split]).size / len(rows[split])
            by_chance = chance.get(split, chance.get("train", 0.0))
            says = (
                f"{value:.1%} of the {split} rows repeat the inputs of another row of the same split; chance: "
                f"{by_chance:.1%}."
            )
            within.append(
                Measure("repeated_rows", max(0.0, value - by_chance), len(rows[split]), says, f"inputs of {split}")
            )
    yield from largest(found)
    yield from largest(within)


def _hashes(view: RunView, split: str) -> FloatArray | None:
    """The run's row hashes, else positions of distinct feature rows that are comparable between splits."""
    noted = vector(view, f"{split}.row_hash")
    if noted is not None:
        return noted
    rows = features(view, split)
    if rows is None:
        return None
    weights = seeds.generator("checks", "hash").normal(size=rows.shape[1])
    return np.asarray(np.round(rows, 9) @ weights, dtype=np.float64)


def _chance(view: RunView, split: str) -> float:
    """Share of rows that would equal some row of the split if its columns were independent."""
    rows = features(view, split)
    if rows is None or len(rows) < 20:
        return 0.0
    weights = seeds.generator("checks", "chance").normal(size=rows.shape[1])
    mixed = _permuted(rows)
    return float(np.mean(np.isin(np.round(mixed @ weights, 6), np.round(rows @ weights, 6))))


def _permuted(rows: FloatArray) -> FloatArray:
    """The rows with every column shuffled on its own."""
    return seeds.generator("checks", "permuted", len(rows)).permuted(rows, axis=0)


def near_rows(view: RunView) -> Iterator[Measure]:
    """Held-out rows unusually close to a training row: nearer than a fraction of the typical neighbourhood."""
    train = features(view, "train")
    if text(view, "kind") == "text":
        yield from _near_texts(view)
        return
    if train is None or len(train) < 60 or text(view, "kind") == "series":
        return
    spread = train.std(axis=0)
    train, spread = train[:, spread > 1e-9], spread[spread > 1e-9]
    if train.shape[1] < 3:
        return
    scaled = train[sample(len(train), 3000, "near train")] / spread
    typical, chance = _neighbourhood(scaled)
    found = []
    for split in HELD_OUT:
        other = features(view, split)
        if other is None or len(other) < 20 or other.shape[1] != len(_varying(view)) or typical <= 0:
            continue
        other = other[:, _varying(view)][sample(len(other), 600, "near other")] / spread
        near = _nearest(scaled, other) < _NEAR * typical
        value = float(near.mean())
        says = (
            f"{value:.1%} of the {split} rows lie within {_NEAR:g} of the typical neighbour distance of a "
            "training row; chance "
            f"would give {chance:.1%}."
        )
        p = min(1.0, 2 * float(stats.binom.sf(int(near.sum()) - 1, len(near), max(chance, 1 / (20 * len(near))))))
        found.append(
            Measure("near_rows", max(0.0, value - chance), len(near), says, f"inputs of train and {split}", (), p)
        )
    yield from largest(found)


@kept
def _neighbourhood(rows: FloatArray) -> tuple[float, float]:
    """Typical distance to the fifth neighbour, and how often rows of independent columns are near a row by chance."""
    probe = sample(len(rows), 400, "near probe")
    search = NearestNeighbors(n_neighbors=6, algorithm="brute").fit(rows)
    typical = float(np.median(search.kneighbors(rows[probe])[0][:, -1]))
    by_chance = _nearest(rows, _permuted(rows)[probe]) if typical > 0 else np.zeros(1)
    return typical, float(np.mean(by_chance < _NEAR * typical)) if typical > 0 else 1.0


@kept
def _nearest(rows: FloatArray, others: FloatArray) -> FloatArray:
    """Distance of each of the others to the row that is closest."""
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(rows)
    return np.asarray(search.kneighbors(others)[0][:, 0], dtype=np.float64)


def _near_texts(view: RunView) -> Iterator[Measure]:
    """Held-out texts that share nearly all tokens with one training text."""
    train = features(view, "train")
    if train is None or len(train) < 60:
        return
    asked = {
        split: other[sample(len(other), 400, "near other")]
        for split in HELD_OUT
        if (other := features(view, split)) is not None and len(other) >= 20 and other.shape[1] == train.shape[1]
    }
    found = []
    for (split, rows), shared in zip(asked.items(), _shared_tokens(train, tuple(asked.values())), strict=True):
        value = float(np.mean(shared > 0.9))
        says = f"{value:.1%} of the {split} texts share over nine tenths of their tokens with a training text."
        found.append(Measure("near_rows", value, len(rows), says, f"tokens of train and {split}"))
    yield from largest(found)


@kept
def _shared_tokens(train: FloatArray, asked: tuple[FloatArray, ...]) -> tuple[FloatArray, ...]:
    """Cosine of each text that is asked about with the training text that is closest, by the tokens that they hold."""
    tokens = common_tokens(train, 4000)
    known = _unit(presence(train[sample(len(train), 2000, "near train")], tokens))
    return tuple((_unit(presence(rows, tokens)) @ known.T).max(axis=1).toarray().ravel() for rows in asked)


def _unit(rows: FloatArray) -> sparse.csr_matrix:
    norm = np.sqrt(rows.sum(axis=1, keepdims=True))
    return sparse.csr_matrix(rows / np.where(norm > 0, norm, np.inf))


def _varying(view: RunView) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which columns vary on train."""
    train = features(view, "train")
    return np.zeros(0, dtype=bool) if train is None else train.std(axis=0) > 1e-9


def groups(view: RunView) -> Iterator[Measure]:
    """Held-out rows of groups that training has seen."""
    known = vector(view, "train.group")
    found = []
    for split in HELD_OUT:
        other = vector(view, f"{split}.group")
        if known is None or other is None:
            continue
        shared = np.isin(other, known)
        value = float(shared.mean())
        says = (
            f"{value:.1%} of the {split} rows belong to groups of training ({np.unique(other[shared]).size} of "
            f"{np.unique(other).size} groups)."
        )
        found.append(Measure("group_overlap", value, len(other), says, f"groups of train and {split}"))
    yield from largest(found)


def seen_rows(view: RunView) -> Iterator[Measure]:
    """Are held-out rows answered better where training has seen their inputs, or their group?"""
    found = []
    for split in HELD_OUT:
        wrong = _wrongness(view, split)
        if wrong is None:
            continue
        for what in ("row_hash", "row_id", "group"):
            known, other = vector(view, f"train.{what}"), vector(view, f"{split}.{what}")
            if known is None or other is None or len(other) != len(wrong):
                continue
            seen = np.isin(other, known)
            if min(seen.sum(), (~seen).sum()) < 20 or wrong.mean() <= 0:
                continue
            lead = float(wrong[~seen].mean() - wrong[seen].mean())
            p = float(stats.ttest_ind(wrong[~seen], wrong[seen], equal_var=False, alternative="greater").pvalue)
            says = (
                f"The {int(seen.sum())} {split} rows whose {what.replace('_', ' ')} occurs in training have an error "
                f"of {wrong[seen].mean():.3g}, the {int((~seen).sum())} others one of {wrong[~seen].mean():.3g}."
            )
            where = f"answers of {split} on seen and unseen rows"
            found.append(Measure("seen_rows_lead", lead, int(seen.sum()), says, where, (), min(1.0, 6 * p)))
    yield from largest(found)


def _wrongness(view: RunView, split: str) -> FloatArray | None:
    """Per row 1 for a wrong class and 0 for a right one, or the absolute error in standard deviations of the target."""
    if is_regression(view):
        target, answer = columns(view, f"{split}.target"), columns(view, f"{split}.prediction")
        if target is None or answer is None or target.shape != answer.shape:
            return None
        target, answer = finite(target), finite(answer)
        error: FloatArray = np.abs(target - answer).mean(axis=1) / max(float(target.std()), 1e-12)
        return error
    position, told = labels(view, split), labels(view, split, "prediction")
    if position is None or told is None or len(position) != len(told):
        return None
    return np.where(position == told, 0.0, 1.0)


def times(view: RunView) -> Iterator[Measure]:
    """Held-out rows that are not later than training."""
    known = vector(view, "train.time")
    found = []
    for split in HELD_OUT:
        other = vector(view, f"{split}.time")
        if known is None or other is None or not np.isfinite(known).any():
            continue
        last = float(np.nanquantile(np.where(np.isfinite(known), known, np.nan), 0.99))
        value = float(np.mean(other < last))
        says = f"{value:.1%} of the {split} rows are earlier than the last training rows."
        found.append(Measure("time_overlap", value, len(other), says, f"times of train and {split}"))
    yield from largest(found)
