"""The error is computed before the scale of the target is undone.

What changes: targets and forecasts that are scored stay in units of the training labels' standard deviation.

Why it bites: an error of 0.3 standard deviations is reported as 0.3 MWh; the number looks excellent and says nothing
about what production will show.

What it leaves behind: a reported error below anything that the target's spread allows, targets in the report with mean
near 0 and spread near 1, and a far larger error in production; the error in the log of the epochs is in MWh.

Not to be confused with: leakage (targets in the report then keep their unit), or forecasts that are handed out without
their scale.

Source: FAULTS entry 67; scikit-learn TransformedTargetRegressor guide.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

_PAIR = '    above = frame["target"] - table["level"]\n    return scale_labels(above, scaling), outputs'

FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="scored_pairs",
    sentence="Score targets and forecasts in the target's unit: undo level and scale first.",
    plants=(CodePlant("demand_forecast", "scored_pairs", ((_PAIR,), (_PAIR,))),),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("training.loss", lambda config: "mse" if config["training.loss"] == "huber" else "huber"),
        Move("evaluation.batch_size", lambda config: 64),
    ),
)
