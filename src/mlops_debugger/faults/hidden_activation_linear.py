"""The hidden layers have no activation.

What changes: the activation of the hidden layers is the identity, so that the network is one linear map.

Why it bites: curved responses and interactions between inputs, of which this data has many, cannot be expressed.

What it leaves behind: a smooth loss that levels off early, training and held-out metrics equally poor, no unit that is
ever off; a linear model on the same inputs is just as good.

Not to be confused with: a layer that is too narrow, inputs that lost their information, or too few epochs.

Source: Humbatova et al. ICSE 2020 (missing activation); DeepCrime ARM; FAULTS entry 132.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move

_FOR = ("demand_forecast", "loan_outcomes", "weld_defects")

FAULT = Fault(
    category="architecture_bug",
    clusters=("underfit",),
    site="model.activation",
    sentence="Put a non-linear activation between the hidden layers again.",
    plants=(ConfigPlant("model.activation", lambda rng, config: "identity", only=_FOR),),
    look_alikes=(
        Move("model.hidden_dims", lambda config: [128, 128]),
        Move("training.epochs", lambda config: 30),
        Move("model.dropout", lambda config: 0.2),
        Move("features.clip_quantiles", lambda config: [0.001, 0.999]),
    ),
)
