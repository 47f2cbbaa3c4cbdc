"""The evaluation loads a checkpoint of an early epoch.

What changes: the evaluation is pinned to the checkpoint of the first epoch instead of the selected one.

Why it bites: the reported figures are those of a model that has hardly trained, while another one is released.

What it leaves behind: reported metrics far below the log's last epochs; an evaluated epoch that is not the selected
one; good figures in production.

Not to be confused with: checkpoint selection in the wrong direction (the released model is then poor as well), or
rows scored out of order.

Source: Hugging Face Trainer issues 11931 and 28500; FAULTS entry 62.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="evaluation_bug",
    clusters=("validation good, report poor",),
    site="evaluation.checkpoint",
    sentence="Evaluate the checkpoint that selection chose.",
    plants=(
        ConfigPlant(
            "evaluation.checkpoint",
            lambda rng, config: "epoch_01",
            only=("address_parts", "card_fraud", "demand_forecast", "loan_outcomes", "ticket_routing", "weld_defects"),
        ),
    ),
    look_alikes=(
        Move("evaluation.batch_size", lambda config: 64),
        Move("training.ema_decay", lambda config: 0.0),
    ),
)
