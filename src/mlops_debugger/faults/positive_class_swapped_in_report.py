"""The report is about the common class.

What changes: the class whose F1, precision and recall are reported is the legitimate one, not fraud.

Why it bites: nine in ten transactions are legitimate, so that almost any answer has a high F1 for them.

What it leaves behind: a reported F1 far above the one in the log for the same epoch; counts of alerts and frauds that
do not fit it; a headline that the confusion matrix gives for the other class.

Not to be confused with: leakage (scores are then too good as well), or an average over classes.

Source: scikit-learn guide, pos_label; FAULTS section 2.3.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="evaluation.positive_class",
    sentence="Report precision, recall and F1 of fraud.",
    plants=(ConfigPlant("evaluation.positive_class", lambda rng, config: "legitimate", only=("card_fraud",)),),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("data.test_share", lambda config: 0.35),
        Move("model.dropout", lambda config: 0.4),
    ),
)
