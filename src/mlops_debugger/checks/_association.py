"""How inputs and answers go together: associations of single inputs, and independent models."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import RidgeClassifier

from mlops_debugger.checks import RunView
from mlops_debugger.checks._common import (
    SPLITS,
    FloatArray,
    IntArray,
    columns,
    feature_kinds,
    feature_names,
    features,
    finite,
    is_regression,
    labels,
    sample,
    text,
)
from mlops_debugger.checks._kept import kept

MAX_TOKENS = 150
MAX_HORIZONS = 4
_ROWS = 500  # rows a split that a model is asked to tell apart
_ENOUGH = 8  # rows below which an association means nothing


@dataclass(frozen=True)
class Associations:
    """Rank correlations between inputs and targets of a split, shape (inputs, targets), over n rows."""

    values: FloatArray
    names: tuple[str, ...]
    n: int


@functools.lru_cache(maxsize=2)
def inputs(view: RunView) -> tuple[dict[str, FloatArray], list[str]]:
    """Input columns by split, and their names: features, or for texts the presence of the commonest tokens."""
    found = {split: rows for split in SPLITS if (rows := features(view, split)) is not None}
    if not found:
        return {}, []
    width = next(iter(found.values())).shape[1]
    found = {split: rows for split, rows in found.items() if rows.shape[1] == width}
    if text(view, "kind") != "text":
        kept = comparable(view, found)
        names = feature_names(view, width)
        return {split: rows[:, kept] for split, rows in found.items()}, [names[int(j)] for j in kept]
    tokens = common_tokens(found.get("train", next(iter(found.values()))))
    return {split: presence(rows, tokens) for split, rows in found.items()}, [f"token {int(t)}" for t in tokens]


def _all_inputs(view: RunView) -> tuple[dict[str, FloatArray], list[str]]:
    """As `inputs`, encoded categories included."""
    if text(view, "kind") == "text":
        return inputs(view)
    found = {split: rows for split in SPLITS if (rows := features(view, split)) is not None}
    if not found:
        return {}, []
    width = next(iter(found.values())).shape[1]
    return {split: rows for split, rows in found.items() if rows.shape[1] == width}, feature_names(view, width)


def comparable(view: RunView, rows: dict[str, FloatArray]) -> IntArray:
    """Columns that may be compared value by value.

    A category that is encoded as a fraction (a target mean, say) is fitted across folds in training and on all training
    rows for others: its fine values differ in sound pipelines too.
    """
    kinds = feature_kinds(view, next(iter(rows.values())).shape[1])
    whole = [all(np.array_equal(part[:, j], np.round(part[:, j])) for part in rows.values()) for j in range(len(kinds))]
    return np.array([j for j, kind in enumerate(kinds) if kind != "category" or whole[j]], dtype=np.int64)


def common_tokens(rows: FloatArray, limit: int = MAX_TOKENS) -> FloatArray:
    """The commonest token ids, the padding (the id that stands at most ends) apart."""
    values, counts = np.unique(rows, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    values = values[order]
    return np.asarray(values[values != padding(rows)][:limit], dtype=np.float64)


def padding(rows: FloatArray) -> float:
    """The id at most outer positions of the rows."""
    values, counts = np.unique(np.concatenate([rows[:, 0], rows[:, -1]]), return_counts=True)
    return float(values[np.argmax(counts)])


def presence(rows: FloatArray, tokens: FloatArray) -> FloatArray:
    """Does the row hold the token? Shape (n, tokens)."""
    result = np.zeros((len(rows), len(tokens)))
    if len(tokens):
        order = np.argsort(tokens)
        places = np.clip(np.searchsorted(tokens[order], rows), 0, len(tokens) - 1)
        hit = tokens[order][places] == rows
        at_row, at_column = np.nonzero(hit)
        result[at_row, order[places[at_row, at_column]]] = 1.0
    return result


def targets(view: RunView, split: str) -> tuple[FloatArray, IntArray] | None:
    """Target columns of a split, and which rows have them: an indicator a class, or the horizons' values."""
    if is_regression(view):
        values = columns(view, f"{split}.target")
        if values is None:
            return None
        chosen = np.unique(np.linspace(0, values.shape[1] - 1, min(MAX_HORIZONS, values.shape[1])).astype(int))
        known = np.isfinite(values).all(axis=1)
        if not known.any():
            return None
        return finite(values[np.ix_(known, chosen)]), np.flatnonzero(known)
    position = labels(view, split)
    if position is None or not (position >= 0).any():
        return None
    known = position >= 0
    return (position[known, None] == np.arange(position.max() + 1)).astype(float), np.flatnonzero(known)


