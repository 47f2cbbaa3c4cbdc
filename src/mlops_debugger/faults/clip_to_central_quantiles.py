"""Inputs are clipped to the middle of their distribution.

What changes: clipping bounds meant for outliers are set to central quantiles, about the 40th and the 60th per cent.

Why it bites: four values in five sit on one of two bounds, so what the inputs said is mostly gone, in every split and
in production.

What it leaves behind: training and held-out metrics poorer alike; numeric columns with a median close to their bounds
and a large share of equal values at both ends.

Not to be confused with: too little capacity (the inputs are then spread as usual), missing activations, or heavy tails.

Source: deepchecks data-integrity checks; FAULTS entry 87.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

_CENTRAL = ([0.4, 0.6], [0.38, 0.62], [0.42, 0.58], [0.45, 0.6], [0.4, 0.55])

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("underfit",),
    site="features.clip_quantiles",
    sentence="Clip outliers alone: set the quantiles back to the outer per cent on each side.",
    plants=(
        ConfigPlant(
            "features.clip_quantiles",
            lambda rng, config: list(one_of(rng, _CENTRAL)),
            only=("demand_forecast", "loan_outcomes", "repair_costs"),
        ),
    ),
    look_alikes=(
        Move("model.hidden_dims", lambda config: [128, 128]),
        Move("training.epochs", lambda config: 30),
        Move("model.activation", lambda config: "tanh"),
        Move("model.dropout", lambda config: 0.2),
    ),
)
