"""Forecasts keep the scale of the training labels.

What changes: the way back to MWh adds the mean of the labels but does not multiply by their standard deviation.

Why it bites: what the network says about a step shrinks to a few per cent, so every forecast is close to last week's
level, in the report and in production.

What it leaves behind: a good loss and a good error in the log of the epochs, a poor one in the report and in
production; forecasts with a fraction of the targets' spread.

Not to be confused with: a network that has not learned (the log is then poor too), an error that is computed on the
scaled target, or strong weight decay.

Source: FAULTS entry 68; scikit-learn TransformedTargetRegressor guide.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="evaluation_bug",
    clusters=("validation good, report poor",),
    site="decode",
    sentence="Multiply the network's output by the labels' standard deviation on the way back to MWh.",
    plants=(
        CodePlant(
            "demand_forecast",
            "decode",
            (
                (
                    '    above = outputs + scaling.label_mean\n    return above + table["level"].to_numpy()',
                    '    above = outputs\n    return above + table["level"].to_numpy()',
                ),
                (
                    '    base = table["level"].to_numpy()\n    return outputs + scaling.label_mean + base',
                    '    base = table["level"].to_numpy()\n    return outputs + base',
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("training.epochs", lambda config: 30),
        Move("optimizer.weight_decay", lambda config: 0.0),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
    also=("preprocessing_bug",),
)
