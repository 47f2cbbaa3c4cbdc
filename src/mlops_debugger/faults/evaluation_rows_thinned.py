"""Validation and test are thinned like the training rows.

What changes: legitimate rows are left out of every split, where only training was to be thinned.

Why it bites: alerts in vain are as frequent as legitimate rows, so precision is overstated; the threshold is set on other shares than those of production.

What it leaves behind: a share of frauds in validation and test like that of training; production figures below the report.

Not to be confused with: leakage (scores themselves are then too good), drift, or a changed label.

Source: Kapoor and Narayanan 2023, L3.3; imbalanced-learn, common pitfalls.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="sampled_rows",
    sentence="Thin the training rows alone.",
    plants=(
        CodePlant(
            "card_fraud",
            "sampled_rows",
            (
                ("        return {name: self.thin(part, target) for name, part in rows.items()}",),
                ("        return {name: self.thin(rows[name], target) for name in rows}",),
            ),
        ),
    ),
    look_alikes=(
        Move("data.test_share", lambda config: 0.35),
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("model.dropout", lambda config: 0.4),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
    also=("data_leakage",),
)
