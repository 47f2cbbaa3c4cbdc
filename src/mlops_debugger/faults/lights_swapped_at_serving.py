"""Served pictures have their lights in the other order.

What changes: when a tray is read, the picture under the lower light comes first.

Why it bites: slopes look the other way up, so pits look like lumps and lumps like pits.

What it leaves behind: training, validation and test as good as ever; production mixes up the classes that the lights tell
apart and still finds cracks.

Not to be confused with: class names in another order (every class would suffer), drift, a window at another place, or an
older label column.

Source: OpenCV and Pillow channel order (BGR and RGB) in served models; Sculley et al. NeurIPS 2015.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="tray_lights",
    sentence="Stack the upper light before the lower one, as the export does.",
    plants=(
        CodePlant(
            "weld_defects",
            "tray_lights",
            (
                (
                    "    pictures = np.stack([lower, upper], axis=-1)",
                    "    pictures = np.stack((lower, upper), axis=3)",
                ),
                ("    pictures = np.concatenate([lower[..., None], upper[..., None]], axis=3)",),
            ),
        ),
    ),
    look_alikes=(
        Move("augment.mirror", lambda config: "each"),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.25),
    ),
)
