"""Requests are read on another clock than the history.

What changes: the start of a forecast request, stamped in UTC, is taken for the site's time, or moved to the wrong side.

Why it bites: hour, weekday and weather of every served row belong to a time 6 to 18 hours off; readings and lags do
not.

What it leaves behind: training, validation and test are untouched and production is much worse.

Not to be confused with: drift between test and production, weather joined on the wrong clock (test is then poor
too), or leakage (test is then too good).

Source: FAULTS entry 113; pandas time-zone guide.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="request_clock",
    sentence="Move the requests' start from UTC to the site's clock by adding the offset.",
    plants=(
        CodePlant(
            "demand_forecast",
            "request_clock",
            (
                ('    first = requests["starts_at"]', '    first = requests["starts_at"] - offset'),
                ('    first = requests["starts_at"]', '    first = requests["starts_at"].sub(offset)'),
            ),
        ),
        CodePlant(
            "card_fraud",
            "request_clock",
            (
                (
                    '    table["when"] = table["when"] - source["utc_offset_hours"] * 3600',
                    '    table["when"] = table["when"].astype(np.int64)',
                ),
                (
                    '    table["when"] -= source["utc_offset_hours"] * 3600',
                    '    table["when"] += source["utc_offset_hours"] * 60',
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("features.harmonics", lambda config: 1),
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("model.dropout", lambda config: 0.1),
    ),
)
