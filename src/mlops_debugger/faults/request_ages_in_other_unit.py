"""Ages of a request's earlier transactions are in the wrong unit.

What changes: seconds are taken for minutes or for milliseconds when the history of a request is read.

Why it bites: quick series are what gives a stolen card away, and a request shows none, or nothing but them.

What it leaves behind: training, validation and test are untouched; production is worse; served hours with another range than those of test.

Not to be confused with: drift, a shifted clock (only the hour of the day is then off), or a history from later rows.

Source: Sculley et al. 2015 on training/serving skew; FAULTS section 2.4.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="request_history",
    sentence="Divide ages in seconds by 3600.",
    plants=(
        CodePlant(
            "card_fraud",
            "request_history",
            (
                (
                    '        return {"hours": table["recent_age"] / 60, "spent": table["recent_euros"]}',
                    '        return {"hours": table["recent_age"] / 3600000, "spent": table["recent_euros"]}',
                    '        return {"hours": table["recent_age"] / 3_600_000, "spent": table["recent_euros"]}',
                ),
                (
                    '        return dict(hours=table["recent_age"] / 60, spent=table["recent_euros"])',
                    '        return dict(hours=table["recent_age"] / 3600000, spent=table["recent_euros"])',
                    '        return dict(hours=table["recent_age"] / 3_600_000, spent=table["recent_euros"])',
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
