"""Targets and forecasts are averaged over neighbouring steps before the error is computed.

What changes: the pairs that are scored are running means over most of a day or more, not single steps.

Why it bites: errors of neighbouring steps cancel out in a mean, so the report promises a precision that no single
step has; what is bought is bought by the step.

What it leaves behind: a reported error below that of the log of the epochs for the same rows; targets in the report
that do not equal the readings, vary less and move smoothly; production as good as ever and poorer than the report.

Not to be confused with: labels that are averaged (the network then learns the mean, and production suffers), an error
in units of the standard deviation (targets then have mean 0), columns that know later readings, or an easy test period.

Source: practice: errors of daily totals beside errors of hours; Kapoor and Narayanan 2023 (L3); FAULTS entry 67.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_PAIRS = '    pairs = pd.DataFrame({"target": frame["target"], "forecast": decode(outputs, table, scaling)})\n'
_MEANS = tuple(
    _PAIRS + f"    return pairs.rolling({steps}, min_periods=1).mean().to_numpy().T"
    for steps in ("STEPS_PER_DAY", "STEPS_PER_DAY - 1", "2 * STEPS_PER_DAY", "6")
)

FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="scored_pairs",
    sentence="Score every step by itself: do not average targets and forecasts first.",
    plants=(CodePlant("demand_forecast", "scored_pairs", (_MEANS, _MEANS)),),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("features.lags", lambda config: [16, 24, 56]),
        Move("training.loss", lambda config: "mse" if config["training.loss"] == "huber" else "huber"),
        Move("data.test_share", lambda config: 0.3),
    ),
)
