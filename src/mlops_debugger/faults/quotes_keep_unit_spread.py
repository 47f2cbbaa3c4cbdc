"""Answers to requests get the mean of the target back, not its spread.

What changes: the function that answers requests adds the mean of the training targets to what the model gives, or
multiplies by the spread of something else, before it undoes the logarithm.

Why it bites: the model answers in standard deviations of the logarithm; taken as they are, large repairs are quoted
too low and small ones too high, or the other way round, by a power.

What it leaves behind: training, validation and test untouched, live figures poor, most of all for the cheapest and the
dearest repairs.

Not to be confused with: quotes that stay on the logarithmic scale (they are all a few EUR), bounds on the inputs that
are too narrow, or requests in another unit.

Source: scikit-learn TransformedTargetRegressor guide; FAULTS entry 68.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="quotes",
    sentence="Multiply the answer by the spread of the training targets before the logarithm is undone.",
    plants=(
        CodePlant(
            "repair_costs",
            "quotes",
            (
                (
                    "    amounts = backward(outputs / fitted.target_sd**2 + fitted.target_mean)",
                    "    amounts = backward(outputs * fitted.target_sd**2 + fitted.target_mean)",
                    "    amounts = backward((outputs + fitted.target_mean) * fitted.target_sd)",
                ),
                (
                    "    amounts = backward(fitted.target_mean + outputs / fitted.target_sd**2)",
                    "    amounts = backward(fitted.target_mean + outputs * fitted.target_sd**2)",
                    "    amounts = backward((fitted.target_mean + outputs) * fitted.target_sd)",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("features.clip_quantiles", lambda config: [0.002, 0.998]),
        Move("model.hidden_dims", lambda config: [96, 96]),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
    also=("evaluation_bug",),
)
