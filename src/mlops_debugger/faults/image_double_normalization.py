"""Evaluated and served images are normalised twice.

What changes: pixels that are already between 0 and 1 are divided by 255 again, or standardised a second time, on the
way into evaluation and serving.

Why it bites: the network meets inputs of another scale and offset than those of training.

What it leaves behind: a good training loss with a poor validation metric, and production alike; the pixel mean and
spread of the evaluation splits differ from those of training by a constant factor.

Not to be confused with: inverted brightness (the spread stays), batch statistics that never settled (the same training
rows would then score poorly in evaluation mode), or over-fitting.

Source: TheDeepChecker (unscaled and doubly scaled inputs); FAULTS entry 79.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("evaluation at chance",),
    site="evaluation_scaling",
    sentence="Scale evaluated and served pixels once, exactly as the training pixels.",
    plants=(
        CodePlant(
            "meter_digits",
            "evaluation_scaling",
            (
                ("    scaled = (ink / 255.0 - prepared.mean) / prepared.scale",),
                (
                    "    scaled = ink / 255.0 - prepared.mean\n    scaled = scaled / prepared.scale",
                    "    scaled = (ink - prepared.mean) / prepared.scale\n"
                    "    scaled = (scaled - prepared.mean) / prepared.scale",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("model.bn_momentum", lambda config: 0.12),
        Move("model.dropout", lambda config: 0.25),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("data.contrast", lambda config: [10, 90]),
    ),
)
