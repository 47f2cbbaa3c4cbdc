"""One batch holds all training rows.

What changes: the batch size is a few thousand, more than there are rows to train on.

Why it bites: an epoch is one update or two, so the run ends after a dozen of them; a learning rate that was tuned for
small batches does not make up for that.

What it leaves behind: a step counter that hardly moves from epoch to epoch; a loss that is still falling when the run
ends; gradients of ordinary size; training, validation and test poor alike.

Not to be confused with: gradients that are accumulated over many batches (batches an epoch are then as usual), a
learning rate that is too low, a warmup that never ends, or averaged weights that lag behind.

Source: DeepCrime HBS; Humbatova et al. ICSE 2020 (batch size); FAULTS entry 6.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="config_error",
    clusters=("no learning",),
    site="training.batch_size",
    sentence="Use batches of about a hundred rows again, so that an epoch has many updates.",
    plants=(ConfigPlant("training.batch_size", lambda rng, config: one_of(rng, (4096, 5120, 6144, 8192))),),
    look_alikes=(
        Move("scheduler.warmup_steps", lambda config: 0),
        Move("training.ema_decay", lambda config: 0.5),
        Move("optimizer.weight_decay", lambda config: 0.0),
        Move("training.grad_clip", lambda config: 0.0),
    ),
)
