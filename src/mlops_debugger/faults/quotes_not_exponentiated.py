"""Answers to requests stay on the logarithmic scale.

What changes: the function that answers requests undoes the standardisation of the target and not its logarithm, or
undoes a logarithm to another base.

Why it bites: a repair of 400 EUR is quoted at 6 EUR, or at a sum that nobody has.

What it leaves behind: training, validation and test are as good as ever, since the report has its own way back to EUR;
live figures that are worse than a constant.

Not to be confused with: requests that are read in another unit (the error is then far smaller), a report that is
computed on the logarithm (the report would be off, not production), or drift.

Source: scikit-learn TransformedTargetRegressor guide; Breck et al. 2019 (training-serving skew); FAULTS entry 68.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_SCALED = ("outputs * fitted.target_sd + fitted.target_mean", "fitted.target_mean + outputs * fitted.target_sd")


def _texts(inside: str) -> tuple[str, ...]:
    return (
        f"    amounts = {inside}",
        f"    amounts = np.exp2({inside})",
        f"    amounts = np.power(10.0, {inside})",
        f"    amounts = np.square({inside})",
    )


FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor", "worse than random"),
    site="quotes",
    sentence="Undo the transform of the target when a request is answered, as the report does.",
    plants=(CodePlant("repair_costs", "quotes", tuple(_texts(inside) for inside in _SCALED)),),
    look_alikes=(
        Move(
            "data.target_transform", lambda config: "asinh" if config["data.target_transform"] == "log1p" else "log1p"
        ),
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
    also=("evaluation_bug",),
)
