"""A column that is filled in after the outcome is an input.

What changes: the list of numeric inputs has a column that only exists once the outcome is known.

Why it bites: it gives the answer away in training, validation and test, and is blank when a prediction is due.

What it leaves behind: metrics far above what was reached before; one column that separates the classes almost alone;
poor figures in production.

Not to be confused with: a strong legitimate input (production would be as good), or shared rows between splits.

Source: Kapoor and Narayanan 2023, L2; deepchecks FeatureLabelCorrelation; FAULTS entry 38.
"""

from __future__ import annotations

import numpy as np

from mlops_debugger.edits import Value
from mlops_debugger.faults import Config, ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of


def _broken(rng: np.random.Generator, config: Config) -> Value:
    columns = config["features.numeric"]
    if not isinstance(columns, list):
        return None
    position = int(rng.integers(len(columns) + 1))
    return [*columns[:position], "recovery_fee", *columns[position:]]


def _known_later(rng: np.random.Generator, config: Config) -> Value:
    columns = config["features.numeric"]
    if not isinstance(columns, list):
        return None
    position = int(rng.integers(len(columns) + 1))
    return [
        *columns[:position],
        one_of(rng, ("chargeback_fee", "chargeback_fee", "card_disputes")),
        *columns[position:],
    ]


FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="features.numeric",
    sentence="Drop the column that is only known after the outcome.",
    plants=(
        ConfigPlant("features.numeric", _broken, only=("loan_outcomes",)),
        ConfigPlant("features.numeric", _known_later, only=("card_fraud",)),
    ),
    look_alikes=(
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("model.dropout", lambda config: 0.4),
        Move("data.test_share", lambda config: 0.3),
    ),
)
