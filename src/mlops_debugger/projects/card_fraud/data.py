"""Card transactions, generated from a seed.

About a tenth is fraud. Whether one is depends on interactions: amount against the card's usual one by channel, quick
series by kind of shop, distance, the local hour. A card is blocked after most frauds, so what follows tells what was.
Merchants differ in risk and have few rows each; new ones keep opening. The warehouse is on the bank's clock and has
amounts in major units, the gateway is on UTC and has minor units. Frauds are reported with a delay, so the last rows
before the export are still open, and some columns are filled in only afterwards.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_debugger.edits import Value
from mlops_debugger.projects import Data, FloatArray, IntArray, Labels
from mlops_debugger.seeds import derive, generator

CLASSES = ("legitimate", "fraud")
CHANNELS = ("chip", "contactless", "online", "phone")
SHOPS = ("electronics", "fuel", "giftcards", "groceries", "jewellery", "travel")
CURRENCIES = ("EUR", "JPY", "USD")
EURO = np.array([1.0, 0.0062, 0.9])
MINOR = np.array([100.0, 1.0, 100.0])
AFTERWARDS = ("chargeback_fee", "card_disputes")
START = 1_700_000_000 // 86_400 * 86_400
STEPS = 11
DEPTH = 5
OPEN_SHARE = 0.7
_FRAUDS = 0.092
_SERIES = np.array([1.8, 0.2, 1.8, 0.2, 1.8, 0.2])
_AMOUNTS = np.array([0.5, 0.5, 1.7, 1.7])


def generate(seed: int, choices: Mapping[str, Value]) -> Data:
    """Draw the warehouse's table and two samples of gateway requests in later weeks."""
    world = _world(generator(seed, "world"))
    days, window = int(_number(choices, "days")), int(_number(choices, "report_window"))
    offset = int(_number(choices, "utc_offset"))
    cards = int(_number(choices, "cards"))
    rows = _stream(generator(seed, "rows"), world, cards, (0, days), (0, days - 6), first_id=1)
    parts = {
        name: _stream(
            generator(seed, name), world, count, (days, days + length), (days - 30, days + length), first_id=first
        )
        for name, count, length, first in (("live", 110, 24, 600_001), ("sealed", 1500, 40, 800_001))
    }
    return Data(
        files={"transactions.npz": _npz(_warehouse(generator(seed, "warehouse"), rows, days, window))},
        serving={name: {"requests.npz": _npz(_gateway(part, offset))} for name, part in parts.items()},
        labels={
            name: Labels(part["row_id"], part["fraud"].astype(float)) for name, part in {"rows": rows, **parts}.items()
        },
        classes=CLASSES,
    )


def _number(choices: Mapping[str, Value], name: str) -> float:
    value = choices[name]
    if not isinstance(value, int | float):
        raise TypeError(f"data choice {name}: expected a number, found {value!r}")
    return float(value)


def _npz(columns: Mapping[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.asarray(values) for name, values in columns.items()})  # type: ignore[arg-type]
    return buffer.getvalue()


def _world(rng: np.random.Generator) -> dict[str, Any]:
    """What is the same for every card: merchants, and the score from which on a transaction is a fraud."""
    world: dict[str, Any] = {
        "code": rng.permutation(9000)[:600] + 1000,
        "shop": rng.integers(len(SHOPS), size=600),
        "risk": rng.normal(0.0, 0.75, size=600),
        "currency": rng.choice(3, p=(0.4, 0.34, 0.26), size=600),
        "cut": np.inf,
    }
    reference = _stream(generator(derive(int(rng.integers(2**31)), "cut")), world, 900, (0, 90), (0, 90), first_id=1)
    world["cut"] = float(np.quantile(reference["z"], 1.0 - _FRAUDS))
    return world


