"""What the checks share: a measurement, and tolerant access to a run's arrays and notes.

Whatever is missing, empty or of another shape reads as None, so that a check measures what there is and no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mlops_debugger import seeds
from mlops_debugger.checks import RunView

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
T = TypeVar("T")

SPLITS = ("train", "validation", "test")
HELD_OUT = ("validation", "test")
ALPHA = 0.01  # on p-values that are already corrected for the number of comparisons
HUGE = 1e12  # magnitudes beyond it are cut, so that squares stay finite
MAX_CLASSES = 100


@dataclass(frozen=True)
class Measure:
    """One number that a check measured.

    `name` keys its band; `value` is an effect size in the band's unit, computed on `n` things; `says` states it in a
    sentence. `p` is the corrected p-value where there is a test: an effect that chance explains never counts.
    """

    name: str
    value: float
    n: int
    says: str
    compared: str = ""
    worst: tuple[tuple[str, float], ...] = ()
    p: float | None = None

    @property
    def significant(self) -> bool:
        return self.p is None or self.p < ALPHA


def array(view: RunView, name: str) -> FloatArray | None:
    """The array by that name, or None where it is absent or empty."""
    values = view.arrays.get(name)
    if values is None or values.size == 0:
        return None
    return np.atleast_1d(np.asarray(values, dtype=np.float64))


def vector(view: RunView, name: str) -> FloatArray | None:
    """The array by that name if it is one value a row, shape (n,)."""
    values = array(view, name)
    if values is None or values.size != values.shape[0]:
        return None
    return values.reshape(-1)


def columns(view: RunView, name: str) -> FloatArray | None:
    """The array by that name with shape (n, columns)."""
    values = array(view, name)
    if values is None or values.ndim > 2:
        return None
    return values.reshape(values.shape[0], -1)


def features(view: RunView, split: str) -> FloatArray | None:
    """Finite features, shape (n, d): what is not a number becomes 0, magnitudes are cut at HUGE."""
    values = columns(view, f"{split}.features")
    return None if values is None else finite(values)


def finite(values: FloatArray) -> FloatArray:
    """NaN to 0, infinity and everything beyond HUGE to ±HUGE."""
    return np.clip(np.nan_to_num(values, nan=0.0, posinf=HUGE, neginf=-HUGE), -HUGE, HUGE)


def text(view: RunView, key: str) -> str:
    """A note that is a string; empty where it is absent."""
    value = view.meta.get(key)
    return value if isinstance(value, str) else ""


def number(view: RunView, key: str) -> float | None:
    """A note that is a finite number, of a sane size."""
    value = view.meta.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -HUGE <= value <= HUGE:
        return None
    return float(value)


def words(view: RunView, key: str) -> list[str]:
    """A note that is a list, as strings."""
    value = view.meta.get(key)
    return [str(item) for item in value] if isinstance(value, Sequence) and not isinstance(value, str) else []


def mapping(view: RunView, key: str) -> dict[str, object]:
    """A note that is a mapping."""
    value = view.meta.get(key)
    return {str(name): item for name, item in value.items()} if isinstance(value, Mapping) else {}


def feature_names(view: RunView, count: int) -> list[str]:
    """Names of the d features; positions where the run noted none."""
    names = words(view, "feature_names")
    return names if len(names) == count else [f"feature {position}" for position in range(count)]


def feature_kinds(view: RunView, count: int) -> list[str]:
    """Kinds of the d features; by the kind of the run where it noted none."""
    kinds = words(view, "feature_kinds")
    default = {"image": "pixel", "text": "token"}.get(text(view, "kind"), "numeric")
    return kinds if len(kinds) == count else [default] * count


def is_regression(view: RunView) -> bool:
    """As the run noted; where it noted nothing, a target with many or fractional values is one."""
    task = text(view, "task")
    if task:
        return task == "regression"
    target = array(view, "train.target")
    if target is None:
        return False
    known = target[np.isfinite(target)]
    return bool(known.size) and bool(np.any(known != np.round(known)) or np.unique(known).size > MAX_CLASSES)


def positions(values: FloatArray) -> IntArray:
    """Class positions; −1 for whatever is none (not whole, negative, absurdly large)."""
    sound = np.isfinite(values) & (values >= 0) & (values < MAX_CLASSES)
    whole = np.where(sound, values, -1.0)
    return np.where(whole == np.round(whole), whole, -1.0).astype(np.int64)


def labels(view: RunView, split: str, what: str = "target") -> IntArray | None:
    """Class positions of the split's rows (−1 where there is none), or None: not there, or not a classification."""
    values = None if is_regression(view) else vector(view, f"{split}.{what}")
    return None if values is None else positions(values)


def labelled(view: RunView, split: str) -> tuple[FloatArray, IntArray] | None:
    """Features and class positions of the split's rows that have one."""
    rows, target = features(view, split), labels(view, split)
    if rows is None or target is None or len(rows) != len(target):
        return None
    known = target >= 0
    return (rows[known], target[known]) if known.any() else None


def answers(view: RunView, split: str) -> tuple[IntArray, IntArray] | None:
    """Class positions of target and prediction, for the rows that have both."""
    target, prediction = labels(view, split), labels(view, split, "prediction")
    if target is None or prediction is None or len(target) != len(prediction):
        return None
    known = (target >= 0) & (prediction >= 0)
    return (target[known], prediction[known]) if known.any() else None


def forecasts(view: RunView, split: str) -> tuple[FloatArray, FloatArray] | None:
    """Target and prediction of a regression, both (n, horizons) and finite."""
    target, prediction = columns(view, f"{split}.target"), columns(view, f"{split}.prediction")
    if target is None or prediction is None or target.shape != prediction.shape:
        return None
    known = np.isfinite(target).all(axis=1) & np.isfinite(prediction).all(axis=1)
    return (finite(target[known]), finite(prediction[known])) if known.any() else None


def rows_of(view: RunView, split: str) -> int:
    """How many rows the split has, by whatever array tells."""
    for name in ("target", "features", "row_id", "row_hash", "prediction"):
        values = array(view, f"{split}.{name}")
        if values is not None:
            return len(values)
    return 0


def sample(count: int, limit: int, stream: str) -> IntArray:
    """Positions of at most `limit` of `count` rows, in order; the same ones every time."""
    if count <= limit:
        return np.arange(count)
    chosen = seeds.generator("checks", stream, count).choice(count, size=limit, replace=False)
    return np.sort(chosen).astype(np.int64)


def pairs() -> tuple[tuple[str, str], ...]:
    """Each held-out split with the training split."""
    return tuple(("train", split) for split in HELD_OUT)


def ranked(names: Sequence[str], values: FloatArray, count: int = 3) -> tuple[tuple[str, float], ...]:
    """The largest values with their names."""
    order = np.argsort(-values, kind="stable")[:count]
    return tuple((names[int(i)], float(values[int(i)])) for i in order)


def largest(found: Sequence[Measure]) -> list[Measure]:
    """Of measures of one name on several splits, the one to report: significant ones first, then by value."""
    return [max(found, key=lambda m: (m.significant, m.value))] if found else []
