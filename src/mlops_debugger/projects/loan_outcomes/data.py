"""Monthly snapshots of loan accounts, generated from a seed.

Accounts differ in something that no column holds but that their constant columns identify, so rows of one account must
stay on one side of a split. Outcomes need interactions that a linear model cannot learn. One branch reports balances in
thousands, unknown incomes are coded −999, disputed outcomes stay open (more often the bad ones), and some columns are
known only after the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlops_debugger.edits import Value
from mlops_debugger.projects import Data, Labels
from mlops_debugger.projects._files import csv_bytes
from mlops_debugger.seeds import derive, generator

OUTCOMES = ("current", "late", "default")
REGIONS = ("coast", "highland", "metro", "plain", "valley")
PRODUCTS = ("auto", "home", "personal", "student")
AFTERWARDS = ("outcome", "outcome_30d", "recovery_fee")
_SHARES = (0.58, 0.9)  # cumulative: current, late, the rest default


def generate(seed: int, choices: Mapping[str, Value]) -> Data:
    """Draw training rows and two serving samples of new accounts in later months."""
    world = _world(generator(seed, "world"))
    accounts = int(_number(choices, "accounts"))
    months = int(_number(choices, "months"))
    rows = _sample(generator(seed, "rows"), world, accounts, 0, months, first_id=1, choices=choices)
    live = _sample(generator(seed, "live"), world, 260, months, months + 4, first_id=700_001, choices=choices)
    sealed = _sample(generator(seed, "sealed"), world, 620, months, months + 6, first_id=900_001, choices=choices)
    return Data(
        files={"snapshots.csv": csv_bytes(rows["columns"])},
        serving={
            name: {"snapshots.csv": csv_bytes(_blind(part["columns"]))}
            for name, part in (("live", live), ("sealed", sealed))
        },
        labels={
            name: Labels(part["row_id"], part["target"])
            for name, part in (("rows", rows), ("live", live), ("sealed", sealed))
        },
        classes=OUTCOMES,
    )


def _number(choices: Mapping[str, Value], name: str) -> float:
    value = choices[name]
    if not isinstance(value, int | float):
        raise TypeError(f"data choice {name}: expected a number, found {value!r}")
    return float(value)


def _blind(columns: Mapping[str, Any]) -> dict[str, Any]:
    """What is known at prediction time: columns that are filled in afterwards stay blank."""
    count = len(columns["row_id"])
    return {name: [None] * count if name in AFTERWARDS else values for name, values in columns.items()}


def _world(rng: np.random.Generator) -> dict[str, Any]:
    """What is the same for every account: effects of employers, regions and products, and the secret cut points."""
    world: dict[str, Any] = {
        "employers": np.array([f"E{code:04d}" for code in rng.choice(9000, size=1100, replace=False) + 1000]),
        "employer_effect": rng.normal(0.0, 0.2, size=1100),
        "region_effect": rng.normal(0.0, 0.3, size=len(REGIONS)),
        "product_sign": rng.permutation([1.0, 1.0, -1.0, -1.0]),
        "seed": derive(int(rng.integers(2**31)), "cuts"),
    }
    reference = _draw(generator(world["seed"]), world, 1500, 0, 12)
    world["cuts"] = np.quantile(reference["z"], _SHARES)
    return world


def _draw(rng: np.random.Generator, world: Mapping[str, Any], accounts: int, first: int, last: int) -> dict[str, Any]:
    """Accounts and their snapshots, with the hidden score z (shape: rows)."""
    counts = rng.integers(4, 11, size=accounts)
    owner = np.repeat(np.arange(accounts), counts)
    n = len(owner)
    age = np.round(rng.normal(43, 12, size=accounts).clip(19, 85))
    income = np.round(np.exp(rng.normal(10.6, 0.5, size=accounts)), -1)
    credit = np.round(rng.normal(640, 70, size=accounts).clip(320, 850))
    region = rng.integers(len(REGIONS), size=accounts)
    product = rng.integers(len(PRODUCTS), size=accounts)
    employer = rng.integers(len(world["employers"]), size=accounts)
    hidden = rng.normal(0.0, 0.25, size=accounts)
    south = rng.random(accounts) < 0.45
    month = rng.integers(first, last, size=n)
    balance = np.round(np.exp(rng.normal(9.0, 0.7, size=n) + 0.004 * month), 2)
    utilisation = np.round(rng.beta(2.0, 2.0, size=n), 4)
    on_book = rng.integers(1, 90, size=n)
    late = rng.poisson(0.9, size=n)
    inquiries = rng.poisson(1.6, size=n)
    burden = np.log(balance / income[owner]) + 1.6
    z = (
        3.4 * (utilisation - 0.5) * 2 * world["product_sign"][product[owner]]
        + 2.2 * np.tanh(1.2 * burden) * np.tanh((on_book - 36) / 18)
        + 0.7 * late
        - 0.016 * (credit[owner] - 640)
        + 0.25 * (inquiries > 2) * (age[owner] < 40)
        + world["region_effect"][region[owner]]
        + world["employer_effect"][employer[owner]]
        + hidden[owner]
        + rng.normal(0.0, 0.1, size=n)
    )
    return {
        "z": z, "owner": owner, "month": month, "age": age, "income": income, "credit": credit, "region": region,
        "product": product, "employer": employer, "south": south, "balance": balance, "utilisation": utilisation,
        "on_book": on_book, "late": late, "inquiries": inquiries,
    }  # fmt: skip


def _sample(
    rng: np.random.Generator,
    world: Mapping[str, Any],
    accounts: int,
    first: int,
    last: int,
    *,
    first_id: int,
    choices: Mapping[str, Value],
) -> dict[str, Any]:
    drawn = _draw(rng, world, accounts, first, last)
    owner = drawn["owner"]
    n = len(owner)
    target = np.searchsorted(world["cuts"], drawn["z"])
    row_id = first_id + rng.permutation(n)
    account_id = 1000 + rng.permutation(8 * accounts)[:accounts] + first_id
    open_share = _number(choices, "open_share")
    is_open = rng.random(n) < open_share * np.array([0.5, 1.4, 2.4])[target]
    # What was known after 30 days: bad outcomes often still look like better ones.
    early = np.where(rng.random(n) < np.array([0.04, 0.5, 0.75])[target], np.maximum(target - 1, 0), target)
    income = np.where(rng.random(accounts) < 0.1, -999.0, drawn["income"])[owner]
    credit = np.where(rng.random(accounts) < 0.06, -999.0, drawn["credit"])[owner]
    fee = np.where(target == 0, 0.0, np.round(np.exp(rng.normal(3.4 + 0.9 * target, 0.5, size=n)), 2))
    late: list[object] = [
        None if blank else int(value) for blank, value in zip(rng.random(n) < 0.05, drawn["late"], strict=True)
    ]
    south = drawn["south"][owner]
    columns: dict[str, Any] = {
        "row_id": row_id,
        "account_id": account_id[owner],
        "month": [f"{2023 + (m // 12)}-{m % 12 + 1:02d}-01" for m in drawn["month"].tolist()],
        "branch": ["south" if flag else "north" for flag in south],
        "region": [REGIONS[i] for i in drawn["region"][owner]],
        "product": [PRODUCTS[i] for i in drawn["product"][owner]],
        "employer": world["employers"][drawn["employer"][owner]],
        "age": drawn["age"][owner],
        "income": income,
        "credit_score": credit,
        "balance": np.where(south, drawn["balance"] / 1000.0, drawn["balance"]),
        "utilisation": drawn["utilisation"],
        "months_on_book": drawn["on_book"],
        "late_payments": late,
        "inquiries": drawn["inquiries"],
        "recovery_fee": fee,
        "outcome_30d": [OUTCOMES[i] for i in early],
        "outcome": [None if blank else OUTCOMES[i] for blank, i in zip(is_open, target, strict=True)],
    }
    return {"columns": columns, "row_id": row_id.astype(np.int64), "target": target.astype(float)}
