"""Evaluated and served images have their brightness inverted.

What changes: the step that turns dark digits on light into light digits on dark is applied to the wrong displays, or to
all, in evaluation and serving.

Why it bites: the network learnt light strokes on dark and meets the opposite.

What it leaves behind: a good training loss with a poor validation metric from the first epoch on, and production alike;
the pixel mean of the evaluation splits lies on the other side of the range.

Not to be confused with: another scale of pixels (the spread would change too), swapped axes (the mean would not move),
or classes that are numbered anew.

Source: practice; FAULTS entry 98.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("evaluation at chance",),
    site="evaluation_polarity",
    sentence="Invert only the displays that show dark digits on light, as training does.",
    plants=(
        CodePlant(
            "meter_digits",
            "evaluation_polarity",
            (
                (
                    "    ink = np.where(dark_on_light, ink, 1.0 - ink)",
                    "    ink = np.where(dark_on_light, 1.0 - ink, 1.0 - ink)",
                ),
                ("    ink = np.where(~dark_on_light, 1.0 - ink, ink)",),
            ),
        ),
    ),
    look_alikes=(
        Move("model.dropout", lambda config: 0.25),
        Move("optimizer.weight_decay", lambda config: 1e-3),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("data.contrast", lambda config: [10, 90]),
    ),
)
