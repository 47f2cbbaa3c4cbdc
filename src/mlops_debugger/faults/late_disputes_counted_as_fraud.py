"""Every report counts as fraud, however late.

What changes: the label takes whatever was reported, where only reports within the window are fraud.

Why it bites: late reports are disputes about goods and have nothing to do with how a transaction looks: positives that nothing explains.

What it leaves behind: a higher share of frauds than agreed, lower recall on validation and test; production better than the report.

Not to be confused with: noise in the labels, a rare class that is lost, or rows whose window is open.

Source: cleanlab label issues; Dal Pozzolo et al. 2018; FAULTS section 2.5.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="label_mismatch",
    clusters=("underfit",),
    site="training_labels",
    sentence="Count reports within the agreed window only.",
    plants=(
        CodePlant(
            "card_fraud",
            "training_labels",
            (
                (
                    '    reported = np.isfinite(table["reported_after"])',
                    '    reported = ~np.isnan(table["reported_after"])',
                ),
                (
                    '    reported = np.isfinite(table["reported_after"])',
                    '    reported = np.greater_equal(table["reported_after"], 0)',
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
