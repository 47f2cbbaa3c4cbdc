"""Rows with an unsure answer are left out of the report.

What changes: the report counts only answers above a confidence, where the agreed figure is over all rows.

Why it bites: unsure answers are the ones that are mostly not right; production has to answer for every picture.

What it leaves behind: fewer rows in the report than in the split; a lowest confidence; figures above the epoch lines and
above production.

Not to be confused with: leakage (epoch lines would be better too), the training split reported as test, or an average
that weighs classes by size.

Source: selective reporting in selective classification; Kapoor and Narayanan 2023 (L3.3); practice.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="evaluation.min_confidence",
    sentence="Report on all rows of the split, whatever the confidence.",
    plants=(
        ConfigPlant(
            "evaluation.min_confidence",
            lambda rng, config: one_of(rng, (0.8, 0.85, 0.9, 0.95)),
            only=("weld_defects",),
        ),
    ),
    look_alikes=(
        Move("evaluation.average", lambda config: "weighted"),
        Move("data.split_seed", lambda config: 4321),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.25),
    ),
)
