"""Amounts of requests are taken for major units.

What changes: the gateway's amounts are not divided by the minor units of their currency, or by the same number for every currency.

Why it bites: an amount counts in relation to what the card usually spends, so requests look a hundred times too dear, or yen too cheap.

What it leaves behind: training, validation and test are untouched and production is much worse; served amounts with another range.

Not to be confused with: inflation, drift, a request's clock, or scaling with other statistics.

Source: Sculley et al. 2015 on training/serving skew; ISO 4217 minor units; FAULTS section 2.4.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="request_amounts",
    sentence="Divide amounts of requests by the minor units of their currency.",
    plants=(
        CodePlant(
            "card_fraud",
            "request_amounts",
            (
                ('    major = table["amount"]', '    major = table["amount"].astype(float)'),
                (
                    '    sent = table["amount"]\n    major = sent.astype(float)',
                    '    amount = table["amount"]\n    major = amount',
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
