"""Transactions that can still be reported count as legitimate.

What changes: rows are kept whose window for reports was open on the day of the export.

Why it bites: frauds of the last weeks are not all known yet, and these weeks are the test rows.

What it leaves behind: a share of frauds that falls towards the end of the test period; test below validation and below production; more rows than usual.

Not to be confused with: drift, a shorter window in the definition of the label (training is then affected as well), or rows scored out of order.

Source: Dal Pozzolo et al. 2018 on verification latency; FAULTS section 2.5.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="label_mismatch",
    clusters=("validation good, report poor",),
    site="labelled_rows",
    sentence="Keep only rows whose window for reports has closed.",
    plants=(
        CodePlant(
            "card_fraud",
            "labelled_rows",
            (
                (
                    "    closed = age >= 0",
                    "    closed = age > 0",
                ),
                (
                    "    closed = np.greater_equal(age, 0)",
                    "    closed = np.greater(age, 0)",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("model.dropout", lambda config: 0.1),
    ),
)
