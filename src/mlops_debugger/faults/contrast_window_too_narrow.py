"""The contrast stretch keeps the middle of the range alone.

What changes: each image is stretched between two percentiles close to its median, not between its dark and bright ends.

Why it bites: what lies outside of the window is cut off, so grey levels of strokes are lost and the grain of the
background is blown up.

What it leaves behind: training, validation, test and production poorer alike; most prepared pixels lie on one of the
two bounds.

Not to be confused with: pixels that were cast to bytes (two values only), filters or strides that lose the strokes, or
noisier cameras.

Source: Humbatova et al. ICSE 2020 (wrong preprocessing); DeepChecks image property drift; FAULTS entry 87.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="preprocessing_bug",
    site="data.contrast",
    sentence="Stretch each image between its dark and bright ends.",
    plants=(
        ConfigPlant(
            "data.contrast",
            lambda rng, config: one_of(rng, ([40, 60], [45, 60], [48, 60], [45, 58])),
            only=("meter_digits",),
        ),
    ),
    look_alikes=(
        Move("model.channels", lambda config: 12),
        Move("model.hidden_dim", lambda config: 160),
        Move("augment.grain", lambda config: 0.0),
        Move("model.dropout", lambda config: 0.25),
    ),
    also=("config_error",),
)
