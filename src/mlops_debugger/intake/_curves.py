"""From logged series to curves by epoch, as docs/run-folder.md names them.

Where a run has few epochs and more evaluations, or counts steps alone, an interval between evaluations stands for an
epoch; where it was not evaluated either, up to 20 intervals of equal length do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlops_debugger.intake._names import figure
from mlops_debugger.intake._sources import History, Point

FloatArray = NDArray[np.float64]
_FEW = 5  # epochs below which evaluations count, if there are more of them
_WINDOWS = 20
_PREFIXES = {"train": "train", "validation": "val", "test": "test"}
_UNFIT = re.compile(r"[^A-Za-z0-9_./-]+", re.ASCII)
_MAX_UNKNOWN = 40
_MAX_EPOCH = 1e6
_PREFERRED = ("macro_f1", "f1", "accuracy", "auc", "balanced_accuracy", "mae", "rmse", "r2")


@dataclass(frozen=True)
class Curves:
    """Arrays by dotted name, what is known of the loop, and results: split → metric → last value.

    `by_epoch` says whether an entry is an epoch of the run. `rows` has, for every interval, its number as "epoch", its
    last "step" where steps are known, and every series that was logged in it: those of the arrays under their names
    there (the metric as val_<metric>), others under plain or their own ones.
    """

    arrays: dict[str, FloatArray] = field(default_factory=dict)
    results: dict[str, dict[str, float]] = field(default_factory=dict)
    metric: str = ""
    by_epoch: bool = False
    epochs: float | None = None
    steps_per_epoch: float | None = None
    rows: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True)
class _Clock:
    """Which interval a point belongs to: by its own epoch, else by the epoch that was under way at its step."""

    steps: FloatArray
    turns: FloatArray
    fractional: bool

    def turn(self, point: Point) -> float | None:
        turn = point.epoch
        if turn is None and point.step is not None and self.steps.size:
            turn = float(self.turns[min(int(np.searchsorted(self.steps, point.step)), len(self.turns) - 1)])
        if turn is None or not math.isfinite(turn):
            return None
        return float(max(1, math.ceil(turn - 1e-6))) if self.fractional else turn


def curves(history: History, *, counts_updates: bool, metric: str = "") -> Curves:
    """Curves of every series that is known by name; `metric` is the one that the run was selected by, if known."""
    known: dict[tuple[str, str], dict[str, list[Point]]] = {}
    unknown: dict[str, list[Point]] = {}
    for name, points in history.items():
        told = figure(name)
        if told is not None and points:
            known.setdefault((told.split, told.what), {})[told.axis or name] = list(points)
        elif points:
            unknown[name] = list(points)
    if not known:
        return Curves()
    evaluated = {what for split, what in known if split == "validation" and what != "loss"}
    metric = metric if metric in evaluated else next((m for m in _PREFERRED if m in evaluated), "")
    parts = {
        "train_loss": _of(known, "train", "loss"),
        "val_loss": _of(known, "validation", "loss"),
        "val_metric": _of(known, "validation", metric) if metric else [],
        "lr": _of(known, "train", "lr"),
        "grad_norm": _of(known, "train", "grad_norm"),
        "grad_norm_max": _of(known, "train", "grad_norm_max") or _of(known, "train", "grad_norm"),
    }
    loss = [*parts["train_loss"], *parts["val_loss"], *parts["val_metric"]]
    clock = _clock(loss or parts["lr"])
    place, by_epoch = _places(parts, clock)
    arrays = {f"epoch.{name}": values for name, points in parts.items() if (values := _by(points, place, name)).size}
    if np.array_equal(arrays.get("epoch.grad_norm_max", ()), arrays.get("epoch.grad_norm", ()), equal_nan=True):
        arrays.pop("epoch.grad_norm_max", None)  # one norm an epoch tells nothing of the largest
    steps = _steps(known.get(("train", "loss"), {}))
    if len(steps) > 3 * len(arrays.get("epoch.train_loss", ())):
        arrays["step.loss"] = np.array([point.value for point in steps])
        if steps[0].step is not None and steps[0].step <= 1:
            arrays["initial.loss"] = np.array([steps[0].value])
    epochs = {turn for point in loss if (turn := clock.turn(point)) is not None} if by_epoch else set()
    return Curves(
        arrays=arrays,
        results=_results(known),
        metric=metric,
        by_epoch=by_epoch,
        epochs=float(len(epochs)) if epochs else None,
        steps_per_epoch=_rate(loss, clock) if counts_updates or _rises(loss) else None,
        rows=_rows(_shown(parts, known, unknown, metric), place, by_epoch),
    )


def _shown(
    parts: Mapping[str, list[Point]],
    known: Mapping[tuple[str, str], dict[str, list[Point]]],
    unknown: Mapping[str, list[Point]],
    metric: str,
) -> dict[str, list[Point]]:
    """Every series by the name that a row has for it; of unknown ones the first few."""
    found = {f"val_{metric}" if name == "val_metric" else name: points for name, points in parts.items() if points}
    if found.get("grad_norm_max") == found.get("grad_norm"):
        found.pop("grad_norm_max", None)
    for split, what in known:
        name = f"{_PREFIXES[split]}_{what}"
        if what not in ("lr", "grad_norm", "grad_norm_max"):
            found.setdefault(name, _of(dict(known), split, what))
    for name in list(unknown)[:_MAX_UNKNOWN]:
        found.setdefault(_UNFIT.sub("_", name)[:60].lstrip("0123456789./-") or "series", unknown[name])
    return found


def _rows(
    series: Mapping[str, Sequence[Point]], place: Callable[[Point], float | None], by_epoch: bool
) -> tuple[Mapping[str, float], ...]:
    """What was logged, an interval each; numbered as the run did where intervals are its epochs."""
    gathered: dict[float, dict[str, list[float]]] = {}
    last: dict[float, float] = {}
    for name, points in series.items():
        for point in points:
            at = place(point)
            if at is None or not math.isfinite(at):
                continue
            gathered.setdefault(at, {}).setdefault(name, []).append(point.value)
            if point.step is not None and math.isfinite(point.step):
                last[at] = max(last.get(at, -math.inf), point.step)
    whole = by_epoch and all(at == math.floor(at) and 0 <= at < _MAX_EPOCH for at in gathered)
    rows: list[Mapping[str, float]] = []
    for number, at in enumerate(sorted(gathered), start=1):
        with np.errstate(all="ignore"):
            figures = {name: _summed(values, name) for name, values in gathered[at].items()}
        step = {"step": last[at]} if at in last else {}
        rows.append({"epoch": at if whole else float(number), **step, **figures})
    return tuple(rows)


def _of(known: dict[tuple[str, str], dict[str, list[Point]]], split: str, what: str) -> list[Point]:
    """The series of that figure: the one by epoch where there is one, else the longest."""
    found = known.get((split, what), {})
    return found.get("epoch") or max(found.values(), key=len, default=[])


def _steps(found: dict[str, list[Point]]) -> list[Point]:
    points = max(found.values(), key=len, default=[])
    return sorted(points, key=lambda point: point.step) if all(p.step is not None for p in points) else points  # type: ignore[arg-type,return-value]


def _clock(points: Sequence[Point]) -> _Clock:
    pairs = sorted({(p.step, p.epoch) for p in points if p.step is not None and p.epoch is not None})
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    turns = np.array([p.epoch for p in points if p.epoch is not None], dtype=np.float64)
    turns = turns[np.isfinite(turns)]
    return _Clock(table[:, 0], table[:, 1], bool(np.any(turns != np.round(turns))))


def _places(parts: dict[str, list[Point]], clock: _Clock) -> tuple[Callable[[Point], float | None], bool]:
    """The function that tells a point's interval, and whether intervals are epochs."""
    losses = [*parts["train_loss"], *parts["val_loss"]] or [p for points in parts.values() for p in points]
    epochs = {turn for point in losses if (turn := clock.turn(point)) is not None}
    looks = parts["val_loss"] or parts["val_metric"]
    ends = np.unique([p.step for p in looks if p.step is not None])
    if epochs and (len(epochs) >= _FEW or len(ends) <= len(epochs)) and (len(epochs) > 1 or len(losses) < 4):
        return clock.turn, True
    if len(ends) < 2:
        steps = np.unique([p.step for p in losses if p.step is not None])
        if not steps.size:
            return (lambda point: None), False
        ends = steps if len(steps) <= _WINDOWS else steps[np.linspace(0, len(steps), _WINDOWS + 1).astype(int)[1:] - 1]
    return (
        lambda point: None if point.step is None else float(min(np.searchsorted(ends, point.step), len(ends) - 1))
    ), False


