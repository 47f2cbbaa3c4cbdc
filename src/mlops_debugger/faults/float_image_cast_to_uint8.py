"""Images between 0 and 1 are cast to bytes.

What changes: the stretched image, whose values lie between 0 and 1, is returned as unsigned bytes.

Why it bites: everything below 1 becomes 0, so only saturated pixels are left of a stroke.

What it leaves behind: training, validation, test and production equally poor; no message; two distinct values where
there were hundreds.

Not to be confused with: too small a network, layers that do not train, or a filter or stride that loses the strokes
(pixels are then as rich as ever).

Source: Humbatova et al. ICSE 2020 (wrong type of input data); FAULTS entry 101.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("underfit",),
    site="stretch",
    sentence="Keep the stretched image as a float.",
    plants=(
        CodePlant(
            "meter_digits",
            "stretch",
            (
                (
                    "    return np.clip(stretched, 0.0, 1.0).astype(np.uint8)",
                    "    return np.clip(stretched, 0.0, 1.0).astype(crops.dtype)",
                ),
                (
                    "    return stretched.clip(0.0, 1.0).astype(np.uint8)",
                    "    return stretched.clip(0.0, 1.0).astype(crops.dtype)",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("model.channels", lambda config: 12),
        Move("model.hidden_dim", lambda config: 160),
        Move("training.epochs", lambda config: 14),
        Move("augment.copies", lambda config: 1),
    ),
)
