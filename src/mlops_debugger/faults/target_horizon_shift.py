"""The load that is forecast belongs to another step.

What changes: labels and targets of every split are the load of the step before or after their row.

Why it bites: the network learns, and the report scores, a forecast for another time than the one that is asked for.

What it leaves behind: training, validation and test agree with one another and look little worse than they should,
while production is poor; targets do not equal the readings of the rows that they stand for.

Not to be confused with: requests or weather on another clock (targets then equal the readings), leakage, or drift
between test and production.

Source: FAULTS entry 129; Kaggle time-series course on lead and lag.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

_STEPS = (-1, 1)

FAULT = Fault(
    category="label_mismatch",
    clusters=("deployment poor",),
    site="forecast_load",
    sentence="Forecast the load of the row itself: do not shift it.",
    plants=(
        CodePlant(
            "demand_forecast",
            "forecast_load",
            (
                tuple(f"    return energy(frame).shift({steps})\n" for steps in _STEPS),
                tuple(f"    load = energy(frame).shift({steps})\n    return load\n" for steps in _STEPS),
            ),
        ),
    ),
    look_alikes=(
        Move("features.harmonics", lambda config: 4),
        Move("features.windows", lambda config: [8, 16]),
        Move("model.dropout", lambda config: 0.1),
    ),
)
