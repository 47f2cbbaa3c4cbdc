"""The filters see one pixel.

What changes: the convolution's kernel size is 1.

Why it bites: filters that see one pixel cannot respond to edges or corners, and what pooling then blurs is lost.

What it leaves behind: training and held-out metrics poorer alike; gradients flow through every layer, nothing is
over-fitted more than usual; far fewer weights in the first layer.

Not to be confused with: too large a stride (a smaller second layer), pixels that lost their values, layers that do not
train, or too few channels.

Source: Humbatova et al. ICSE 2020 (wrong filter size); NeuraLint; FAULTS entry 150.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="architecture_bug",
    clusters=("underfit",),
    site="model.kernel_size",
    sentence="Let the filters see a neighbourhood of each pixel again.",
    plants=(ConfigPlant("model.kernel_size", lambda rng, config: 1, only=("meter_digits",)),),
    look_alikes=(
        Move("model.channels", lambda config: 12),
        Move("model.dropout", lambda config: 0.0),
        Move("augment.max_shift", lambda config: 0.8),
    ),
)
