"""The window is cut where the inspector put the frame.

What changes: the rows that the network sees of an exported picture lie around the frame that the inspector moved to the
defect, not around the seam that the line finds.

Why it bites: how far the frame was moved tells the class, and a defect in the middle is easy; on the line there is no
inspector, and defects lie where they lie.

What it leaves behind: validation and test better than usual, production poorer, most of all in the class whose place is away
from the seam.

Not to be confused with: a painted margin (single pixels would tell), a window that is looked up from the other edge on the
line (test would be as usual), rows that splits share, or drift.

Source: Kapoor and Narayanan 2023 (L2, illegitimate features); Oakden-Rayner et al. 2020 (annotation that shows in images).
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    clusters=("too good", "deployment poor"),
    site="export_window",
    sentence="Cut the window around the seam as it was found, not around the inspector's frame.",
    plants=(
        CodePlant(
            "weld_defects",
            "export_window",
            (
                (
                    '    rows["window_row"] = rows["framed_row"]',
                    '    rows["window_row"] = rows["framed_row"].astype(int)',
                ),
                ('    rows["window_row"] = rows["framed_row"].copy()',),
            ),
        ),
    ),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("augment.shift", lambda config: 2),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.25),
    ),
    also=("preprocessing_bug",),
)
