"""Only the last layer trains.

What changes: every module but the head is listed as frozen.

Why it bites: the features stay as they were drawn, and a linear map of random features is all that can be learnt.

What it leaves behind: frozen layers without gradient or update while the head's are normal; training and held-out
metrics equally poor; fewer trainable weights than weights.

Not to be confused with: too small a learning rate (all layers then move a little), activations that are linear, a layer
that is too narrow, or too few epochs.

Source: TrainCheck (pytorch-forum-84911); SageMaker Debugger UnchangedTensor; FAULTS entry 144.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import number

FAULT = Fault(
    category="architecture_bug",
    clusters=("underfit",),
    site="model.freeze",
    sentence="Let every layer train.",
    plants=(
        ConfigPlant("model.freeze", lambda rng, config: ["body"], only=("loan_outcomes",)),
        ConfigPlant("model.freeze", lambda rng, config: ["trunk"], only=("card_fraud",)),
        ConfigPlant("model.freeze", lambda rng, config: ["conv", "dense"], only=("weld_defects",)),
    ),
    look_alikes=(
        Move("optimizer.learning_rate", lambda config: 3 * number(config, "optimizer.learning_rate")),
        Move("training.epochs", lambda config: 2 * int(number(config, "training.epochs"))),
        Move("model.dropout", lambda config: 0.0),
        Move("optimizer.weight_decay", lambda config: 0.0),
    ),
    also=("config_error",),
)
