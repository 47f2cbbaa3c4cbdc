"""The error is reported on another scale than the one that was agreed on.

What changes: the error of a claim is a ratio of decimal logarithms, is squared, or keeps its sign,
where the agreed error is the size of a difference of natural logarithms.

Why it bites: the number goes by the same name and is smaller by far, which nobody asks about.

What it leaves behind: a reported error that does not follow from the saved predictions; log_sd and mae_eur of the same
block as ever; the validation error of the epochs off alike.

Not to be confused with: leakage (the saved predictions would be better too), claims that were left out of the report
(its n is then smaller), or answers that are on another scale.

Source: FAULTS entry 67; practice.
"""

from mlops_debugger.faults import CodePlant, Fault, Move


def _texts(base: str) -> tuple[str, ...]:
    return (
        f"    ratio = np.{base}(1.0 + np.maximum(costs, 0.0)) - np.{base}(1.0 + targets)\n    return np.abs(ratio)",
        "    ratio = np.log1p(np.maximum(costs, 0.0)) - np.log1p(targets)\n    return np.square(ratio)",
        "    ratio = np.log1p(np.maximum(costs, 0.0)) - np.log1p(targets)\n    return ratio",
    )


FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="cost_errors",
    sentence="Report the size of the difference of natural logarithms, as the model card says.",
    plants=(CodePlant("repair_costs", "cost_errors", (_texts("log10"), _texts("log10"))),),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("training.loss", lambda config: "mse" if config["training.loss"] == "huber" else "huber"),
        Move(
            "data.target_transform", lambda config: "asinh" if config["data.target_transform"] == "log1p" else "log1p"
        ),
        Move("evaluation.batch_size", lambda config: 64),
    ),
)
