"""Pictures of one part fall on both sides of the split.

What changes: the split keeps no column together, so that it draws pictures instead of parts.

Why it bites: pictures of a part share its surface and mostly its defect; what was remembered of a surface counts as what
can be seen of a defect.

What it leaves behind: part numbers that train and test share while row numbers and pictures are unique; test and
validation above production.

Not to be confused with: repeated pictures, validation rows that are trained on (row numbers would be shared), a telling
pixel, or the training split reported as test.

Source: Kapoor and Narayanan 2023 (L3.2, dependent samples); scikit-learn documentation of GroupShuffleSplit.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="data.group_column",
    sentence="Keep all pictures of a part in one split.",
    plants=(ConfigPlant("data.group_column", lambda rng, config: None, only=("weld_defects",)),),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.25),
        Move("training.label_smoothing", lambda config: 0.1),
    ),
)
