"""What is forecast is a mean of the last few steps, not the load of the step.

What changes: labels and targets of every split are a running mean that ends at their row.

Why it bites: the mean lags behind the load and cuts its peaks; training and the report agree on it, while production is
held against the load of the step.

What it leaves behind: training, validation and test as good as usual; targets that do not equal the readings of their
rows and vary less than they do; forecasts that are late and flat, and production poor.

Not to be confused with: targets of another step (they then equal the reading of a neighbour), means that are taken in
the report alone (production is then in order), requests on another clock, or drift.

Source: FAULTS entry 129; Kaggle time-series course on lead and lag.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_MEANS = ("rolling(2)", "rolling(3)", "ewm(span=3)", "ewm(alpha=0.5)")

FAULT = Fault(
    category="label_mismatch",
    clusters=("deployment poor",),
    site="forecast_load",
    sentence="Forecast the load of the step itself: do not average it with the steps before.",
    plants=(
        CodePlant(
            "demand_forecast",
            "forecast_load",
            (
                tuple(f"    return energy(frame).{mean}.mean()\n" for mean in _MEANS),
                tuple(f"    load = energy(frame).{mean}.mean()\n    return load\n" for mean in _MEANS),
            ),
        ),
    ),
    look_alikes=(
        Move("features.harmonics", lambda config: 4),
        Move("features.windows", lambda config: [8, 16]),
        Move("features.clip_quantiles", lambda config: [0.0, 1.0]),
        Move("model.dropout", lambda config: 0.1),
    ),
)
