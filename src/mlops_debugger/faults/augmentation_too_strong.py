"""Most of every training picture is blanked.

What changes: the square that augmentation blanks has a side of 6 to 8 pixels in a window of ten.

Why it bites: what decides the class is mostly outside of what the network is shown, so that it learns from remnants,
and its batch statistics are those of blanked pictures.

What it leaves behind: a training loss well above the validation loss of healthy runs; validation, test and production
poorer alike; recorded inputs as ever.

Not to be confused with: mirroring that changes the class, too small a network, too few epochs, or dropout that is too high.

Source: random erasing and cutout papers (size of the patch); DeepCrime TAN; FAULTS entry on augmentation that destroys labels.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="config_error",
    clusters=("underfit",),
    site="augment.erase",
    sentence="Blank a small square of a training picture, of three pixels at most.",
    plants=(ConfigPlant("augment.erase", lambda rng, config: one_of(rng, (6, 7, 8)), only=("weld_defects",)),),
    look_alikes=(
        Move("augment.relight", lambda config: 0.0),
        Move("augment.shift", lambda config: 0),
        Move("model.channels", lambda config: 12),
        Move("model.dropout", lambda config: 0.0),
    ),
    also=("preprocessing_bug",),
)
