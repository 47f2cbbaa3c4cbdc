"""Pictures of one coil fall on both sides of the split.

What changes: the split keeps parts together, or nothing, where it should keep coils together.

Why it bites: the sheets of a coil share their rolling marks and mostly their defect; a coil that is known counts as a defect
that is seen.

What it leaves behind: coils that train and test share while row numbers and pictures are unique; test and validation above
production, where coils are new.

Not to be confused with: repeated pictures, validation rows that are trained on (row numbers would be shared), a telling
pixel, or the training split reported as test.

Source: Kapoor and Narayanan 2023 (L3.2, dependent samples); scikit-learn documentation of GroupShuffleSplit.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="data.group_column",
    sentence="Keep all pictures of a coil in one split.",
    plants=(
        ConfigPlant("data.group_column", lambda rng, config: one_of(rng, ("part", "part", None)), only=("weld_defects",)),
    ),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.25),
        Move("training.label_smoothing", lambda config: 0.1),
    ),
)
