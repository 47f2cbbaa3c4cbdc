"""Repair claims of motor insurance, generated from a seed.

What a repair costs is skewed like a log-normal and needs interactions: wear changes sign with the kind of work, makes
differ in what their parts cost, hours and parts add up before the garage's own level multiplies them. Part numbers
have few claims each, garages many. A claim is revised until it is settled: older revisions have poorer estimates and
the same final amount. One network bills in złoty, another exports parts in cents, readings of the odometer have gaps,
hours that were booked are known only afterwards, and requests come from another system than the claims do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlops_debugger.edits import Value
from mlops_debugger.projects import Data, Labels
from mlops_debugger.projects._files import csv_bytes
from mlops_debugger.seeds import generator

NETWORKS = ("independent", "dealer", "east")
WORK = ("windscreen", "brakes", "paint", "gearbox", "bodywork", "electrics", "suspension", "clutch")
MAKES = ("arvel", "bruno", "corsair", "delta", "evian", "falk")
EUR_PER_PLN = 0.23
KM_PER_MILE = 1.609344
PARTS, GARAGES = 1150, 140
_BASE = (-0.5, -0.3, 0.4, 0.9, 0.25, -0.15, 0.0, 0.6)
_WEAR = (0.8, 0.9, -0.9, 0.85, -0.95, 0.85, 1.0, -0.9)
_DAYS = np.array([str(day) for day in np.arange("2022-01-01", "2026-01-01", dtype="datetime64[D]")])
_LAST = 1095


def generate(seed: int, choices: Mapping[str, Value]) -> Data:
    """Draw claims with their revisions, and two samples of later requests."""
    world = _world(generator(seed, "world"))
    count, blank = int(_number(choices, "claims")), _number(choices, "blank_share")
    rows = _draw(generator(seed, "rows"), world, count, (0, _LAST), blank)
    file, labels = _claims(generator(seed, "revisions"), rows, _number(choices, "revised_share"))
    serving, truth = {}, {"rows": labels}
    for name, size, first in (("live", 450, 700_001), ("sealed", 2200, 900_001)):
        part = _draw(generator(seed, name), world, size, (_LAST, _LAST + 240), 0.27)
        serving[name], truth[name] = _requests(generator(seed, name, "requests"), part, first)
    return Data(
        files={"claims.csv": csv_bytes(file)},
        serving={name: {"requests.csv": csv_bytes(columns)} for name, columns in serving.items()},
        labels=truth,
    )


def _number(choices: Mapping[str, Value], name: str) -> float:
    value = choices[name]
    if not isinstance(value, int | float):
        raise TypeError(f"data choice {name}: expected a number, found {value!r}")
    return float(value)


def _world(rng: np.random.Generator) -> dict[str, Any]:
    """What is the same for every claim: parts with their kind of work, garages with their network and level."""
    return {
        "part_no": np.array([f"P{code}" for code in rng.choice(90_000, size=PARTS, replace=False) + 10_000]),
        "part_work": rng.integers(len(WORK), size=PARTS),
        "part_effect": rng.normal(0.0, 0.45, size=PARTS),
        "garage_id": rng.choice(9000, size=GARAGES, replace=False) + 1000,
        "network": rng.choice(3, p=(0.4, 0.3, 0.3), size=GARAGES),
        "garage_effect": rng.normal(0.0, 0.18, size=GARAGES),
        "base": np.array(_BASE) + rng.normal(0.0, 0.05, size=len(WORK)),
        "wear": np.array(_WEAR) * rng.uniform(0.9, 1.1, size=len(WORK)),
        "make_effect": rng.permutation(np.linspace(-0.3, 0.3, len(MAKES))),
    }


def _draw(
    rng: np.random.Generator, world: Mapping[str, Any], count: int, days: tuple[int, int], blank: float
) -> dict[str, Any]:
    """Claims as they are in the end, in EUR, kilometres and hours (shape: count)."""
    part = rng.integers(PARTS, size=count)
    garage = rng.integers(GARAGES, size=count)
    work, make = world["part_work"][part], rng.integers(len(MAKES), size=count)
    age = np.round(rng.gamma(2.6, 2.6, size=count).clip(0, 22)).astype(int)
    km = np.round((age + 0.5) * 14_500 * np.exp(rng.normal(0, 0.45, size=count)) + 2500)
    hours = np.round(np.exp(rng.normal(1.0, 0.75, size=count)).clip(0.3, 30), 1)
    parts = np.round(np.exp(rng.normal(5.3, 0.9, size=count)), 2)
    severity = rng.integers(1, 6, size=count)
    unforeseen = rng.normal(0.0, 0.12, size=count) * np.where(rng.random(count) < 0.1, 3.0, 1.0)
    wear = np.tanh((km - 85_000) / 30_000)
    markup = (
        world["base"][work]
        + world["wear"][work] * wear
        + world["make_effect"][make]
        + 0.11 * (severity - 3)
        + world["part_effect"][part]
        + world["garage_effect"][garage]
        + unforeseen
    )
    cost = np.round((60.0 * hours + parts) * np.exp(markup), 2)
    return {
        "part_no": world["part_no"][part], "garage_id": world["garage_id"][garage], "network": world["network"][garage],
        "work": work, "make": make, "age": age, "km": np.where(rng.random(count) < blank, np.nan, km), "hours": hours,
        "parts": parts, "severity": severity, "unforeseen": unforeseen, "cost": cost,
        "day": rng.integers(days[0], days[1], size=count),
    }  # fmt: skip


def _claims(rng: np.random.Generator, drawn: Mapping[str, Any], revised_share: float) -> tuple[dict[str, Any], Labels]:
    """The export of claims: a row for every revision, amounts as each network has them."""
    count = len(drawn["cost"])
    revisions = 1 + (rng.random(count) < revised_share) * rng.integers(1, 4, size=count)
    owner = np.repeat(np.arange(count), revisions)
    revision = np.concatenate([np.arange(1, last + 1) for last in revisions.tolist()])
    before = revisions[owner] - revision
    n = len(owner)
    order = rng.permutation(n)
    owner, revision, before = owner[order], revision[order], before[order]
    rough = np.where(before > 0, 1.0, 0.0)
    hours = drawn["hours"][owner] * np.exp(rough * rng.normal(-0.1, 0.15, size=n))
    parts = drawn["parts"][owner] * np.exp(rough * rng.normal(-0.1, 0.15, size=n))
    # What was booked in the end follows the estimate, and what nobody foresaw.
    booked = drawn["hours"] * np.exp(0.3 * drawn["unforeseen"] + rng.normal(0.0, 0.05, size=count))
    first = drawn["cost"] * np.exp(rng.normal(-0.36, 0.12, size=count))
    opened = rng.random(count) < 0.04
    network = drawn["network"][owner]
    rate = np.where(network == 2, EUR_PER_PLN, 1.0)
    listed = np.round(parts / rate, 2) * np.where(network == 1, 100.0, 1.0)
    row_id = 1 + rng.permutation(2 * n)[:n]
    claim_id = 200_000 + rng.permutation(4 * count)[:count]
    columns: dict[str, Any] = {
        "row_id": row_id,
        "claim_id": claim_id[owner],
        "revision": revision,
        "reported_on": _DAYS[drawn["day"][owner]],
        "garage_id": drawn["garage_id"][owner],
        "network": _named(NETWORKS, network),
        "currency": _named(("EUR", "EUR", "PLN"), network),
        "make": _named(MAKES, drawn["make"][owner]),
        "work": _named(WORK, drawn["work"][owner]),
        "part_no": drawn["part_no"][owner],
        "mileage_km": drawn["km"][owner],
        "age": drawn["age"][owner],
        "damage_class": drawn["severity"][owner],
        "planned_hours": np.round(hours, 2),
        "parts_price": listed,
        "booked_hours": np.where(opened[owner], np.nan, np.round(booked[owner], 2)),
        "first_quote": np.round(first[owner] / rate, 2),
        "final_total": np.where(opened[owner], np.nan, np.round(drawn["cost"][owner] / rate, 2)),
    }
    return columns, Labels(row_id.astype(np.int64), drawn["cost"][owner])


def _requests(rng: np.random.Generator, drawn: Mapping[str, Any], first_id: int) -> tuple[dict[str, Any], Labels]:
    """Requests of the quoting service: EUR, work as a code, the odometer as it was read, −1 where nobody read it."""
    count = len(drawn["cost"])
    row_id = first_id + rng.permutation(count)
    miles = rng.random(count) < 0.65
    reading = np.round(np.where(miles, drawn["km"] / KM_PER_MILE, drawn["km"]))
    columns: dict[str, Any] = {
        "row_id": row_id,
        "received_on": _DAYS[drawn["day"]],
        "garage_id": drawn["garage_id"],
        "network": _named(NETWORKS, drawn["network"]),
        "make": _named(MAKES, drawn["make"]),
        "work_code": drawn["work"],
        "part_no": drawn["part_no"],
        "odometer": np.nan_to_num(reading, nan=-1.0).astype(int),
        "odometer_unit": _named(("km", "mi"), miles.astype(int)),
        "age": drawn["age"],
        "damage_class": drawn["severity"],
        "planned_hours": drawn["hours"],
        "parts_price": drawn["parts"],
        "booked_hours": np.full(count, np.nan),
    }
    return columns, Labels(row_id.astype(np.int64), drawn["cost"])


def _named(names: tuple[str, ...], positions: np.ndarray[Any, Any]) -> list[str]:
    return np.array(names)[positions].tolist()  # type: ignore[no-any-return]
