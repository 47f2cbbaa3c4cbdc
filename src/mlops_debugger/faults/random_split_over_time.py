"""Rows are split at random although time matters.

What changes: the split takes rows of every week for every part instead of the earliest, later and latest ones.

Why it bites: merchants and cards of the test period are known from training, and production has newer ones.

What it leaves behind: test as good as validation and above production; times that all splits share.

Not to be confused with: drift, leakage by an input, or shared rows.

Source: Kapoor and Narayanan 2023, L3.1; FAULTS section 2.2.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="data.split.strategy",
    sentence="Split by time.",
    plants=(ConfigPlant("data.split.strategy", lambda rng, config: "random", only=("card_fraud",)),),
    look_alikes=(
        Move("data.test_share", lambda config: 0.35),
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("model.dropout", lambda config: 0.4),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
