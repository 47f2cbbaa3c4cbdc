"""The odometer of a request is read in kilometres whatever its unit.

What changes: readings in miles are not converted, or those in kilometres are, when a request is put into the columns of
claims.

Why it bites: nearly half of the cars seem to have run three fifths of their way, or all others more than theirs; wear
moves the cost in opposite directions for different kinds of work.

What it leaves behind: training, validation and test untouched; live figures somewhat poorer, on some requests only.

Not to be confused with: gaps that are read as zero, work codes that are numbered anew, drift between test and the
requests, or answers that leave the logarithmic scale by another way.

Source: Breck et al. 2019 (data validation between training and serving); FAULTS entry 84.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="request_mileage",
    sentence="Convert readings in miles, and only those, to kilometres.",
    plants=(
        CodePlant(
            "repair_costs",
            "request_mileage",
            (
                (
                    "    mileage = reading.where(~in_miles, reading / KM_PER_MILE)",
                    "    mileage = reading.where(in_miles, reading * KM_PER_MILE)",
                ),
                (
                    "    mileage = reading / np.where(in_miles, KM_PER_MILE, 1.0)",
                    "    mileage = reading * np.where(in_miles, 1.0, KM_PER_MILE)",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("features.level_smoothing", lambda config: 4.0),
        Move("model.dropout", lambda config: 0.1),
    ),
)
