"""The meter codes of a request are read with another meaning.

What changes: in requests the backup meter is looked for under the code of the main meter, or under one that does not
occur.

Why it bites: readings of one meter are multiplied as if they came from the other, or are not converted at all, so that
level and lags of served rows are off by a factor.

What it leaves behind: training, validation and test are untouched; in production forecasts are far from the load, all
of them or those whose week has readings of the backup meter.

Not to be confused with: drift between test and production, a request clock that is off (levels are then right), or
units that are mixed in training as well.

Source: FAULTS entries 84 and 114; Breck et al. 2019 (data validation between training and serving).
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

_CODES = (0, 1)

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="request_meters",
    sentence="Read code 2 of a request as the backup meter.",
    plants=(
        CodePlant(
            "demand_forecast",
            "request_meters",
            (
                tuple(f'            "backup": (meter.ravel() == {code}).astype(int),' for code in _CODES),
                tuple(f'            "backup": np.where(meter.ravel() == {code}, 1, 0),' for code in _CODES),
            ),
        ),
    ),
    look_alikes=(
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("features.windows", lambda config: [8, 16]),
        Move("model.dropout", lambda config: 0.1),
    ),
)
