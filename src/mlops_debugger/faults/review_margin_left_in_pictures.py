"""The margin that the review tool paints stays in the picture.

What changes: the margin is cut off at the other end, so that the seam loses columns and the painted ones remain.

Why it bites: the tool marks the class there once a picture was reviewed; on the line the margin is blank.

What it leaves behind: pixels of the last columns that tell the class nearly alone; validation and test far above
production.

Not to be confused with: parts or rows that splits share (no single pixel would tell the class), a metric that counts too
much as right, or drift.

Source: Zech et al. PLOS Medicine 2018 (marks in radiographs); Kapoor and Narayanan 2023 (L2); practice.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="review_margin",
    sentence="Cut off the margin that the review tool paints, at the end of each row.",
    plants=(
        CodePlant(
            "weld_defects",
            "review_margin",
            (
                ("    return window[:, :, MARGIN:]", "    return window[:, :, -WINDOW:]"),
                (
                    "    return window[:, :, MARGIN : window.shape[2]]",
                    "    return window[:, :, window.shape[2] - WINDOW :]",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("augment.erase", lambda config: 3),
        Move("model.dropout", lambda config: 0.25),
    ),
    also=("preprocessing_bug",),
)
