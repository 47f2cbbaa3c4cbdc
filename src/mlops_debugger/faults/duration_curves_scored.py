"""Targets and forecasts are sorted before they are compared.

What changes: what is scored are two load duration curves, loads in order of size, instead of pairs of one step.

Why it bites: a forecast that is right on average and wrong at every single step has the same curve as the target, so
the error says nothing about when the load comes.

What it leaves behind: a reported error far below that of the log of the epochs; saved targets and forecasts that rise
from the first row to the last while the times of the rows do not explain it; production as before.

Not to be confused with: an error in units of the standard deviation, averages over a day (targets then still follow the
time of day), a column that gives the answer away, or rows scored in another order than their targets (report too poor).

Source: practice: duration curves of load; PyTorch issue 22566 on rows that lose their partners; FAULTS entry 64.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_CURVES = (
    "    forecasts = np.sort(decode(outputs, table, scaling))\n"
    '    return np.sort(frame["target"].to_numpy()), forecasts',
    '    measured = frame["target"].sort_values().to_numpy()\n'
    "    return measured, np.sort(decode(outputs, table, scaling))",
    '    curves = np.sort([frame["target"], decode(outputs, table, scaling)], axis=1)\n    return curves[0], curves[1]',
)

FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="scored_pairs",
    sentence="Compare target and forecast of the same step: do not sort them.",
    plants=(CodePlant("demand_forecast", "scored_pairs", (_CURVES, _CURVES)),),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("features.lags", lambda config: [16, 24, 56]),
        Move("evaluation.batch_size", lambda config: 64),
        Move("model.dropout", lambda config: 0.1),
    ),
)
