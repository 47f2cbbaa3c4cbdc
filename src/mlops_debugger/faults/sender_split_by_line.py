"""Lines of one sender fall on both sides of the split.

What changes: what is kept together by the split is a line, not the sender that wrote it.

Why it bites: senders have layouts of their own and put their name on every label, so the model learns each layout by
the name; new senders have names that it has never seen.

What it leaves behind: senders that occur in training, validation and test; hardly a name that is unknown in
validation and test; both above production, which has new senders.

Not to be confused with: texts that are repeated (equal inputs under different ids), a line field that gives the
layout away, validation rows that are trained on, or drift.

Source: Kapoor and Narayanan 2023 (L3.2, samples that depend on each other); FAULTS entry 40.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="data.group_column",
    sentence="Split by sender, so that all lines of one sender are on one side.",
    plants=(ConfigPlant("data.group_column", lambda rng, config: "line_id", only=("address_parts",)),),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("tokenizer.min_count", lambda config: 4),
        Move("model.dropout", lambda config: 0.35),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
