"""The reported F1 is averaged over rows instead of classes.

What changes: the averaging of the reported F1 is not the one that was agreed on.

Why it bites: over rows, F1 equals accuracy, which the frequent classes carry; the class that matters most hardly
counts.

What it leaves behind: a reported F1 that equals the accuracy to the last digit and does not follow from the recalls
by class.

Not to be confused with: a better model (per-class recalls would rise), or a leak.

Source: scikit-learn metrics documentation; deepchecks ClassPerformance; FAULTS entry 53.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="evaluation_bug",
    site="evaluation.average",
    sentence="Report the F1 that was agreed on: the macro average.",
    plants=(ConfigPlant("evaluation.average", lambda rng, config: "micro"),),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("evaluation.batch_size", lambda config: 64),
    ),
)
