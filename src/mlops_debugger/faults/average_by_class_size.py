"""The reported F1 weighs classes by their size.

What changes: the average over classes is weighted or micro, where the mean of the classes was agreed on.

Why it bites: the most frequent class is the easiest; the agreed figure counts every class alike.

What it leaves behind: a reported figure above the mean of the F1 that the confusion matrix gives, and above the epoch lines
of the same checkpoint.

Not to be confused with: leakage (the matrix would be better too), rows left out of the report, or the training split
reported as test.

Source: scikit-learn documentation of f1_score (average); FAULTS entry on micro averages.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="evaluation.average",
    sentence="Report the mean of the F1 of all classes.",
    plants=(
        ConfigPlant(
            "evaluation.average", lambda rng, config: one_of(rng, ("weighted", "micro")), only=("weld_defects",)
        ),
    ),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.25),
    ),
)
