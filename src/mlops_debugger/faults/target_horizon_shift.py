"""The network is taught the load of another step.

What changes: training labels are taken one or two steps before or after the row that they belong to.

Why it bites: the inputs describe one step and the label another; evaluation and production ask for the step itself.

What it leaves behind: a training loss that falls, and validation, test and production that are poor from the first
epoch on; forecasts match the targets best when they are moved by a step or two.

Not to be confused with: evaluation rows in another order (production is then fine), weather or requests on another
clock, or over-fitting.

Source: FAULTS entry 129; Kaggle time-series course on lead and lag.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

_STEPS = (-2, -1, 1, 2)

FAULT = Fault(
    category="label_mismatch",
    site="training_labels",
    sentence="Take the training label from the row itself: do not shift it.",
    plants=(
        CodePlant(
            "demand_forecast",
            "training_labels",
            (
                tuple(f'    return energy(frame).shift({steps}) - table["level"]' for steps in _STEPS),
                tuple(f'    return energy(frame).shift({steps}).sub(table["level"])' for steps in _STEPS),
            ),
        ),
    ),
    look_alikes=(
        Move("training.epochs", lambda config: 30),
        Move("model.dropout", lambda config: 0.1),
        Move("features.harmonics", lambda config: 4),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
