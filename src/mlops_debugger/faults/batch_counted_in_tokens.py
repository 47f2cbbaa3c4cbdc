"""A batch size that was meant in tokens is taken as a number of lines.

What changes: the mini-batch has a few thousand lines, the size that other taggers state in tokens.

Why it bites: all training lines fit into one batch, so that an epoch is a single step, and the handful of steps that
the run makes is far too short.

What it leaves behind: one optimiser step an epoch; a training and a validation loss near that of guessing that fall in
a straight line; gradients of the usual size, nothing clipped, nothing frozen.

Not to be confused with: a learning rate that is too low, batches that are accumulated for too long (several losses an
epoch then), a warm-up that never ends, or averaged weights that lag behind.

Source: fairseq documentation (max-tokens and batch-size); FAULTS entry 6.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="config_error",
    clusters=("no learning", "underfit"),
    site="training.batch_size",
    sentence="Give the mini-batch a few dozen lines, so that an epoch has many steps.",
    plants=(
        ConfigPlant(
            "training.batch_size",
            lambda rng, config: one_of(rng, (1500, 2000, 2048, 3000, 4096)),
            only=("address_parts",),
        ),
    ),
    look_alikes=(
        Move("training.ema_decay", lambda config: 0.0),
        Move("scheduler.warmup_steps", lambda config: 0),
        Move("training.accumulate", lambda config: 2),
        Move("model.dropout", lambda config: 0.1),
    ),
)
