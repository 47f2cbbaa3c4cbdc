"""Amounts of one currency become labels as they stand.

What changes: the final amounts of claims are read without the rate of their currency, or with the rate the other way
round, while the prices among the inputs are converted.

Why it bites: claims of one network are four times too dear, or more. The model learns that faithfully, since it knows
the network, and test agrees, since it is labelled alike; quotes are due in EUR.

What it leaves behind: consistent figures inside; a median target of one network that is out of line with the others and
with its list prices; live figures far below test.

Not to be confused with: drift, an older label column (all networks would shift), inputs in mixed units, or a serving
function that answers on another scale.

Source: FAULTS entry 130; Roth 2026.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="label_mismatch",
    clusters=("deployment poor",),
    site="claim_costs",
    sentence="Convert the amount of every claim to EUR by the rate of its currency.",
    plants=(
        CodePlant(
            "repair_costs",
            "claim_costs",
            (
                (
                    '    rates = claims["currency"].map(EUR_PER_UNIT)\n    return claims[target].where(rates > 0)',
                    '    rates = claims["currency"].map(EUR_PER_UNIT)\n    return claims[target] / rates',
                ),
                (
                    '    rates = claims["currency"].map(EUR_PER_UNIT)\n    return claims[target].mask(rates.isna())',
                    '    rates = claims["currency"].map(EUR_PER_UNIT)\n    return claims[target].div(rates)',
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("training.epochs", lambda config: 30),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("features.level_smoothing", lambda config: 4.0),
    ),
    also=("preprocessing_bug",),
)
