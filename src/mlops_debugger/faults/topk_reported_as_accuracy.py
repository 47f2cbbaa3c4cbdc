"""Answers within the first few count as right.

What changes: the reported accuracy accepts the right class anywhere among the first few answers.

Why it bites: the model card and production count the first answer alone.

What it leaves behind: a reported accuracy above the one that the confusion matrix and the epoch lines give for the same
rows; production falls short of the report while the loss does not.

Not to be confused with: leakage (first answers would be better too), the training split reported as test, or drift.

Source: practice; scikit-learn top_k_accuracy_score; FAULTS entry 66.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="evaluation.top_k",
    sentence="Report the accuracy of the first answer.",
    plants=(ConfigPlant("evaluation.top_k", lambda rng, config: one_of(rng, (2, 3, 5))),),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.25),
    ),
)
