"""The best checkpoint is chosen by the wrong direction.

What changes: the mode of checkpoint selection is max for a quantity that should fall, or min for one that should
rise.

Why it bites: the worst epoch counts as the best and is what is evaluated and released.

What it leaves behind: a healthy log next to a poor evaluation; the saved epoch is among the first ones.

Not to be confused with: an evaluation that is told to load another checkpoint (selection itself is then right), or
overfitting.

Source: Hugging Face Trainer issues 11931 and 28500; Lightning ModelCheckpoint; FAULTS entry 9.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="config_error",
    clusters=("validation good, report poor",),
    site="checkpoint.mode",
    sentence="Select the checkpoint in the direction in which the monitored quantity improves.",
    plants=(
        ConfigPlant(
            "checkpoint.mode",
            lambda rng, config: "max" if config["checkpoint.mode"] == "min" else "min",
            only=("address_parts", "card_fraud", "demand_forecast", "loan_outcomes", "ticket_routing", "weld_defects"),
        ),
    ),
    look_alikes=(
        Move("evaluation.batch_size", lambda config: 64),
        Move("training.ema_decay", lambda config: 0.0),
        Move("optimizer.weight_decay", lambda config: 0.0),
    ),
)
