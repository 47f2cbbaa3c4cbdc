"""Copies are made before the data is split.

What changes: moved and grainy copies are made of all rows, and only then are the rows divided.

Why it bites: an image and its copies end up on both sides of the split, so validation and test reward remembering.

What it leaves behind: no equal rows anywhere, yet many evaluated images have a neighbour in training that is far closer
than any two training images of different origin; larger evaluation splits; production falls short of the report.

Not to be confused with: the training split reported as test, meters shared between splits, drift, or an easier test
period.

Source: Kapoor and Narayanan 2022 (leakage L1.4); cleanlab near duplicates; FAULTS entry 33.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    site="splits_and_copies",
    sentence="Split first and make copies of the training rows alone.",
    plants=(
        CodePlant(
            "meter_digits",
            "splits_and_copies",
            (
                (
                    "    frame, crops = with_copies(frame, crops, augment)\n"
                    "    rows = split_rows(frame, source)\n"
                    "    parts = {name: (frame.iloc[index].reset_index(drop=True), crops[index])"
                    " for name, index in rows.items()}",
                ),
                (
                    "    parts = {}\n"
                    "    frame, crops = with_copies(frame, crops, augment)\n"
                    "    for name, index in split_rows(frame, source).items():\n"
                    "        parts[name] = (frame.iloc[index].reset_index(drop=True), crops[index])",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("model.dropout", lambda config: 0.25),
        Move("augment.max_shift", lambda config: 0.35),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
