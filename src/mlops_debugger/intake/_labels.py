"""Labels and answers of tables as numbers: class positions, or values of a regression."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
MAX_CLASSES = 100


def word(value: object) -> str:
    """A label as text, 1.0 like 1; "" where it is missing."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value) if str(value) not in ("nan", "NaT", "<NA>", "None") else ""


def numeric(column: Any) -> FloatArray | None:
    """The column as float64, or None where it holds words or truth values."""
    if column is None or column.dtype.kind not in "iuf":
        return None
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))


def is_regression(targets: Iterable[Any], predictions: Iterable[Any], scored: bool) -> bool:
    """Are the labels values and not classes? Words, probabilities, and few whole numbers say classes."""
    if scored:
        return False
    columns = [numeric(column) for column in targets if column is not None]
    if not columns or any(column is None for column in columns):
        return False
    values = np.concatenate([column[np.isfinite(column)] for column in columns if column is not None])
    if not values.size:
        return False
    if np.any(values != np.round(values)) or np.unique(values).size > MAX_CLASSES:
        return True
    told = [numeric(column) for column in predictions if column is not None]
    answers = (
        np.concatenate([c[np.isfinite(c)] for c in told if c is not None])
        if any(c is not None for c in told)
        else values
    )
    fractions = bool(np.any(answers != np.round(answers)))
    return fractions and not (set(np.unique(values)) <= {0.0, 1.0} and answers.min() >= 0 and answers.max() <= 1)


def class_names(columns: Iterable[Any], scores: Iterable[str]) -> list[str]:
    """All labels, numbers by size, words by the alphabet; the names of the probabilities too where they are labels."""
    seen = {word(value) for column in columns if column is not None for value in column.unique()} - {""}
    named = set(scores)
    if seen <= named:
        seen = named
    return sorted(seen, key=_order)


def _order(name: str) -> tuple[int, float, str]:
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name


def positions(column: Any, classes: list[str]) -> FloatArray:
    """Position of every label among the classes, NaN where it is missing or none of them."""
    at = {name: float(place) for place, name in enumerate(classes)}
    return np.array([at.get(word(value), np.nan) for value in column], dtype=np.float64)


def score_columns(scores: Mapping[str, str], classes: list[str]) -> list[str] | None:
    """Columns of probabilities in the order of the classes: by their names, else by their numbers from 0."""
    if not scores or len(scores) < 2:
        return None
    if set(scores) == set(classes):
        return [scores[name] for name in classes]
    numbers = [str(place) for place in range(len(classes))]
    return [scores[name] for name in numbers] if set(scores) == set(numbers) else None
