"""Rows without a label get one.

What changes: rows whose label is missing are given the most common label instead of being left out.

Why it bites: labels are missing more often in the classes that matter, so these are taught and tested as something
else.

What it leaves behind: more rows than labels, a class that grew, a lower recall of the others; validation and test
share the mistake, production does not.

Not to be confused with: class imbalance, random label noise, or an older label column.

Source: cleanlab label issues; Humbatova et al. ICSE 2020; FAULTS entry 125.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="label_mismatch",
    clusters=("a class lost", "deployment poor"),
    site="labelled_rows",
    sentence="Leave out the rows whose label is missing.",
    plants=(
        CodePlant(
            "loan_outcomes",
            "labelled_rows",
            (
                (
                    '    known = frame.fillna({label: "current"})\n    return known.reset_index(drop=True)',
                    '    known = frame.assign(**{label: frame[label].fillna("current")})\n    return known.reset_index(drop=True)',
                ),
                (
                    '    known = frame.fillna({label: "current"})\n    return known.reset_index(drop=True)',
                    '    known = frame.assign(**{label: frame[label].fillna("current")})\n    return known.reset_index(drop=True)',
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("training.label_smoothing", lambda config: 0.1),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("optimizer.weight_decay", lambda config: 1e-3),
    ),
)
