"""Positions within the held-out part are used as positions within the table.

What changes: the second split works on the held-out rows, and the positions that it gives are used on the whole
table without being looked up in the held-out ones.

Why it bites: validation and test are rows from the beginning of the table, and more than half of them are training
rows.

What it leaves behind: row numbers that two splits share; validation and test that end early while training spans the
whole period; validation and test above production.

Not to be confused with: repeated texts (other row numbers), a split by time, drift (production would suffer alone),
or the training split reported as test.

Source: scikit-learn threads on positions returned by nested splitters; FAULTS entry 46.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    site="split_rows",
    sentence="Look the positions of the second split up among the held-out rows.",
    plants=(
        CodePlant(
            "ticket_routing",
            "split_rows",
            (
                ('    return {"train": train, "validation": validation, "test": test}',),
                ("    return dict(train=train, validation=validation, test=test)",),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("training.label_smoothing", lambda config: 0.12),
        Move("model.dropout", lambda config: 0.2),
        Move("data.split_seed", lambda config: 4321),
    ),
)
