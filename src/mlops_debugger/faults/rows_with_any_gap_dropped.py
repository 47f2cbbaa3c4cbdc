"""Rows with a gap in any column are dropped.

What changes: rows are kept only if no column at all is blank, instead of the label alone.

Why it bites: a column that one device never fills takes all of that device's rows with it, from training and from
evaluation alike, and production still has the device.

What it leaves behind: good figures for validation and test; far fewer prepared rows than labels; one device missing
from every split; production falls short.

Not to be confused with: leakage (the report would be better than before), drift over time, an older label column, or
classes that are named in another order.

Source: pandas documentation of dropna; Suresh and Guttag 2021 (representation bias); FAULTS entry 93.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="labelled_rows",
    sentence="Drop only the rows whose label is missing.",
    plants=(
        CodePlant(
            "meter_digits",
            "labelled_rows",
            (
                (
                    "    keep = frame.notna().all(axis=1).to_numpy()\n"
                    "    return frame[keep].reset_index(drop=True), crops[keep]",
                ),
                (
                    "    keep = ~frame.isna().any(axis=1).to_numpy()\n"
                    "    return frame[keep].reset_index(drop=True), crops[keep]",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("model.dropout", lambda config: 0.25),
        Move("augment.max_shift", lambda config: 0.8),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("data.group_column", lambda config: None),
    ),
)
