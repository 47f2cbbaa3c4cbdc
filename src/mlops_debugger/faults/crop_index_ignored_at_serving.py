"""Served images are matched with rows by position.

What changes: when a batch from the field is read, images are taken in the order in which they are stored, not by the
index that each row holds.

Why it bites: most rows get the image of another row, so what is delivered is right by chance alone.

What it leaves behind: training, validation and test as good as ever; production at chance from the first day, with the
usual confidence and the usual shares of classes.

Not to be confused with: class names in another order (errors would be the same for all rows of a class), drift, leakage
(production would be poorer, not at chance), or evaluation rows in another order than their targets (the report suffers,
production does not).

Source: practice; pandas and NumPy alignment pitfalls; Sculley et al. NeurIPS 2015 (training and serving skew).
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="batch_crops",
    sentence="Take the image of every served row by the index that the row holds.",
    plants=(
        CodePlant(
            "meter_digits",
            "batch_crops",
            (
                (
                    "    crops = stored[: len(batch)]\n    return batch, crops",
                    "    crops = stored[batch.index.to_numpy()]\n    return batch, crops",
                ),
                ("    crops = np.take(stored, batch.index, axis=0)\n    return batch, crops",),
            ),
        ),
    ),
    look_alikes=(
        Move("model.dropout", lambda config: 0.25),
        Move("augment.max_shift", lambda config: 0.8),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
    also=("label_mismatch",),
)
