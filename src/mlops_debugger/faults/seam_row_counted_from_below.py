"""The window of served pictures is looked up from the other edge.

What changes: the row of the seam, which the line counts from the lower edge, is used as if counted from the upper one, or
is off by several rows.

Why it bites: the window misses the seam by up to three rows, so that toes are cut off or taken for the bead.

What it leaves behind: training, validation and test as good as ever; production poorer, and not at all where the seam lies
in the middle.

Not to be confused with: drift, images of other rows, lights in another order, or exposures that are not corrected.

Source: practice (image origin at the upper or the lower edge, in matplotlib, OpenGL and FITS); Sculley et al. NeurIPS 2015.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="tray_window",
    sentence="Count the seam's row of served pictures from the upper edge, as the export does.",
    plants=(
        CodePlant(
            "weld_defects",
            "tray_window",
            (
                (
                    '    rows["window_row"] = rows["seam_from_below"].clip(5, 9)',
                    '    rows["window_row"] = rows["seam_from_below"].clip(WINDOW // 2, PICTURE_ROWS - WINDOW // 2)',
                ),
                ('    rows["window_row"] = np.clip(rows["seam_from_below"], 5, 9)',),
            ),
        ),
    ),
    look_alikes=(
        Move("augment.shift", lambda config: 2),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.25),
    ),
)
