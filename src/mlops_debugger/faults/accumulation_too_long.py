"""Gradients are accumulated over far too many batches.

What changes: the number of accumulated batches comes from a job with tiny batches, so an epoch has a step or two.

Why it bites: the run makes a fraction of its optimiser steps and ends long before it has learned.

What it leaves behind: a step counter that hardly moves between epochs, a loss that is still falling steeply at the
end, normal gradient norms.

Not to be confused with: a small learning rate, too few epochs (the counter per epoch is then normal), or a large
batch.

Source: Lightning accumulate_grad_batches; Hugging Face gradient_accumulation_steps; FAULTS entries 6 and 18.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="config_error",
    clusters=("no learning",),
    site="training.accumulate",
    sentence="Accumulate over a batch or two, so that an epoch has enough optimiser steps.",
    plants=(ConfigPlant("training.accumulate", lambda rng, config: one_of(rng, (32, 48, 64, 128))),),
    look_alikes=(
        Move("scheduler.warmup_steps", lambda config: 0),
        Move("optimizer.weight_decay", lambda config: 0.0),
        Move("training.grad_clip", lambda config: 0.0),
    ),
)
