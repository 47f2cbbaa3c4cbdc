"""Which past (or future) targets do the inputs of a forecast repeat? Lags are in positions of `S.time`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mlops_debugger.checks import RunView
from mlops_debugger.checks._common import SPLITS, FloatArray, Measure, feature_names, features, is_regression, vector
from mlops_debugger.checks._kept import kept
from mlops_debugger.checks._reports import parsed

_REACH = 80
_LEAST = 60
_COPY = 0.85  # correlation from which an input counts as a copy, if all other lags leave far more unexplained
_LEAD = 0.3
_NUMBER = re.compile(r"_t?(\d+)$")
_HORIZONS = ("steps_ahead", "horizon", "forecast_horizon")


@dataclass(frozen=True)
class Lagged:
    """Absolute correlations of every input with the target so many positions earlier, shape (lags, inputs)."""

    lags: FloatArray
    values: FloatArray
    names: list[str]
    n: int

    def copies(self) -> dict[str, int]:
        """Input → the one lag whose target it repeats."""
        found = {}
        for j, name in enumerate(self.names):
            order = np.argsort(-self.values[:, j], kind="stable")
            best, next_best = (float(self.values[k, j]) for k in order[:2])
            if best >= _COPY and 1 - best**2 <= _LEAD * (1 - next_best**2):
                found[name] = int(self.lags[order[0]])
        return found


def lagged(view: RunView, split: str) -> Lagged | None:
    """Correlations at every lag within reach, for one-step targets with whole-numbered times."""
    rows, target, time = features(view, split), vector(view, f"{split}.target"), vector(view, f"{split}.time")
    if not is_regression(view) or rows is None or target is None or time is None:
        return None
    sound = np.isfinite(time).all() and np.isfinite(target).all() and np.abs(time).max() < 1e15
    if not sound or not len(rows) == len(target) == len(time) or np.unique(time).size != len(time):
        return None
    lags, values = _by_lag(rows, target, time)
    return Lagged(lags, values, feature_names(view, rows.shape[1]), len(rows))


@kept
def _by_lag(rows: FloatArray, target: FloatArray, time: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The lags, and the correlations of shape (lags, inputs)."""
    order = np.argsort(time)
    rows, target, time = rows[order], target[order], time[order]
    lags, values = np.arange(-_REACH, _REACH + 1), []
    for lag in lags:
        at = np.clip(np.searchsorted(time, time - lag), 0, len(time) - 1)
        there = time[at] == time - lag
        values.append(
            _correlations(rows[there], target[at[there]]) if there.sum() >= _LEAST else np.zeros(rows.shape[1])
        )
    return lags.astype(float), np.array(values)


def _correlations(rows: FloatArray, target: FloatArray) -> FloatArray:
    left, right = rows - rows.mean(axis=0), target - target.mean()
    norm = np.sqrt((left**2).sum(axis=0) * (right**2).sum())
    values: FloatArray = np.abs(np.divide(right @ left, norm, out=np.zeros(rows.shape[1]), where=norm > 0))
    return values


def consistent_lags(view: RunView) -> Iterator[Measure]:
    """Do lagged inputs repeat the target of the same lag in every split, and of the lag that they are named after?"""
    found = {split: part.copies() for split in SPLITS if (part := lagged(view, split)) is not None}
    if not any(found.values()):
        return
    where = f"lagged inputs and targets of {', '.join(found)}"
    moved = {
        name: lags
        for name in found.get("train", {})
        if len(lags := {split: copies[name] for split, copies in found.items() if name in copies}) > 1
        and len(set(lags.values())) > 1
    }
    example = next(iter(moved.items()), None)
    says = f"{len(moved)} inputs repeat the target of another lag in another split"
    says += f" ({example[0]}: {', '.join(f'{s} {lag}' for s, lag in example[1].items())})." if example else "."
    yield Measure("lag_differences", len(moved), len(found), says, where)
    named = [
        (abs(lag - int(match[1])), name, lag, split)
        for split, copies in found.items()
        for name, lag in copies.items()
        if (match := _NUMBER.search(name)) and "lag" in name.lower()
    ]
    if named:
        off, name, lag, split = max(named)
        says = f"{name} repeats the target of {lag} positions earlier on {split}."
        worst = tuple((f"{n} on {s}", float(at)) for _, n, at, s in sorted(named, reverse=True)[:3])
        yield Measure("lag_unlike_name", off, len(named), says, where, worst)


def known_too_early(view: RunView) -> Iterator[Measure]:
    """Do inputs know the row's own target or a later one, or one that a forecast cannot have seen?"""
    found = lagged(view, "train")
    if found is None:
        return
    later = found.values[found.lags <= 0]
    row, column = np.unravel_index(int(np.argmax(later)), later.shape)
    lag = int(found.lags[found.lags <= 0][row])
    where = f"{len(found.names)} inputs and targets of train by lag"
    ahead = "its own row" if lag == 0 else f"{-lag} positions later"
    says = f"{found.names[column]} correlates {later[row, column]:.3f} with the target of {ahead}."
    yield Measure("later_target_match", float(later[row, column]), found.n, says, where)
    horizon, copies = _horizon(view), found.copies()
    if horizon is not None and copies:
        name = min(copies, key=lambda n: copies[n])
        short = max(0.0, horizon - copies[name])
        says = (
            f"{name} repeats the target of {copies[name]} positions earlier; the model card says that forecasts "
            "are made "
            f"{horizon:g} steps ahead."
        )
        yield Measure("lag_below_horizon", short, len(copies), says, f"{where} and model_card.json")


def _horizon(view: RunView) -> float | None:
    """How many steps ahead the model card says that forecasts are made."""
    waiting: list[object] = [parsed(view, "model_card.json")]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, dict):
            for key in _HORIZONS:
                value = item.get(key)
                if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e6:
                    return float(value)
            waiting.extend(item.values())
    return None
