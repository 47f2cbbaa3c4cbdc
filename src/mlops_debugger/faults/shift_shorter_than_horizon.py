"""The history behind level and rolling columns ends after the origin of the forecast.

What changes: readings are moved by one step where they should be moved by the whole horizon.

Why it bites: the mean and spread of the last steps contain readings that nobody has when the forecast is asked for.

What it leaves behind: validation and test are too good and production is worse; rolling columns follow the target
more closely than the shortest lag does, and so does the level.

Not to be confused with: lags that are too short (the config tells), a centred window (level and short windows are
then in order), or a random split.

Source: Kapoor and Narayanan 2023, L3.1; FAULTS entry 43.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="known_history",
    sentence="Shift the readings by the whole horizon before level and rolling columns are computed.",
    plants=(
        CodePlant(
            "demand_forecast",
            "known_history",
            (
                ("    known = load.shift(1)", "    known = load.shift()"),
                ("    known = load.shift(periods=1)", "    known = load.shift()"),
            ),
        ),
    ),
    look_alikes=(
        Move("features.lags", lambda config: [16, 24, 56]),
        Move("model.dropout", lambda config: 0.1),
        Move("data.test_share", lambda config: 0.3),
    ),
)
