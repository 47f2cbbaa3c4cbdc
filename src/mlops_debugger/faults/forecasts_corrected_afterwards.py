"""Forecasts are corrected with the error of the step before, in the report alone.

What changes: a share of each step's error is added to the next step's forecast before the pairs are scored.

Why it bites: when a forecast is due, six or more steps ahead, the reading of the step before it does not exist; the
report shows a forecast one step ahead that nobody can make.

What it leaves behind: a reported error below that of the log of the epochs and below production; residuals that no
longer follow one another, where those of an honest forecast do; inputs and targets in order.

Not to be confused with: a history that is shifted by too little (the log is then too good as well, and production is
poor), lags that are too short, averages over a day (targets then change), or a random split.

Source: teacher forcing in evaluation; Kapoor and Narayanan 2023 (L3.1); FAULTS entry 73.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_SHARES = ("0.6", "0.7", "0.75", "0.8")
_CORRECTED = (
    *(
        "    forecasts = pd.Series(decode(outputs, table, scaling))\n"
        f'    return frame["target"].to_numpy(), forecasts + {share} * (frame["target"] - forecasts).shift(fill_value=0.0)'
        for share in _SHARES
    ),
    *(
        '    error = frame["target"] - decode(outputs, table, scaling)\n'
        f'    return frame["target"].to_numpy(), frame["target"] - error + {share} * error.shift(fill_value=0.0)'
        for share in _SHARES
    ),
)

FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="scored_pairs",
    sentence="Score the forecasts as they are made: leave out the error of the step before.",
    plants=(CodePlant("demand_forecast", "scored_pairs", (_CORRECTED, _CORRECTED)),),
    look_alikes=(
        Move("features.lags", lambda config: [16, 24, 56]),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("features.windows", lambda config: [8, 16]),
        Move("model.dropout", lambda config: 0.1),
    ),
    also=("data_leakage",),
)
