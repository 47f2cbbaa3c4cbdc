"""Some lags are shorter than the horizon of the forecast.

What changes: the shortest two lags count from 1 to 3 steps, while the forecast is made 6 to 8 steps ahead.

Why it bites: in training, validation and test the row before the target is on file; when a forecast is asked for it is
not, and the last known reading stands in for it.

What it leaves behind: validation and test are better than healthy ones by a wide margin and production is worse; lag
columns that follow the target more closely than anything known at the origin can.

Not to be confused with: a history or a window that ends too late (the lags in the config are then long enough), or a
series that is easy to forecast.

Source: Kapoor and Narayanan 2023, L2; FAULTS entry 44.
"""

from __future__ import annotations

import numpy as np

from mlops_debugger.edits import Value
from mlops_debugger.faults import Config, ConfigPlant, Fault, Move
from mlops_debugger.faults._values import number


def _shorter(rng: np.random.Generator, config: Config) -> Value:
    """The lags with the two shortest ones counted from the target as if nothing lay between."""
    lags, first = config["features.lags"], int(rng.integers(1, 4))
    if not isinstance(lags, list) or min(lags) < number(config, "features.horizon"):
        return None
    return [first, first + 1, *sorted(lags)[2:]]


FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="features.lags",
    sentence="Use only lags that are at least as long as the horizon of the forecast.",
    plants=(ConfigPlant("features.lags", _shorter),),
    look_alikes=(
        Move("features.windows", lambda config: [8, 16]),
        Move("data.test_share", lambda config: 0.3),
        Move("model.dropout", lambda config: 0.1),
        Move("features.harmonics", lambda config: 1),
    ),
)