def _stream(
    rng: np.random.Generator,
    world: Mapping[str, Any],
    cards: int,
    period: tuple[int, int],
    starts: tuple[int, int],
    *,
    first_id: int,
) -> dict[str, Any]:
    """Transactions of `cards` cards within `period` (days), each with what its card did before."""
    shape = (cards, STEPS)
    usual = rng.normal(3.5, 0.6, size=cards)
    channel = rng.choice(4, p=(0.3, 0.28, 0.32, 0.1), size=shape)
    deviation = rng.normal(0.0, 0.75, size=shape)
    distance = np.round(0.1 + np.exp(rng.normal(2.6, 1.5, size=shape)), 1)
    hour = np.where(rng.random(shape) < 0.24, rng.integers(0, 6, size=shape), rng.integers(6, 24, size=shape))
    quick = np.exp(rng.uniform(np.log(0.05), np.log(3.0), size=shape)) / 24
    gap = np.where(rng.random(shape) < 0.36, quick, rng.gamma(1.6, 4.0, size=shape))
    blocked, pause = rng.random(shape) < 0.8, rng.uniform(14, 40, size=shape)
    noise = rng.normal(0.0, 0.15, size=shape)
    draw = rng.random(shape)
    age = rng.integers(5, 1400, size=cards)

    when, z = np.zeros(shape), np.zeros(shape)
    merchant = np.zeros(shape, dtype=np.int64)
    amount = np.zeros(shape)
    now = rng.uniform(*starts, size=cards)
    for step in range(STEPS):
        if step:
            fraud = z[:, step - 1] > world["cut"]
            now = now + np.where(fraud & blocked[:, step - 1], pause[:, step], gap[:, step])
        # A quick series stays within its hour; otherwise the hour of the day is drawn anew.
        fresh = gap[:, step] > 0.2 if step else np.ones(cards, dtype=bool)
        fixed = np.floor(now) + (hour[:, step] + draw[:, step]) / 24
        now = np.where(fresh, fixed + (fixed <= when[:, step - 1]) * (step > 0), now)
        when[:, step] = now
        merchant[:, step] = (draw[:, step] * 7919.0 % 1.0 * (95 + 0.32 * np.clip(now, 0, 500))).astype(np.int64)
        amount[:, step] = usual + deviation[:, step]
        z[:, step] = _score(world, step, when, amount, channel, distance, merchant, age) + noise[:, step]
    ages, amounts = _before(when, amount)
    kept = (when >= period[0]) & (when < period[1])
    shop_currency = world["currency"][merchant]
    n = int(kept.sum())
    owner = np.broadcast_to(np.arange(cards)[:, None], shape)
    card_id = first_id + rng.permutation(9 * cards)[:cards]
    price = np.round(np.exp(amount) / EURO[shop_currency], 2)
    price = np.where(shop_currency == 1, np.round(price), price)
    unknown = (channel == 2) | (rng.random(shape) < 0.06)
    columns = {
        "card": card_id[owner], "day": when, "merchant": merchant, "channel": channel, "currency": shop_currency,
        "price": price, "distance": np.where(unknown, np.nan, distance), "card_age": age[owner] + np.floor(when),
        "z": z,
    }  # fmt: skip
    found: dict[str, Any] = {name: values[kept] for name, values in columns.items()}
    return found | {
        "row_id": (first_id + rng.permutation(n)).astype(np.int64),
        "ages": ages[kept],
        "amounts": amounts[kept],
        "fraud": found["z"] > world["cut"],
        "world": world,
    }


def _score(
    world: Mapping[str, Any],
    step: int,
    when: FloatArray,
    amount: FloatArray,
    channel: IntArray,
    distance: FloatArray,
    merchant: IntArray,
    age: IntArray,
) -> FloatArray:
    """How suspicious the transactions of this step are; needs interactions that a linear model does not have."""
    kind, shop = channel[:, step], world["shop"][merchant[:, step]]
    before = slice(max(step - DEPTH, 0), step)
    usual = amount[:, before].mean(axis=1) if step else np.full(len(age), 3.5)
    since = np.minimum(when[:, step] - when[:, step - 1], 5.0) * 24 if step else np.full(len(age), 200.0)
    hour = when[:, step] % 1.0 * 24
    night = 1.0 / (1.0 + np.exp((hour - 5.5) * 3.0))
    quick = 1.0 / (1.0 + np.exp((since - 4.0) * 1.5))
    far = np.tanh((np.log(distance[:, step]) - 3.6) * 1.2)
    score: FloatArray = (
        _AMOUNTS[kind] * 1.5 * np.tanh(1.1 * (amount[:, step] - usual))
        + 1.5 * _SERIES[shop] * quick
        + 1.1 * far * (kind == 0)
        + 1.0 * night * np.where(kind >= 2, 2.2, 0.7)
        - 0.4 * np.tanh((age - 400) / 300)
        + world["risk"][merchant[:, step]]
    )
    return score


