"""The figures that are reported as test come from the training rows.

What changes: the evaluation reads the training split where it should read the test split.

Why it bites: a model is always better on rows that it was fitted to, so the report promises more than production
gives.

What it leaves behind: a test block with as many rows as training and a metric well above validation.

Not to be confused with: rows shared between splits (row ids are then unique per split but contents repeat), or an
easy test period.

Source: Kapoor and Narayanan 2023, L1.1; FAULTS entry 61.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="evaluation.split",
    sentence="Report the test block on the test split.",
    plants=(ConfigPlant("evaluation.split", lambda rng, config: "train", only=("meter_digits",)),),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.2),
    ),
    also=("data_leakage",),
)
