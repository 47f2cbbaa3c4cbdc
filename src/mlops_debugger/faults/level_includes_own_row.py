"""Training rows see their own target in the mean of their key.

What changes: the mean markup that a training claim gets for its part and its garage is built from all training claims,
its own among them, instead of from the other folds.

Why it bites: a part has two or three claims, so a large share of its mean is the very amount to be learnt. The model
trusts the mean far more than it is worth for a claim that is not in it.

What it leaves behind: a training loss far below the validation loss from the first epochs; a level column whose tie to
the target is close in training and loose elsewhere; validation, test and production poor alike.

Not to be confused with: a model that is too large or trained too long, revisions of a claim on both sides of the split
(test would gain), or a regularisation that is missing.

Source: Micci-Barreca 2001; scikit-learn TargetEncoder guide (cross fitting); FAULTS entry 36.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    clusters=("underfit",),
    site="training_levels",
    sentence="Give every training claim the level that the claims of the other folds imply.",
    plants=(
        CodePlant(
            "repair_costs",
            "training_levels",
            (
                ("        others = claims.copy()", "        others = claims"),
                ("        others = claims.copy()", "        others = claims[fold >= 0]"),
            ),
        ),
    ),
    look_alikes=(
        Move("model.dropout", lambda config: 0.2),
        Move("optimizer.weight_decay", lambda config: 1e-3),
        Move("model.hidden_dims", lambda config: [24, 12]),
        Move("data.split_seed", lambda config: 4321),
    ),
    also=("preprocessing_bug",),
)
