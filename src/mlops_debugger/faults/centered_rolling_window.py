"""Rolling columns look as far ahead as they look back.

What changes: the rolling mean and spread are computed on a window that is centred on its row.

Why it bites: the second half of the window lies after the origin of the forecast, the longer window even reaches past
the target; in a request these readings do not exist yet.

What it leaves behind: validation and test are too good and production is worse; columns of the longest window are
correlated with what comes after the target.

Not to be confused with: a history that is shifted by too little (the level is then affected as well), lags shorter than
the horizon, or a random split.

Source: Kapoor and Narayanan 2023, L2 and L3.1; FAULTS entry 42.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="rolling_window",
    sentence="Let rolling windows end at the last known reading: not centred.",
    plants=(
        CodePlant(
            "demand_forecast",
            "rolling_window",
            (
                ("        recent = known.rolling(window, center=True)",),
                ("        recent = known.rolling(window=window, center=True)",),
            ),
        ),
    ),
    look_alikes=(
        Move("features.lags", lambda config: [16, 24, 56]),
        Move("features.harmonics", lambda config: 1),
        Move("model.dropout", lambda config: 0.1),
    ),
)
