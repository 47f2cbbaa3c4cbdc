"""The risk of merchants is counted on evaluation rows as well.

What changes: the encoder of merchants is fitted on all labelled rows instead of the training rows.

Why it bites: a merchant has few rows, so its share of frauds says a good deal about the answer of a validation or test row.

What it leaves behind: validation and test above what the released model reaches; more merchants known to the encoder than training has.

Not to be confused with: an encoder that counts a training row's own answer (validation is then too poor), or an easy test period.

Source: Kapoor and Narayanan 2023, L1.2; category_encoders issue 327; FAULTS section 2.2.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="risk_rows",
    sentence="Fit the risk of merchants on the training rows alone.",
    plants=(
        CodePlant(
            "card_fraud",
            "risk_rows",
            (
                ('        self.risk.fit(table["merchant"], target)',),
                ('        merchants = table["merchant"]\n        self.risk.fit(merchants, target)',),
            ),
        ),
    ),
    look_alikes=(
        Move("data.test_share", lambda config: 0.35),
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("model.dropout", lambda config: 0.4),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
