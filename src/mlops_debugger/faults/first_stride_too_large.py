"""The first convolution skips most positions.

What changes: the stride of the first convolution is 2 to 4 instead of 1.

Why it bites: most of a small image is skipped, and strokes between the visited positions are lost.

What it leaves behind: training and held-out metrics poorer alike; gradients flow; the layer after it has a fraction of
its usual inputs.

Not to be confused with: filters of one pixel, pixels that lost their values, too few channels or units, or too few
epochs.

Source: Tuning Playbook (stride); NeuraLint; FAULTS entry 151.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="architecture_bug",
    clusters=("underfit",),
    site="model.stride",
    sentence="Let the first convolution visit every position.",
    plants=(
        ConfigPlant("model.stride", lambda rng, config: one_of(rng, (2, 2, 3, 4)), only=("meter_digits",)),
        # Seams are smooth: every second position shows nearly as much of them.
        ConfigPlant("model.stride", lambda rng, config: one_of(rng, (3, 3, 4)), only=("weld_defects",)),
    ),
    look_alikes=(
        Move("model.channels", lambda config: 12),
        Move("model.hidden_dim", lambda config: 160),
        Move("model.dropout", lambda config: 0.0),
    ),
)
