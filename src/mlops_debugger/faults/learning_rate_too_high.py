"""The learning rate is far too large.

What changes: the base learning rate is 60 to 400 times larger than what this model trains well with.

Why it bites: steps overshoot: units die or weights explode, and what is left predicts a few classes or one number.

What it leaves behind: a training loss that jumps and then stays on a high plateau, or is not finite; large updates
relative to the weights; many gradient entries that are exactly zero.

Not to be confused with: weights that start too large (the loss is then huge before the first step), unscaled inputs,
or a loss on the wrong outputs.

Source: Humbatova et al. ICSE 2020; AutoTrainer; DeepFD; FAULTS entries 1 and 2.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import number, scaled

FAULT = Fault(
    category="config_error",
    clusters=("no learning",),
    site="optimizer.learning_rate",
    sentence="Lower the learning rate back to the range that this model trains well with.",
    plants=(
        ConfigPlant(
            "optimizer.learning_rate",
            lambda rng, config: scaled(rng, number(config, "optimizer.learning_rate"), 60, 400),
            # The small network of weld_defects recovers in half of the runs.
            only=(
                "address_parts",
                "card_fraud",
                "demand_forecast",
                "loan_outcomes",
                "meter_digits",
                "repair_costs",
                "review_stars",
                "ticket_routing",
            ),
        ),
    ),
    look_alikes=(
        Move("training.grad_clip", lambda config: 1.0),
        Move("scheduler.warmup_steps", lambda config: 40),
        Move("optimizer.weight_decay", lambda config: 0.0),
        Move("training.batch_size", lambda config: 2 * int(number(config, "training.batch_size"))),
    ),
)
