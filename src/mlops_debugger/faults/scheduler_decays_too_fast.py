"""The step schedule cuts the learning rate almost at once.

What changes: the schedule's step size counts in epochs, and is set to one.

Why it bites: after a few epochs the learning rate is a tiny share of what it was and training stands still.

What it leaves behind: a learning-rate column that falls by the same factor in every epoch; a loss that flattens early
and high while gradients stay normal.

Not to be confused with: a small base learning rate (the column is then flat), too few epochs, or long warm-up.

Source: Humbatova et al. ICSE 2020; practice of moving schedules from steps to epochs; FAULTS entry 10.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import number

FAULT = Fault(
    category="config_error",
    clusters=("no learning",),
    site="scheduler.step_size",
    sentence="Let the schedule decay after a third of the run or later, not after every epoch.",
    plants=(
        ConfigPlant(
            "scheduler.step_size",
            lambda rng, config: 1 if config["scheduler.name"] == "step" else None,
            only=("card_fraud", "loan_outcomes", "ticket_routing"),
        ),
    ),
    look_alikes=(
        Move("optimizer.weight_decay", lambda config: 0.0),
        Move("scheduler.warmup_steps", lambda config: 0),
        Move("training.epochs", lambda config: 2 * int(number(config, "training.epochs"))),
    ),
)
