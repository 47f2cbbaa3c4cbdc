"""The warm-up is longer than the whole run.

What changes: the number of warm-up steps comes from a much larger training job.

Why it bites: the learning rate climbs from almost nothing and never arrives, so the weights hardly move.

What it leaves behind: a learning-rate column that rises in every epoch and stays far below the configured value; a
loss that falls ever faster at the end.

Not to be confused with: a small learning rate, a schedule that decays at once, or frozen layers.

Source: Hugging Face and fairseq recipes copied to small data; FAULTS entry 12.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import number, one_of

FAULT = Fault(
    category="config_error",
    clusters=("no learning",),
    site="scheduler.warmup_steps",
    sentence="Keep the warm-up to a small part of the run.",
    plants=(
        ConfigPlant("scheduler.warmup_steps", lambda rng, config: one_of(rng, (50_000, 80_000, 100_000, 200_000))),
    ),
    look_alikes=(
        Move("scheduler.name", lambda config: "constant"),
        Move("training.epochs", lambda config: 2 * int(number(config, "training.epochs"))),
        Move("optimizer.weight_decay", lambda config: 0.0),
    ),
)
