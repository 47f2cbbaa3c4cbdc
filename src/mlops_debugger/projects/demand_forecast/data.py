"""Electric load of a site in steps of three hours, generated from a seed.

Load follows a daily and weekly profile, reacts to temperature (as forecast) on both sides of a comfortable range and
more strongly while the site is busy, and carries a level that wanders and a disturbance that decays within a day. The
site's clock is some hours away from UTC, in which weather and requests are stamped. Readings are energy in MWh; while
the backup meter runs they are mean power in MW (requests code the meters 1 and 2). Some readings and forecasts are
missing.

What is served later are requests of sister sites built to the same plan: a stretch of readings each, blank from the
forecast's origin on, no two of them overlapping, so that no request tells the answer of another.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops_debugger.edits import Value
from mlops_debugger.errors import CatalogError
from mlops_debugger.projects import Data, FloatArray, Labels
from mlops_debugger.projects._files import csv_bytes, npy_bytes
from mlops_debugger.seeds import generator

HOURS_PER_STEP = 3
STEPS_PER_DAY = 24 // HOURS_PER_STEP
STEPS_PER_WEEK = 7 * STEPS_PER_DAY
HISTORY = STEPS_PER_WEEK + 2  # steps known to a request
MARGIN = 8  # steps of weather around what a request needs, so that any clock can be joined
SERVED = {"live": 700, "sealed": 2600}
_MONDAY = dt.datetime(2022, 1, 3)


@dataclass(frozen=True)
class World:
    """What all sites share. `profile` has shape (2, steps of a day): working days, weekends."""

    profile: FloatArray
    busy: FloatArray
    level: float
    comfort: float
    heating: float
    cooling: float
    daily_swing: float
    decay: float
    disturbance: float
    start: dt.datetime


@dataclass(frozen=True)
class Stretch:
    """Simulated sites, a row each: local step numbers, load in MWh (sites, steps), temperature with margins."""

    step: NDArray[np.int64]
    load: FloatArray
    temperature: FloatArray


def generate(seed: int, choices: Mapping[str, Value]) -> Data:
    """Draw the site's history and two samples of requests from sister sites in the weeks after it."""
    world = _world(generator(seed, "world"))
    steps = int(_number(choices, "steps"))
    rng = generator(seed, "rows")
    history = _simulate(rng, world, np.zeros(1, dtype=np.int64), steps)
    first_id = int(rng.integers(2_000, 9_000))
    files, rows = _history(rng, world, history, first_id, choices)
    serving, labels = {}, {"rows": rows}
    for name, first in (("live", 700_001), ("sealed", 900_001)):
        serving[name], labels[name] = _requests(generator(seed, name), world, steps, first, SERVED[name], choices)
    return Data(files=files, serving=serving, labels=labels)


