"""Evaluation counts the edges between classes to the other side.

What changes: the targets of validation and test take a value that equals an edge into the class below; training takes it
into the class above.

Why it bites: every number of stars but the lowest becomes the class below it, so right answers count as errors.

What it leaves behind: validation that is poor from the first epoch on, and whose loss grows while training's falls; a
confusion matrix whose mass stands one place off the diagonal; a good live sample, unless selection, which reads
validation, kept an early epoch.

Not to be confused with: a mask that hides the words (there is no pattern in the confusion then), rows that are scored out
of order, or names of classes in another order at serving.

Source: numpy.digitize, right; Humbatova et al. ICSE 2020; FAULTS entry 117.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="label_mismatch",
    clusters=("evaluation at chance",),
    site="evaluation_targets",
    sentence="Let evaluation put the edges between classes on the side on which training puts them.",
    plants=(
        CodePlant(
            "review_stars",
            "evaluation_targets",
            (
                (
                    '    return np.searchsorted(EDGES, given, side="left")',
                    "    return np.searchsorted(EDGES, given)",
                ),
                ("    return np.digitize(given, EDGES, right=True)",),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("training.ema_decay", lambda config: 0.0),
        Move("model.dropout", lambda config: 0.3),
        Move("training.label_smoothing", lambda config: 0.2),
    ),
    also=("evaluation_bug",),
)
