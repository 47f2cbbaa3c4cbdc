"""The output of a regression passes through a ReLU.

What changes: the activation after the last layer is ReLU instead of none.

Why it bites: the scaled target is as often below zero as above it, and a ReLU cannot answer below zero.

What it leaves behind: a loss that levels off high from the start; forecasts that never fall below the mean of the
labels, many of them exactly there; a large share of gradients that are exactly zero.

Not to be confused with: a learning rate that is too small, targets in another unit, or a hidden layer that is too
narrow.

Source: Humbatova et al. ICSE 2020 (wrong activation of the last layer); FAULTS entry 140.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="architecture_bug",
    clusters=("underfit",),
    site="model.output_activation",
    sentence="Use no activation (identity) on the output of the regression.",
    plants=(ConfigPlant("model.output_activation", lambda rng, config: "relu", only=("demand_forecast",)),),
    look_alikes=(
        Move("model.hidden_dims", lambda config: [128, 128]),
        Move("training.epochs", lambda config: 30),
        Move("optimizer.weight_decay", lambda config: 0.0),
        Move("training.loss", lambda config: "mse"),
    ),
)
