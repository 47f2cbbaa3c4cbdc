"""Training tags stand one position before their tokens.

What changes: the tags of a training line are written from the first column on, which belongs to the marker at the
start of a line; tokens begin in the second.

Why it bites: every token is taught the tag of the token behind it, and the last token of a line is taught nothing.

What it leaves behind: a training loss that falls as usual (the next tag can be told from the context); validation and
test far below it from the first epoch on, with most confusion between parts that follow each other; tags of training
rows that do not agree with the file; production as poor as the report.

Not to be confused with: rows scored in another order, classes that are numbered anew (one relabelling would restore
the diagonal), an older scheme of tags, or a vocabulary in another order.

Source: Hugging Face course on token classification (aligning labels with tokens); FAULTS entry 116.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="label_mismatch",
    clusters=("evaluation at chance",),
    site="training_labels",
    sentence="Write the tags of a training line from the column of its first token on.",
    plants=(
        CodePlant(
            "address_parts",
            "training_labels",
            (
                (
                    "        found[row, : len(named)] = named",
                    "        found[row, 0 : len(named)] = named",
                ),
                (
                    "        found[row][: len(named)] = named",
                    "        found[row, 0:][: len(named)] = named",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("model.dropout", lambda config: 0.0),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("tokenizer.min_count", lambda config: 3),
        Move("model.right_context", lambda config: 4),
    ),
)
