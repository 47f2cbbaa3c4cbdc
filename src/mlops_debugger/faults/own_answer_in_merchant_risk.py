"""A training row is encoded with its own answer.

What changes: the risk of a training row's merchant counts that row too, instead of the others alone.

Why it bites: merchants have few rows, so the input tells the answer in training and does not later: the network trusts it too much.

What it leaves behind: training far better than validation and test; an input that separates the classes on training rows alone.

Not to be confused with: over-fitting in general (more dropout helps then), or an encoder that was fitted on evaluation rows (test is then too good).

Source: scikit-learn guide, target encoding and cross fitting; Kapoor and Narayanan 2023, L1.2.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    clusters=("validation good, report poor",),
    site="training_risk",
    sentence="Encode a training row by the other rows of its merchant.",
    plants=(
        CodePlant(
            "card_fraud",
            "training_risk",
            (
                ("        return self._share(frauds, rows)",),
                ("        known = frauds, rows\n        return self._share(*known)",),
            ),
        ),
    ),
    look_alikes=(
        Move("data.test_share", lambda config: 0.35),
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("model.dropout", lambda config: 0.4),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
    also=("preprocessing_bug",),
)