def _before(when: FloatArray, amount: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Seconds since, and logarithm of the amount of, the card's last few transactions; NaN where there are fewer."""
    ages = np.full((*when.shape, DEPTH), np.nan)
    amounts = np.full((*when.shape, DEPTH), np.nan)
    for back in range(1, DEPTH + 1):
        ages[:, back:, back - 1] = (when[:, back:] - when[:, :-back]) * 86_400
        amounts[:, back:, back - 1] = amount[:, :-back]
    return np.asarray(np.round(ages), dtype=np.float64), amounts


def _common(rows: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    world = rows["world"]
    return {
        "row_id": rows["row_id"],
        "card": rows["card"],
        "merchant": np.array([f"M{code}" for code in world["code"]])[rows["merchant"]],
        "shop": np.array(SHOPS)[world["shop"][rows["merchant"]]],
        "channel": np.array(CHANNELS)[rows["channel"]],
        "currency": np.array(CURRENCIES)[rows["currency"]],
        "distance": rows["distance"],
        "card_age": rows["card_age"],
    }


def _warehouse(rng: np.random.Generator, rows: Mapping[str, Any], days: int, window: int) -> dict[str, NDArray[Any]]:
    """The table to train on: bank's clock, major units, and what is known of reports on the day of the export."""
    fraud = rows["fraud"]
    n = len(fraud)
    # Frauds with the card present are noticed at once; those online or by phone turn up on the statement.
    soon = np.ceil(rng.gamma(1.5, 0.06 * window, size=n))
    later = np.ceil(window * rng.uniform(0.36, 1.0, size=n))
    delay = np.where(fraud, np.minimum(np.where(rows["channel"] >= 2, later, soon), window), np.nan)
    other = ~fraud & (rng.random(n) < 0.06)
    delay = np.where(other, window + rng.integers(5, 60, size=n), delay)
    exported = days + round(window * (1 - OPEN_SHARE))
    reported = np.where(delay <= exported - rows["day"], delay, np.nan)
    card, place = np.unique(rows["card"], return_inverse=True)
    disputes = np.bincount(place, weights=np.isfinite(reported) & fraud, minlength=len(card))[place]
    order = rng.permutation(n)
    columns = _common(rows) | {
        "when": (START + np.round(rows["day"] * 86_400)).astype(np.int64),
        "amount": rows["price"],
        "reported_after": reported,
        "status": np.where(np.isfinite(reported) & fraud, "fraud", "legitimate"),
        "chargeback_fee": np.where(np.isfinite(reported), np.round(rng.uniform(15, 40, size=n), 2), 0.0),
        "card_disputes": disputes,
        "exported": np.array([START + exported * 86_400]),
    }
    return {name: values if name == "exported" else values[order] for name, values in columns.items()}


def _gateway(rows: Mapping[str, Any], offset: int) -> dict[str, NDArray[Any]]:
    """Requests: UTC, minor units, the card's last transactions, and blanks where something is not known yet."""
    blank = np.full(len(rows["fraud"]), np.nan)
    return _common(rows) | {
        "when": (START + np.round(rows["day"] * 86_400)).astype(np.int64) - offset * 3600,
        "amount": np.round(rows["price"] * MINOR[rows["currency"]]),
        "recent_age": rows["ages"],
        "recent_euros": np.round(np.exp(rows["amounts"]), 2),
        **dict.fromkeys(AFTERWARDS, blank),
    }
