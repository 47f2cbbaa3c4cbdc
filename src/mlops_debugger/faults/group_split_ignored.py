"""Rows of one account stand on both sides of the split.

What changes: the split no longer keeps rows of the same account together.

Why it bites: an account's constant columns identify it, so the model recognises accounts that it has seen and looks
better than it is on new ones.

What it leaves behind: validation and test as good as each other and better than the first weeks in production; shared
accounts between splits.

Not to be confused with: a real improvement (production would rise too), or duplicated rows.

Source: Kapoor and Narayanan 2023, L3.2; FAULTS entry 40.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    site="data.group_column",
    sentence="Split by account again, so that no account is on both sides.",
    plants=(ConfigPlant("data.group_column", lambda rng, config: None),),
    look_alikes=(
        Move("model.dropout", lambda config: 0.3),
        Move("data.test_share", lambda config: 0.3),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
