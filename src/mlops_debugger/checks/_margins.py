"""How far a metric differs between two splits, and how far it would by chance."""

from __future__ import annotations

import numpy as np

from mlops_debugger import seeds
from mlops_debugger.checks import RunView
from mlops_debugger.checks._common import FloatArray, answers, forecasts, is_regression, text
from mlops_debugger.checks._reports import SCORES, confusion, is_error, scores_of_each

DRAWS = 200
_BLOCKS = 12
Side = tuple[str, float, float]
"""A split, the metric on it and its number of rows."""


def gap_between(name: str, better: float, worse: float) -> float:
    """By how much the first number is better: in the metric's unit, for errors relative to their mean."""
    if is_error(name):
        return 2 * (worse - better) / max(abs(worse) + abs(better), 1e-12)
    return better - worse


def sampling_error(view: RunView, name: str, one: Side, other: Side) -> float | None:
    """Standard error of `gap_between` two splits; None for metrics that have none here.

    Of an accuracy it is the binomial one, of other shares that of tables drawn like the split's confusion table. Errors
    are means over rows. A split that saved no answers (live) is taken to be spread as test is.
    """
    (_, first, n), (_, second, m) = one, other
    if n < 1 or m < 1:
        return None
    if name == "accuracy":
        p = (first * n + second * m) / (n + m)
        return float(np.sqrt(max(p * (1 - p), 1e-6) * (1 / n + 1 / m)))
    spread = _share_spread if name in SCORES else _error_spread if is_error(name) else None
    parts = [spread(view, name, split, rows) for split, _, rows in (one, other)] if spread else [None]
    known = [part for part in parts if part is not None]
    return float(np.sqrt(np.sum(np.square(known)))) if len(known) == len(parts) else None


def _share_spread(view: RunView, name: str, split: str, rows: float) -> float | None:
    """Standard deviation of the metric over tables of `rows` rows, drawn like that of the split."""
    table = confusion_of(view, split)
    if table is None:
        return None
    values = scores_of_each(redrawn(table, rows)).get({"f1": "macro_f1"}.get(name, name))
    return None if values is None else float(np.std(values))


def confusion_of(view: RunView, split: str) -> FloatArray | None:
    """The confusion table of a split, or that of test where it saved no answers."""
    pair = answers(view, split) or answers(view, "test")
    return None if pair is None else confusion(*pair)


def redrawn(table: FloatArray, rows: float) -> FloatArray:
    """Tables of `rows` rows, drawn with the probabilities of this one, shape (draws, classes, classes)."""
    rng = seeds.generator("checks", "tables", len(table))
    drawn = rng.multinomial(int(min(rows, 1e7)), table.ravel() / table.sum(), size=DRAWS)
    return np.asarray(drawn.reshape(DRAWS, *table.shape), dtype=np.float64)


def _error_spread(view: RunView, name: str, split: str, rows: float) -> float | None:
    """Standard deviation of a mean of errors over `rows` rows, relative to it."""
    pair = forecasts(view, split) or forecasts(view, "test") if is_regression(view) else None
    if pair is None or len(pair[0]) < 20:
        return None
    target, told = pair
    if "log" in name.split("_") and min(target.min(), told.min()) > -1:
        target, told = np.log1p(target), np.log1p(told)
    errors = (np.abs(target - told) ** (2 if name.endswith("mse") else 1)).mean(axis=1)
    if not errors.mean() > 0:
        return None
    spread = _block_spread(errors) if text(view, "kind") == "series" else float(errors.std())
    # The root of a mean moves half as much, relatively, as the mean.
    return spread / float(errors.mean() * np.sqrt(rows)) * (0.5 if name.endswith("rmse") else 1.0)


def _block_spread(errors: FloatArray) -> float:
    """Standard deviation of independent rows whose mean would be as uncertain as that of these, which hang together."""
    blocks = np.array_split(errors, min(_BLOCKS, len(errors) // 2))
    means = np.array([block.mean() for block in blocks])
    return max(float(errors.std()), float(means.std(ddof=1) * np.sqrt(len(errors) / len(blocks))))
