"""Evaluated and served images have their axes swapped.

What changes: the axes of evaluated images are ordered as columns before rows; training images keep rows before columns.

Why it bites: every evaluated image is mirrored along its diagonal, and few symbols survive that.

What it leaves behind: a good training loss with a poor validation metric from the first epoch on, and production alike;
mean and spread over all pixels agree between the splits while the mean image does not.

Not to be confused with: inverted or rescaled pixels (the overall mean would move), classes that are numbered anew (a
relabelling would restore the metric), or over-fitting.

Source: Humbatova et al. ICSE 2020 (wrong shape of input); FAULTS entry 96.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("evaluation at chance",),
    site="evaluation_layout",
    sentence="Bring evaluated and served images into the layout of training: channel, rows, columns.",
    plants=(
        CodePlant(
            "meter_digits",
            "evaluation_layout",
            (
                (
                    "    return np.ascontiguousarray(scaled[..., None].transpose(0, 3, 2, 1))",
                    "    return np.ascontiguousarray(scaled[..., None].T.transpose(3, 0, 1, 2))",
                ),
                ("    return np.ascontiguousarray(np.swapaxes(scaled[..., None], 3, 1))",),
            ),
        ),
        CodePlant(
            "weld_defects",
            "evaluation_layout",
            (
                ("    return np.ascontiguousarray(np.swapaxes(level, 3, 1))",),
                (
                    "    return np.ascontiguousarray(level.transpose(0, 3, 2, 1))",
                    "    return np.ascontiguousarray(np.swapaxes(level, 1, 3))",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("model.dropout", lambda config: 0.25),
        Move("optimizer.weight_decay", lambda config: 1e-3),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("augment.max_shift", lambda config: 0.8),
    ),
)
