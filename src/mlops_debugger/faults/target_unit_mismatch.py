"""Some training labels are in another unit than the rest.

What changes: training labels are read as they stand in the export, although the backup meter reports mean power in MW
and the main meter energy in MWh a step.

Why it bites: a tenth or more of the labels are a third of what they stand for; they pull every forecast down and blur
what the network learns.

What it leaves behind: labels of the training rows with a second heap far below zero; a training loss far above the
validation loss; forecasts that are too low on average in test and in production.

Not to be confused with: inputs in mixed units, a drifting level, or heavy regularisation.

Source: FAULTS entry 130; Roth 2026.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="label_mismatch",
    clusters=("underfit",),
    site="training_labels",
    sentence="Convert readings of the backup meter to MWh before they become training labels.",
    plants=(
        CodePlant(
            "demand_forecast",
            "training_labels",
            (
                ('    return frame["load"] - table["level"]',),
                ('    return frame["load"].sub(table["level"])',),
            ),
        ),
    ),
    look_alikes=(
        Move("optimizer.weight_decay", lambda config: 0.0),
        Move("training.epochs", lambda config: 30),
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
    ),
)
