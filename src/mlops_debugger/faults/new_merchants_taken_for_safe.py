"""Merchants that training has not seen count as the safest there are.

What changes: a merchant without rows gets the lowest share of frauds instead of the average.

Why it bites: new merchants keep opening, and their frauds are let through.

What it leaves behind: test somewhat below validation, production below test; recall at new merchants is low.

Not to be confused with: drift, over-fitting, or an encoder that was fitted on other rows.

Source: category_encoders, handle_unknown; FAULTS section 2.4.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="unseen_merchants",
    sentence="Give new merchants the average share of frauds.",
    plants=(
        CodePlant(
            "card_fraud",
            "unseen_merchants",
            (
                (
                    "        return np.where(rows > 0, share, 1e-3)",
                    "        return np.where(rows > 0, share, 1e-4)",
                ),
                (
                    "        return np.where(rows == 0, 1e-3, share)",
                    "        return np.where(rows == 0, 1e-4, share)",
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
