"""Batch statistics hardly move.

What changes: the momentum of batch normalisation is 200 to 2000 times smaller than usual, as a value would be that was
meant for a framework with the opposite convention.

Why it bites: in evaluation mode the layers normalise with statistics that are still close to where they started, not
with those of the data.

What it leaves behind: the training loss falls as ever while validation, test and production are poor; the same training
rows score poorly in evaluation mode too.

Not to be confused with: over-fitting, inputs that are prepared differently for evaluation (training rows would then
score well), or too slow an average of the weights.

Source: PyTorch documentation of BatchNorm (momentum convention); Tuning Playbook; FAULTS entry 147.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import number, scaled

FAULT = Fault(
    category="architecture_bug",
    clusters=("evaluation at chance",),
    site="model.bn_momentum",
    sentence="Let the batch statistics follow the data: a momentum near 0.1.",
    plants=(
        ConfigPlant(
            "model.bn_momentum", lambda rng, config: scaled(rng, number(config, "model.bn_momentum"), 1 / 2000, 1 / 200)
        ),
    ),
    look_alikes=(
        Move("training.ema_decay", lambda config: 0.0),
        Move("model.dropout", lambda config: 0.25),
        Move("optimizer.weight_decay", lambda config: 1e-3),
        Move("data.contrast", lambda config: [10, 90]),
    ),
    also=("config_error",),
)
