"""Training pictures are mirrored in a direction that decides the class.

What changes: the augmentation mirrors pictures across the seam, or in both directions, instead of along it alone.

Why it bites: undercut sits at one toe and pits differ from lumps by the side that a light darkens; half of the training
pictures show one defect under the name of another.

What it leaves behind: a training loss that stays high; validation, test and production poorer alike, in the classes that
turn into each other; recorded inputs, which are taken before augmentation, are as ever.

Not to be confused with: augmentation that is too strong but keeps the class, an older label column, or too small a
network.

Source: practice (flips of digits, text and road signs); torchvision transforms documentation; FAULTS entry on augmentation
that destroys labels.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("underfit",),
    site="augment.mirror",
    sentence="Mirror training pictures along the seam alone.",
    plants=(
        ConfigPlant("augment.mirror", lambda rng, config: one_of(rng, ("across", "each")), only=("weld_defects",)),
    ),
    look_alikes=(
        Move("augment.erase", lambda config: 0),
        Move("augment.relight", lambda config: 0.0),
        Move("model.channels", lambda config: 12),
        Move("model.dropout", lambda config: 0.0),
    ),
    also=("config_error",),
)
