"""Rows that are evaluated or served are not scaled.

What changes: the fitted scaler is applied to training rows but not to those of validation, test and production.

Why it bites: the network meets inputs in raw units, far outside of what it was trained on.

What it leaves behind: a good training loss with a poor validation metric from the first epoch on; columns of the
evaluation splits with the means and spreads of the raw data.

Not to be confused with: drift between the splits, over-fitting, columns in another order, or labels that are encoded
anew.

Source: scikit-learn common pitfalls (inconsistent preprocessing); FAULTS entry 76.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("evaluation at chance",),
    site="evaluation_scaling",
    sentence="Apply the scaler that was fitted in training to evaluation and serving rows too.",
    plants=(
        CodePlant(
            "demand_forecast",
            "evaluation_scaling",
            (
                (
                    "    bounded = fill_and_clip(table, scaling)\n    return bounded.to_numpy()",
                    "    bounded = fill_and_clip(table, scaling)\n    return bounded.to_numpy(dtype=float)",
                ),
                ("    prepared = fill_and_clip(table, scaling)\n    return prepared.to_numpy()",),
            ),
        ),
        CodePlant(
            "loan_outcomes",
            "evaluation_scaling",
            (
                (
                    "    table = fill_and_clip(frame, encoders)\n    numeric = table.to_numpy()",
                    "    table = fill_and_clip(frame, encoders)\n    numeric = table.to_numpy(dtype=float)",
                ),
                ("    filled = fill_and_clip(frame, encoders)\n    numeric = filled.to_numpy()",),
            ),
        ),
        CodePlant(
            "meter_digits",
            "evaluation_scaling",
            (
                ("    scaled = np.clip(ink, 0.0, 1.0)", "    scaled = ink.astype(np.float64)"),
                (
                    "    scaled = np.clip(ink, 0.0, 1.0)\n    scaled = scaled.astype(np.float64)",
                    "    scaled = ink.astype(np.float64)\n    scaled = np.clip(scaled, 0.0, 1.0)",
                ),
            ),
        ),
        CodePlant(
            "weld_defects",
            "evaluation_scaling",
            (
                ("    level = np.asarray(light, dtype=float)", "    level = light.astype(float)"),
                (
                    "    level = light.astype(float)\n    level = level.copy()",
                    "    level = light.copy()\n    level = level.astype(float)",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("model.dropout", lambda config: 0.2),
        Move("optimizer.weight_decay", lambda config: 1e-3),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
    ),
)
