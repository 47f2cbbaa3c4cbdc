"""Validation rows are trained on as well.

What changes: the training positions that the split returns include those of the validation rows.

Why it bites: validation measures what is remembered, so it overstates the model and says nothing on when to stop.

What it leaves behind: row numbers that occur in training and in validation; a training split as large as both;
validation well above test and above production, where healthy runs have them close.

Not to be confused with: repeated texts (other row numbers, and test is too good as well), positions that are looked
up in the wrong list (test overlaps too), or the training split reported as test.

Source: Kapoor and Narayanan 2023 (L1.1); Lightning issue 2924; FAULTS entry 48.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_ROWS = ("np.append(train, rest[val])", "np.union1d(train, rest[val])")

FAULT = Fault(
    category="data_leakage",
    clusters=("validation good, report poor", "too good"),
    site="split_rows",
    sentence="Train on the training positions alone.",
    plants=(
        CodePlant(
            "meter_digits",
            "split_rows",
            (
                tuple(f'    return {{"train": {rows}, "validation": rest[val], "test": rest[test]}}' for rows in _ROWS),
                tuple(f"    return dict(train={rows}, validation=rest[val], test=rest[test])" for rows in _ROWS),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("training.label_smoothing", lambda config: 0.2),
        Move("model.dropout", lambda config: 0.2),
        Move("data.split_seed", lambda config: 4321),
    ),
)
