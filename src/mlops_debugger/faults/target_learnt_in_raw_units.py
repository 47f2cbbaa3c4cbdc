"""A skewed amount is learnt as it stands.

What changes: the target is not put on a logarithmic scale before it is standardised.

Why it bites: a few dear claims carry most of the squared error, and what happens to small claims hardly counts;
answers can be negative. What was agreed on is the relative error.

What it leaves behind: a training loss that jumps with single batches, a target spread far above its median, answers
that are zero or below for cheap claims; the log error poor everywhere, the error in EUR nearly as before.

Not to be confused with: a bounded output, amounts in mixed currencies, a learning rate that is too high, or answers
whose logarithm is not undone.

Source: scikit-learn TransformedTargetRegressor guide; practice.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("underfit", "loss too high"),
    site="data.target_transform",
    sentence="Learn the target on a logarithmic scale again.",
    plants=(ConfigPlant("data.target_transform", lambda rng, config: "none", only=("repair_costs",)),),
    look_alikes=(
        Move("training.loss", lambda config: "mse" if config["training.loss"] == "huber" else "huber"),
        Move("features.clip_quantiles", lambda config: [0.002, 0.998]),
        Move("training.grad_clip", lambda config: 1.0),
        Move("training.epochs", lambda config: 30),
    ),
    also=("config_error", "label_mismatch"),
)
