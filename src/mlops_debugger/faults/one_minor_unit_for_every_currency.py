"""Amounts of requests are divided by a hundred in every currency.

What changes: the minor units of a request's currency are not looked up; all amounts are taken for hundredths.

Why it bites: yen have no minor unit, so that their amounts are a hundred times too small and no longer look suspicious.

What it leaves behind: training, validation and test are untouched; production misses frauds, in one currency alone.

Not to be confused with: drift of one market, new merchants, or a request's clock.

Source: ISO 4217 minor units; Sculley et al. 2015 on training/serving skew.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="request_amounts",
    sentence="Look up the minor units of every request's currency.",
    plants=(
        CodePlant(
            "card_fraud",
            "request_amounts",
            (
                (
                    '    major = table["amount"] / 100',
                    '    major = table["amount"] / MINOR_UNITS["EUR"]',
                ),
                (
                    '    units = 100\n    major = table["amount"] / units',
                    '    units = MINOR_UNITS["EUR"]\n    major = table["amount"] / units',
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
