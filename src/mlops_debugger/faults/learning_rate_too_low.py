"""The learning rate is orders of magnitude too small.

What changes: the base learning rate is 300 to 2000 times smaller than what this model trains well with.

Why it bites: the weights barely move in the epochs that there are.

What it leaves behind: loss falls steadily but hardly; gradient norms stay normal while the ratio of update to weight is
tiny in every layer; training and validation are equally poor.

Not to be confused with: too few optimiser steps, frozen layers, a schedule that decays at once (the learning-rate column
tells), or strong weight decay (updates are then large).

Source: Humbatova et al. ICSE 2020; DeepCrime HLR; UMLAUT LRLow; FAULTS entry 3.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import number, scaled

FAULT = Fault(
    category="config_error",
    clusters=("no learning",),
    site="optimizer.learning_rate",
    sentence="Raise the learning rate back to the range that this model trains well with.",
    plants=(
        ConfigPlant(
            "optimizer.learning_rate",
            lambda rng, config: scaled(rng, number(config, "optimizer.learning_rate"), 1 / 2000, 1 / 300),
        ),
    ),
    look_alikes=(
        Move("training.epochs", lambda config: 2 * int(number(config, "training.epochs"))),
        Move("optimizer.weight_decay", lambda config: 0.0),
        Move("scheduler.warmup_steps", lambda config: 0),
        Move("scheduler.name", lambda config: "constant"),
        Move("training.grad_clip", lambda config: 0.0),
    ),
)
