"""Tokens that the model is not sure of are left out of the score.

What changes: the report is made over the tokens whose answer has a probability above some bar, as a page for
reviewers would have it, and not over all of them.

Why it bites: the answers that are left out are the ones that are mostly not right; in production every token gets a
tag, sure or not.

What it leaves behind: fewer tokens scored than the part has; an accuracy above the one of the epoch lines and of the
confusion matrix for the same rows; production below the report.

Not to be confused with: padding that counts (more positions are scored then), answers that count within the first
few, leakage (the confusion matrix would be better as well), or drift.

Source: Kapoor and Narayanan 2023 (L3.3, a test set that is not what is predicted on); FAULTS entry 51.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="evaluation.min_confidence",
    sentence="Score every token, whether the model is sure of it or not.",
    plants=(ConfigPlant("evaluation.min_confidence", lambda rng, config: one_of(rng, (0.9, 0.92, 0.95))),),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("training.label_smoothing", lambda config: 0.1),
        Move("data.split_seed", lambda config: 4321),
        Move("evaluation.batch_size", lambda config: 64),
    ),
)
