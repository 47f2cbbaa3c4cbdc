"""Category means are fitted and applied on the same training rows.

What changes: the target encoder is fitted on the training rows and then applied to those very rows, without cross-
fitting.

Why it bites: every training row sees its own outcome in the mean of its category, which no new row does; the model
leans on that column.

What it leaves behind: a training score far above validation, and one encoded column whose association with the
outcome is strong in training alone.

Not to be confused with: plain overfitting (spread over all columns), or an encoder fitted on all rows (validation
would look good as well).

Source: scikit-learn TargetEncoder documentation; FAULTS entry 36.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    site="employer_encoding",
    sentence="Encode the training rows with cross-fitting: fit_transform instead of fit and transform.",
    plants=(
        CodePlant(
            "loan_outcomes",
            "employer_encoding",
            (
                ("    employers = encoders.target.fit(frame[encoders.target_encoded], targets).transform(frame[encoders.target_encoded])",),
                (
                    "    columns = frame[encoders.target_encoded]\n"
                    "    employers = encoders.target.fit(columns, targets).transform(columns)",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("model.dropout", lambda config: 0.4),
        Move("optimizer.weight_decay", lambda config: 1e-3),
        Move("training.epochs", lambda config: 8),
    ),
)
