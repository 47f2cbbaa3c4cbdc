"""Weight decay outweighs the loss.

What changes: the weight decay is set to a value that belongs to another optimiser or another scale of learning rate.

Why it bites: the penalty pulls the weights to zero faster than the gradient moves them, so outputs stay near their
mean.

What it leaves behind: a loss that settles high within an epoch or two, low confidence, weights that shrink although
updates are large.

Not to be confused with: a small learning rate (updates are then tiny), too much dropout, or frozen layers.

Source: DeepCrime RAW and RCW; TheDeepChecker over-regularisation; FAULTS entry 5.
"""

from __future__ import annotations

import numpy as np

from mlops_debugger.edits import Value
from mlops_debugger.faults import Config, ConfigPlant, Fault, Move
from mlops_debugger.faults._values import between, number


def _broken(rng: np.random.Generator, config: Config) -> Value:
    # AdamW's decay is multiplied by the learning rate; Adam's and SGD's is part of the gradient.
    if config["optimizer.name"] == "adamw":
        return float(f"{between(rng, 0.5, 1.5) / number(config, 'optimizer.learning_rate') / 4:.1e}")
    return between(rng, 0.1, 0.4)


FAULT = Fault(
    category="config_error",
    clusters=("no learning",),
    site="optimizer.weight_decay",
    sentence="Set the weight decay back to a value that does not outweigh the loss.",
    plants=(ConfigPlant("optimizer.weight_decay", _broken),),
    look_alikes=(
        Move("optimizer.learning_rate", lambda config: 2 * number(config, "optimizer.learning_rate")),
        Move("model.dropout", lambda config: 0.0),
        Move("training.grad_clip", lambda config: 0.0),
    ),
)
