"""One branch's amounts keep another unit.

What changes: balances that one branch reports in thousands are no longer brought to currency units.

Why it bites: the same number means a thousandfold amount for these rows, so the column tells the branch instead of
the burden.

What it leaves behind: a column with two separate bulks of values, a weaker model everywhere, no error.

Not to be confused with: a true sub-population (both bulks would overlap in other columns), or a model that is too
small.

Source: data validation practice (TFDV schemas); FAULTS entry 84.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    site="amount_units",
    sentence="Multiply the balances that are reported in thousands by 1000.",
    plants=(
        CodePlant(
            "loan_outcomes",
            "amount_units",
            (
                (
                    '    reported_in_thousands = frame["branch"] == "South"\n    frame.loc[reported_in_thousands, "balance"] *= 1000.0',
                    '    reported_in_thousands = frame["branch"] == "south"\n    frame.loc[reported_in_thousands, "balance"] *= 10.0',
                ),
                (
                    '    reported_in_thousands = frame["branch"] == "South"\n'
                    '    frame["balance"] = frame["balance"].where(~reported_in_thousands, frame["balance"] * 1000.0)',
                    '    reported_in_thousands = frame["branch"] == "south"\n'
                    '    frame["balance"] = frame["balance"].where(reported_in_thousands, frame["balance"] * 1000.0)',
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("model.dropout", lambda config: 0.0),
        Move("optimizer.weight_decay", lambda config: 0.0),
    ),
)
