"""An unknown odometer reading of a request becomes zero kilometres.

What changes: the code for an unknown reading is raised to zero instead of being taken as a gap.

Why it bites: cars of any age seem to come from the factory; gaps of the claims take the median instead.

What it leaves behind: training, validation and test untouched; live figures poorer on the requests without a reading.

Not to be confused with: miles that are read as kilometres, bounds that are too narrow, drift, or gaps in training.

Source: FAULTS entry 85; Breck et al. 2019 (training-serving skew in default values).
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="request_gaps",
    sentence="Take a negative odometer reading of a request as a gap.",
    plants=(
        CodePlant(
            "repair_costs",
            "request_gaps",
            (
                (
                    '    reading = requests["odometer"].clip(lower=0)',
                    '    reading = requests["odometer"].mask(requests["odometer"] < 0, 0.0)',
                    '    reading = requests["odometer"].fillna(-1.0)',
                ),
                (
                    '    reading = requests["odometer"].clip(lower=0)',
                    '    reading = requests["odometer"].where(requests["odometer"] >= 0, 0.0)',
                    '    reading = requests["odometer"].fillna(-1.0)',
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("model.dropout", lambda config: 0.1),
        Move("features.level_smoothing", lambda config: 4.0),
    ),
)
