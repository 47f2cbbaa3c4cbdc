"""Repeated rows stay in the data and fall on both sides of the split.

What changes: repetitions are looked for with the number of the row or of the sender among the columns, so none is
found.

Why it bites: a text that was sent three times trains the model and then tests it; what the model remembers counts as
what it can tell.

What it leaves behind: as many prepared rows as there are labelled ones; equal inputs under different ids, inside the
training rows and across the splits; a test metric above that of production, most of all on the repeated rows.

Not to be confused with: groups that are split (ids of customers would be shared, texts would not), the training
split reported as test, a field that gives the answer away, or drift.

Source: Kapoor and Narayanan 2023 (L1.4); deepchecks TrainTestSamplesMix; FAULTS entry 32.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="distinct_rows",
    sentence="Look for repeated rows by what they say, not by their number, before the split.",
    plants=(
        CodePlant(
            "ticket_routing",
            "distinct_rows",
            (
                (
                    '    return ordered.drop_duplicates(subset=["ticket_id"]).reset_index(drop=True)',
                    '    return ordered.drop_duplicates(subset=["ticket_id", "body"]).reset_index(drop=True)',
                    "    return ordered.drop_duplicates().reset_index(drop=True)",
                ),
                (
                    '    return ordered[~ordered.duplicated(subset=["ticket_id"])].reset_index(drop=True)',
                    '    return ordered[~ordered.duplicated(subset=["customer_id", "body"])].reset_index(drop=True)',
                    "    return ordered[~ordered.duplicated()].reset_index(drop=True)",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("tokenizer.min_count", lambda config: 3),
        Move("training.label_smoothing", lambda config: 0.2),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