@functools.lru_cache(maxsize=2)
def associations(view: RunView) -> dict[str, Associations]:
    """Associations by split, inputs and targets in the same order everywhere."""
    rows_by_split, names = _all_inputs(view)
    found: dict[str, Associations] = {}
    for split, rows in rows_by_split.items():
        answer = targets(view, split)
        if answer is None or answer[1][-1] >= len(rows) or len(answer[1]) < _ENOUGH:
            continue
        values = rank_correlations(rows[answer[1]], answer[0])
        found[split] = Associations(values, tuple(names), len(answer[1]))
    return found


@kept
def rank_correlations(rows: FloatArray, answer: FloatArray) -> FloatArray:
    """Spearman correlations of every column of `rows` with every column of `answer`; constants have 0."""
    left, right = (_standard(stats.rankdata(part, axis=0)) for part in (rows, answer))
    return np.asarray(np.clip(left.T @ right / len(rows), -1.0, 1.0), dtype=np.float64)


def _standard(values: FloatArray) -> FloatArray:
    centred = values - values.mean(axis=0)
    spread = centred.std(axis=0)
    return np.asarray(centred / np.where(spread > 0, spread, np.inf), dtype=np.float64)


def fisher(first: Associations, second: Associations) -> tuple[FloatArray, FloatArray]:
    """Differences of the Fisher-transformed associations, and their two-sided p-values, Bonferroni-corrected."""
    width = min(first.values.shape[1], second.values.shape[1])
    bend = [np.arctanh(np.clip(part.values[:, :width], -0.999, 0.999)) for part in (first, second)]
    difference = bend[0] - bend[1]
    error = np.sqrt(1.06 / max(first.n - 3, 1) + 1.06 / max(second.n - 3, 1))
    p = np.minimum(1.0, 2 * stats.norm.sf(np.abs(difference) / error) * max(difference.size, 1))
    return difference, p


def classifier(kind: str) -> ExtraTreesClassifier | RidgeClassifier:
    """A model of another family than the run's, cheap and always the same."""
    if kind == "text":
        return RidgeClassifier(alpha=10.0)
    return ExtraTreesClassifier(40, min_samples_leaf=3, random_state=0)


@kept
def adversarial_auc(first: FloatArray, second: FloatArray, kind: str) -> tuple[float, int, float]:
    """Can a model tell the rows of two splits apart? Cross-validated AUC, n, and its one-sided p-value."""
    parts = [rows[sample(len(rows), _ROWS, "adversarial")] for rows in (first, second)]
    rows = np.vstack(parts).astype(np.float32 if kind != "text" else np.float64)
    side = np.repeat([0, 1], [len(part) for part in parts])
    fold = np.concatenate([np.arange(len(part)) % 2 for part in parts])
    score = np.zeros(len(rows))
    for held in (0, 1):
        model = classifier(kind).fit(rows[fold != held], side[fold != held])
        part = rows[fold == held]
        score[fold == held] = model.decision_function(part) if kind == "text" else model.predict_proba(part)[:, 1]
    values = [auc(score[fold == held], side[fold == held] == 1) for held in (0, 1)]
    value = float(np.mean(values))
    counts = [len(part) for part in parts]
    error = np.sqrt((sum(counts) + 1) / (12 * counts[0] * counts[1])) * np.sqrt(2)
    return value, len(rows), float(stats.norm.sf((value - 0.5) / error))


def auc(score: FloatArray, positive: Sequence[bool] | np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    """Area under the ROC curve, by ranks; one half where a side is empty."""
    chosen = np.asarray(positive, dtype=bool)
    hits, misses = int(chosen.sum()), int((~chosen).sum())
    if not hits or not misses:
        return 0.5
    ranks = stats.rankdata(score)
    return float((ranks[chosen].sum() - hits * (hits + 1) / 2) / (hits * misses))