def _by(points: Sequence[Point], place: Callable[[Point], float | None], name: str) -> FloatArray:
    """One value an interval, in order; where no point belongs to one, each counts as one."""
    gathered: dict[float, list[float]] = {}
    for point in points:
        if (at := place(point)) is not None:
            gathered.setdefault(at, []).append(point.value)
    if not gathered:
        gathered = {float(number): [point.value] for number, point in enumerate(points)}
    with np.errstate(all="ignore"):
        return np.array([_summed(gathered[at], name) for at in sorted(gathered)], dtype=np.float64)


def _summed(values: Sequence[float], name: str) -> float:
    if name == "train_loss":
        return float(np.mean(values))
    if name == "grad_norm_max":
        return float(np.max(values))
    # A schedule that ends at zero is small in its last step alone: the median is the rate of the epoch.
    return float(np.median(values)) if name in ("lr", "grad_norm") else float(values[-1])


def _rises(points: Sequence[Point]) -> bool:
    """Do steps grow by more than one an epoch, so that they cannot be the epochs themselves?"""
    pairs = sorted({(p.epoch, p.step) for p in points if p.step is not None and p.epoch is not None})
    return len(pairs) > 1 and pairs[-1][1] - pairs[0][1] > 1.5 * (pairs[-1][0] - pairs[0][0])


def _rate(points: Sequence[Point], clock: _Clock) -> float | None:
    """Steps an epoch, from the last step of every epoch."""
    last: dict[float, float] = {}
    for point in points:
        turn = clock.turn(point)
        if turn is not None and point.step is not None and math.isfinite(point.step):
            last[turn] = max(last.get(turn, -math.inf), point.step)
    ends = [last[turn] for turn in sorted(last)]
    if len(ends) < 2:
        return ends[0] if ends and clock.fractional and ends[0] > 0 else None
    rate = float(np.median(np.diff(ends)))
    return rate if rate >= 1 else None


def _results(known: dict[tuple[str, str], dict[str, list[Point]]]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for (split, what), series in known.items():
        if what not in ("lr", "grad_norm", "grad_norm_max"):
            points = series.get("epoch") or max(series.values(), key=len)
            found.setdefault(split, {})[what] = points[-1].value
    return found