def _number(choices: Mapping[str, Value], name: str) -> float:
    value = choices[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CatalogError(f"data choice {name}: expected a number, found {value!r}")
    return float(value)


def _world(rng: np.random.Generator) -> World:
    hours = np.arange(STEPS_PER_DAY) * HOURS_PER_STEP
    peak = rng.uniform(9.0, 16.0)
    day = np.cos((hours - peak) * 2 * np.pi / 24)
    evening = np.exp(-(((hours - rng.uniform(18.0, 21.0)) / 2.5) ** 2))
    working = 14.0 * day + rng.uniform(9.0, 13.0) * evening + rng.normal(0.0, 1.5, size=STEPS_PER_DAY)
    weekend = rng.uniform(0.3, 0.5) * working - rng.uniform(6.0, 9.0) + rng.normal(0.0, 1.0, size=STEPS_PER_DAY)
    return World(
        profile=np.stack([working, weekend]),
        busy=1.0 + 0.45 * np.clip(day + rng.normal(0.0, 0.1, size=STEPS_PER_DAY), -1.0, 1.0),
        level=rng.uniform(85.0, 130.0),
        comfort=rng.uniform(15.0, 20.0),
        heating=rng.uniform(1.6, 2.0),
        cooling=rng.uniform(2.0, 2.4),
        daily_swing=rng.uniform(2.0, 3.5),
        decay=rng.uniform(0.78, 0.84),
        disturbance=rng.uniform(3.7, 4.2),
        start=_MONDAY + dt.timedelta(days=int(rng.integers(0, 700))),
    )


def _decaying(rng: np.random.Generator, decay: float, shape: tuple[int, int]) -> FloatArray:
    """First-order autoregression along the last axis, stationary, with standard deviation 1."""
    values = np.ascontiguousarray(rng.normal(size=shape).T)  # a step's values side by side: several times faster
    values[1:] *= np.sqrt(1.0 - decay**2)
    for before, now in itertools.pairwise(values):
        now += decay * before
    return np.ascontiguousarray(values.T)


def _simulate(rng: np.random.Generator, world: World, first: NDArray[np.int64], steps: int) -> Stretch:
    """A row for every first step; temperature has MARGIN more steps on both sides."""
    sites = len(first)
    wide = first[:, None] + np.arange(-MARGIN, steps + MARGIN)
    hours = wide % STEPS_PER_DAY * HOURS_PER_STEP
    swing = world.daily_swing * np.cos((hours - 15.0) * 2 * np.pi / 24)
    temperature = np.round(world.comfort + swing + 6.0 * _decaying(rng, 0.88, wide.shape), 1)
    step, inner = wide[:, MARGIN:-MARGIN], temperature[:, MARGIN:-MARGIN]
    of_day = step % STEPS_PER_DAY
    weekend = (step // STEPS_PER_DAY % 7 >= 5).astype(int)
    cold, warm = np.clip(world.comfort - 1.0 - inner, 0.0, None), np.clip(inner - world.comfort - 1.0, 0.0, None)
    reaction = (world.heating * cold + world.cooling * warm) * world.busy[of_day]
    level = rng.normal(0.0, 1.5, size=(sites, 1)) + np.cumsum(rng.normal(0.0, 0.05, size=(sites, steps)), axis=1)
    noise = world.disturbance * _decaying(rng, world.decay, step.shape) + rng.normal(0.0, 1.6, size=step.shape)
    load = world.level + level + world.profile[weekend, of_day] + reaction + noise
    return Stretch(step, np.round(np.clip(load, 5.0, None), 3), temperature)


def _spells(rng: np.random.Generator, shape: tuple[int, int], share: float, length: float) -> NDArray[np.bool_]:
    """Spells that cover `share` of the steps and last `length` steps on average."""
    enter = share / (1.0 - share) / length
    draws = rng.random(shape).T
    stays, enters = draws > 1.0 / length, np.ascontiguousarray(draws < enter)
    enters[0] = draws[0] < share
    # In place, row by row: a step is in a spell if it enters one, or if the step before was in one and it stays.
    for before, stay, now in zip(enters, stays[1:], enters[1:], strict=False):
        np.copyto(now, stay, where=before)
    return np.ascontiguousarray(enters.T)


def _readings(
    rng: np.random.Generator, load: FloatArray, choices: Mapping[str, Value]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """What the meters report (NaN where nothing came), and where it was the backup meter."""
    backup = _spells(rng, load.shape, _number(choices, "backup_share"), 20.0)
    blank = _spells(rng, load.shape, _number(choices, "blank_share"), 2.5)
    blank[:, 0] = False  # a request begins with a reading
    return np.where(blank, np.nan, np.where(backup, load / HOURS_PER_STEP, load)), backup


def _forecasts(rng: np.random.Generator, temperature: FloatArray) -> FloatArray:
    return np.where(rng.random(temperature.shape) < 0.01, np.nan, temperature)


def _stamps(world: World, steps: NDArray[np.int64], shift_hours: int) -> list[str]:
    """Times of local steps on another clock, as text."""
    origin = np.datetime64(world.start, "m")
    times = origin + (steps * HOURS_PER_STEP + shift_hours).astype("timedelta64[h]")
    return [stamp.replace("T", " ") for stamp in np.datetime_as_string(times, unit="m").tolist()]


def _history(
    rng: np.random.Generator, world: World, drawn: Stretch, first_id: int, choices: Mapping[str, Value]
) -> tuple[dict[str, bytes], Labels]:
    offset = int(_number(choices, "utc_offset_hours"))
    step, count = drawn.step[0], drawn.load.shape[1]
    row_id = first_id + np.arange(count)
    readings, backup = _readings(rng, drawn.load, choices)
    wide = np.arange(step[0] - MARGIN, step[-1] + 1 + MARGIN)
    files = {
        "history.csv": csv_bytes(
            {"row_id": row_id, "time": _stamps(world, step, 0), "load": readings[0], "backup": backup[0].astype(int)}
        ),
        "weather.csv": csv_bytes(
            {"valid_at": _stamps(world, wide, -offset), "temperature": _forecasts(rng, drawn.temperature)[0]}
        ),
    }
    return files, Labels(row_id, drawn.load[0])


def _requests(
    rng: np.random.Generator, world: World, after: int, first_id: int, count: int, choices: Mapping[str, Value]
) -> tuple[dict[str, bytes], Labels]:
    """Requests whose last step is to be forecast; load is blank from the origin on, weather covers the blank steps."""
    horizon, offset = int(_number(choices, "horizon")), int(_number(choices, "utc_offset_hours"))
    steps = HISTORY + horizon
    first = after + rng.integers(0, 8 * STEPS_PER_WEEK, size=count)
    drawn = _simulate(rng, world, first, steps)
    readings, backup = _readings(rng, drawn.load, choices)
    readings[:, -horizon:] = np.nan
    backup[:, -horizon:] = False
    row_id = first_id + rng.permutation(count)
    covered = horizon + 2 * MARGIN
    files = {
        "requests.csv": csv_bytes(
            {
                "row_id": row_id,
                "starts_at": _stamps(world, first, -offset),
                "weather_from": _stamps(world, first + HISTORY - MARGIN, -offset),
            }
        ),
        "load.npy": npy_bytes(readings),
        "meter.npy": npy_bytes(backup.astype(np.int8) + np.int8(1)),
        "temperature.npy": npy_bytes(_forecasts(rng, drawn.temperature[:, -covered:])),
    }
    return files, Labels(row_id.astype(np.int64), drawn.load[:, -1].copy())
