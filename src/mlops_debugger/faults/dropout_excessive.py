"""Most of the network is dropped at every step.

What changes: dropout is far above what a small network can bear.

Why it bites: what is left of each layer is too little to compute anything with, so the network learns the average and
little else.

What it leaves behind: a training loss, computed with dropout, that stays well above the validation loss; training rows
in evaluation mode as poor as held-out ones; production poor in the same measure as the report.

Not to be confused with: weight decay that shrinks every weight, a learning rate that is too low (updates are then
small), a narrow layer, or labels in mixed units.

Source: DeepCrime RCD; UMLAUT (dropout above 0.5); FAULTS entry 28.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="config_error",
    clusters=("underfit",),
    site="model.dropout",
    sentence="Bring dropout back to a few per cent.",
    plants=(
        ConfigPlant(
            "model.dropout", lambda rng, config: one_of(rng, (0.65, 0.7, 0.75, 0.8)), only=("demand_forecast",)
        ),
        ConfigPlant(
            "model.dropout",
            lambda rng, config: one_of(rng, (0.75, 0.8, 0.85, 0.9)),
            only=("loan_outcomes", "ticket_routing"),
        ),
    ),
    look_alikes=(
        Move("optimizer.weight_decay", lambda config: 0.0),
        Move("training.grad_clip", lambda config: 1.0),
        Move("training.label_smoothing", lambda config: 0.0),
        Move("features.clip_quantiles", lambda config: [0.0, 1.0]),
    ),
    also=("architecture_bug",),
)
