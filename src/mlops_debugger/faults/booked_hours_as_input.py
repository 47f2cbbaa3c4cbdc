"""Hours that are booked only afterwards are an input.

What changes: the list of numeric inputs has the hours that the garage booked when the repair was done.

Why it bites: they resemble the planned hours and also hold what nobody foresaw, so the model rests on them; when a
quote is asked for nothing has been booked, and every request gets the same value.

What it leaves behind: test a little better than before, or a lot where the list has no planned hours; a column of
the statistics whose name the card rules out; live figures far below test.

Not to be confused with: revisions of a claim on both sides of the split, levels that know the claim itself, drift
between test and the requests, or a request that is read in another unit (no input is then new).

Source: Kapoor and Narayanan 2023, L2; deepchecks FeatureLabelCorrelation; FAULTS entry 38.
"""

from __future__ import annotations

import numpy as np

from mlops_debugger.edits import Value
from mlops_debugger.faults import Config, ConfigPlant, Fault, Move


def _with_booked(rng: np.random.Generator, config: Config) -> Value:
    columns = config["features.numeric"]
    if not isinstance(columns, list):
        return None
    position = int(rng.integers(len(columns) + 1))
    return [*columns[:position], "booked_hours", *columns[position:]]


FAULT = Fault(
    category="data_leakage",
    clusters=("too good", "deployment poor"),
    site="features.numeric",
    sentence="Drop booked_hours from the inputs: it is known only when the repair is done.",
    plants=(ConfigPlant("features.numeric", _with_booked, only=("repair_costs",)),),
    look_alikes=(
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("features.level_smoothing", lambda config: 4.0),
        Move("data.split_seed", lambda config: 4321),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
