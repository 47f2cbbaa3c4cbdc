"""Inputs are made for a forecast fewer steps ahead than was agreed.

What changes: the horizon in the config is one or two steps, the purchase plan needs six to eight.

Why it bites: level and rolling columns hold readings that no request has; there the last known reading stands in for
them, which the network takes for a load that no longer moves.

What it leaves behind: a horizon other than that of the model card; level and rolling columns that follow the target
closely; validation and test a little better than usual, production poorer.

Not to be confused with: a history that the code shifts by too little (the config is then in order), lags shorter than
the horizon, a centred window, or drift.

Source: Kapoor and Narayanan 2023 (L3.1); FAULTS entries 43 and 44.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="data_leakage",
    clusters=("deployment poor", "too good"),
    site="features.horizon",
    sentence="Make the inputs for as many steps ahead as the model card names.",
    plants=(ConfigPlant("features.horizon", lambda rng, config: one_of(rng, (1, 2)), only=("demand_forecast",)),),
    look_alikes=(
        Move("features.lags", lambda config: [16, 24, 56]),
        Move("features.windows", lambda config: [8, 16]),
        Move("model.dropout", lambda config: 0.1),
        Move("data.test_share", lambda config: 0.3),
    ),
    also=("config_error",),
)
