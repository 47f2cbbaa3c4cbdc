"""Evaluation columns are scaled in another order.

What changes: validation, test and serving columns are sorted by name before they are scaled, while training keeps the
configured order.

Why it bites: each column is scaled with another column's mean and lands in another input of the model.

What it leaves behind: training goes well and validation does not from the first epoch on; every split's raw columns
look alike.

Not to be confused with: unscaled evaluation columns (ranges then differ wildly), drift, or a refitted encoder.

Source: scikit-learn feature-name checks; FAULTS entry 81.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("evaluation at chance",),
    site="evaluation_scaling",
    sentence="Keep evaluation columns in the order in which the scaler and the model were fitted.",
    plants=(
        CodePlant(
            "loan_outcomes",
            "evaluation_scaling",
            (
                (
                    "    table = fill_and_clip(frame, encoders)\n    numeric = encoders.scaler.transform(table[sorted(table)].to_numpy())",
                    "    table = fill_and_clip(frame, encoders).sort_index(axis=1)\n    numeric = encoders.scaler.transform(table.to_numpy())",
                ),
                (
                    "    filled = fill_and_clip(frame, encoders)\n    numeric = encoders.scaler.transform(filled[sorted(filled)].to_numpy())",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.batch_size", lambda config: 64),
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("model.dropout", lambda config: 0.3),
    ),
)
