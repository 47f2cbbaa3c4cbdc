"""The output of a regression is bounded.

What changes: the activation after the last layer is a sigmoid or a hyperbolic tangent instead of none.

Why it bites: the target is standardised, and a bounded output reaches one standard deviation at most: the dearest and
the cheapest claims are out of reach, with a sigmoid all below the middle.

What it leaves behind: a loss that levels off high, answers that pile up at their largest and smallest value; training
and held-out figures poor alike, most of all at both ends.

Not to be confused with: bounds on the inputs, a ReLU on the output, a target that is learnt in EUR, or a layer that is
too narrow.

Source: Humbatova et al. ICSE 2020 (wrong activation of the last layer); FAULTS entry 140.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="architecture_bug",
    clusters=("underfit",),
    site="model.output_activation",
    sentence="Use no activation (identity) on the output of the regression.",
    plants=(
        ConfigPlant(
            "model.output_activation", lambda rng, config: one_of(rng, ("sigmoid", "tanh")), only=("repair_costs",)
        ),
    ),
    look_alikes=(
        Move("model.hidden_dims", lambda config: [128, 128]),
        Move("training.epochs", lambda config: 30),
        Move("optimizer.weight_decay", lambda config: 0.0),
        Move("training.loss", lambda config: "mse" if config["training.loss"] == "huber" else "huber"),
    ),
)
