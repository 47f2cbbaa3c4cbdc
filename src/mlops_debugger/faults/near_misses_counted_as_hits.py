"""Answers one star off count as right in the agreed figure.

What changes: the view of the answers that the headline is computed from allows a step between answer and star, as the
lenient one beside it does.

Why it bites: most errors are neighbours, and what was agreed on is the exact class.

What it leaves behind: two figures in the report that are equal, a headline far above what the saved answers, the
confusion matrix and the epoch lines give; a live sample that falls short of it.

Not to be confused with: leakage (the epoch lines would be better too), short reviews left out (fewer rows would be
scored), or the training split reported as test.

Source: practice (accuracy within one star in rating prediction); FAULTS entry 66.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="headline",
    sentence="Compute the agreed figure from exact answers.",
    plants=(
        CodePlant(
            "review_stars",
            "headline",
            (
                (
                    '        "macro_f1": within(predicted, target, 1),',
                    '        "macro_f1": within(predicted, target, 2),',
                ),
                (
                    '        "macro_f1": within(predicted, target, steps=1),',
                    '        "macro_f1": within(predicted, target, steps=2),',
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.3),
    ),
)
