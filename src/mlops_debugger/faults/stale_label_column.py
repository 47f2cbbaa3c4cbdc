"""The labels come from an older column.

What changes: the label column is an earlier version of the outcome, which later reviews corrected.

Why it bites: training, validation and test agree with each other on the wrong outcome; production is judged by the
right one.

What it leaves behind: figures that look consistent from inside and fall short in production; classes that are rarer
or more frequent than in the agreed column.

Not to be confused with: drift (the gap would grow with time), label noise on single rows, or rows shared between
splits.

Source: practice; cleanlab label issues; FAULTS entry 127.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move

OLDER = {
    "outcome": "outcome_30d",
    "reading": "ocr_label",
    "queue": "first_queue",
    "final_total": "first_quote",
    "tags": "tags_v1",
    "half_stars": "posted_half_stars",
    "inspector_class": "operator_class",
}

FAULT = Fault(
    category="label_mismatch",
    clusters=("deployment poor",),
    site="data.label_column",
    sentence="Train and evaluate on the label column that the model card names.",
    plants=(ConfigPlant("data.label_column", lambda rng, config: OLDER.get(str(config["data.label_column"]))),),
    look_alikes=(
        Move("training.label_smoothing", lambda config: 0.1),
        Move("optimizer.weight_decay", lambda config: 1e-3),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
