"""The averaged weights remember the start of the run.

What changes: the decay of the weight average is one that suits runs a thousand times longer.

Why it bites: the average that is evaluated and released still consists mostly of the initial weights.

What it leaves behind: a training loss that falls as always next to validation figures that hardly move from the first
epoch on.

Not to be confused with: overfitting (validation is then good at first), a validation path that prepares inputs
differently, batch-norm statistics that lag.

Source: Karras et al. 2024 on EMA horizons; timm model EMA defaults; FAULTS entry 25.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="config_error",
    clusters=("evaluation at chance",),
    site="training.ema_decay",
    sentence="Lower the decay so that the average spans less than an epoch, or switch it off.",
    plants=(ConfigPlant("training.ema_decay", lambda rng, config: one_of(rng, (0.9995, 0.9998, 0.9999))),),
    look_alikes=(
        Move("evaluation.batch_size", lambda config: 64),
        Move("model.dropout", lambda config: 0.0),
        Move("optimizer.weight_decay", lambda config: 0.0),
    ),
)
