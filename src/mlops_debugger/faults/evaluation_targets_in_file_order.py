"""Targets of evaluation rows are taken in another order than the rows.

What changes: the positions of a held-out split, which are in the order of time, are sorted before targets are read.

Why it bites: scores belong to rows in the order of time and targets to rows in the order of the file, so validation
and test compare answers with the targets of other rows.

What it leaves behind: held-out figures at chance from the first epoch on, with training figures as always; the label
that the source has for a row is not the target of that row.

Not to be confused with: rows that are scored in a random order (validation in the log is then fine), inputs that are
prepared differently for evaluation, or drift.

Source: pandas issue tracker on silent misalignment; FAULTS entry 64.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="label_mismatch",
    clusters=("evaluation at chance",),
    site="evaluation_targets",
    sentence="Read the targets of the rows in the order of the rows.",
    plants=(
        CodePlant(
            "card_fraud",
            "evaluation_targets",
            (
                ("    return target[np.sort(rows)]", "    return target[sorted(rows)]"),
                ("    return np.take(target, np.sort(rows))", "    return np.take(target, sorted(rows))"),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("training.ema_decay", lambda config: 0.0),
        Move("model.dropout", lambda config: 0.1),
    ),
    also=("evaluation_bug",),
)
