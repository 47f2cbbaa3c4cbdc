"""Brightness is corrected in unsigned bytes.

What changes: the camera's black level is subtracted from the crop as bytes, not as floats.

Why it bites: dark pixels below the black level wrap round to the brightest values, so noise of the background turns
into bright dots.

What it leaves behind: training, validation, test and production all poorer; no message; the prepared pixels have
another mean and spread than the crops suggest, in every split alike.

Not to be confused with: noisier cameras, too small a network, or an older label column.

Source: Humbatova et al. ICSE 2020 (wrong type of input data); FAULTS entry 100.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("underfit",),
    site="black_level",
    sentence="Subtract the black level in floating point, before clipping.",
    plants=(
        CodePlant(
            "meter_digits",
            "black_level",
            (
                (
                    "    lifted = np.clip(crops - level.astype(crops.dtype), 0, 255)",
                    "    lifted = np.clip(crops - level.astype(np.uint8), 0, 255)",
                ),
                (
                    "    lifted = np.clip(np.subtract(crops, level.astype(crops.dtype)), 0, 255)",
                    "    lifted = np.clip(np.subtract(crops, level.astype(np.uint8)), 0, 255)",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("model.channels", lambda config: 12),
        Move("model.hidden_dim", lambda config: 160),
        Move("augment.grain", lambda config: 0.0),
        Move("data.contrast", lambda config: [2, 98]),
    ),
)
