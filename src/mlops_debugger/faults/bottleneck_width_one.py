"""The first hidden layer has a single unit.

What changes: the list of hidden widths begins with 1.

Why it bites: whatever the inputs say has to pass through one number, so nothing that takes two of them together can be
learned.

What it leaves behind: training and held-out metrics are equally poor and level off early; gradients flow, nothing is
over-fitted; the parameter count is a fraction of the usual.

Not to be confused with: inputs that were clipped or joined wrongly (a wider network would not help then), activations
that are linear, or too small a learning rate.

Source: Humbatova et al. ICSE 2020 (suboptimal number of neurons); FAULTS entry 143.
"""

from __future__ import annotations

import numpy as np

from mlops_debugger.edits import Value
from mlops_debugger.faults import Config, ConfigPlant, Fault, Move


def _narrow(rng: np.random.Generator, config: Config) -> Value:
    """The widths with 1 in front, or None where there is a single hidden layer."""
    widths = config["model.hidden_dims"]
    return [1, *widths[1:]] if isinstance(widths, list) and len(widths) > 1 else None


FAULT = Fault(
    category="architecture_bug",
    clusters=("underfit",),
    site="model.hidden_dims",
    sentence="Give the first hidden layer its usual width again.",
    plants=(
        ConfigPlant("model.hidden_dims", _narrow, only=("demand_forecast", "loan_outcomes")),
        ConfigPlant("model.hidden_dims", lambda rng, config: [1], only=("address_parts",)),
    ),
    look_alikes=(
        Move("model.dropout", lambda config: 0.2),
        Move("model.activation", lambda config: "tanh"),
        Move("training.epochs", lambda config: 30),
        Move("features.clip_quantiles", lambda config: [0.001, 0.999]),
    ),
)
