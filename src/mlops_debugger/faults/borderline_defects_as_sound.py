"""Slight defects are labelled as sound.

What changes: the least grade that counts as a defect is 2, where 1 was agreed on.

Why it bites: training, validation and test agree with each other on a laxer rule; the line is judged by the stricter one
and lets slight defects pass.

What it leaves behind: figures as good as usual or better, since slight defects are hard to see; more sound rows than the
inspector's column and grades imply; production that falls short.

Not to be confused with: drift of the class shares, an older label column, class names in another order, or a threshold on
the answers.

Source: practice (label definitions that differ between teams); deepchecks label drift; FAULTS entry 124.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="label_mismatch",
    clusters=("deployment poor", "a class lost"),
    site="data.label_grade",
    sentence="Count every defect from the grade on that was agreed.",
    plants=(ConfigPlant("data.label_grade", lambda rng, config: 2, only=("weld_defects",)),),
    look_alikes=(
        Move("training.label_smoothing", lambda config: 0.1),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("optimizer.weight_decay", lambda config: 1e-3),
    ),
)
