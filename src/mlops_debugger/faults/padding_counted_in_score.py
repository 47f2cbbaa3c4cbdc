"""Positions behind the end of a line count as tokens that were tagged right.

What changes: the mask of positions that go into the score covers the whole padded block, not the tagged tokens alone.

Why it bites: answers and targets are both blank where a line has ended, so every filled-up position is a hit; the
longer the longest line, the better the report.

What it leaves behind: more positions scored than the part has tokens; an accuracy above the one of the epoch lines,
of the confusion matrix and of production; the same loss.

Not to be confused with: answers that count within the first few, a score over the confident tokens alone (fewer
tokens, not more), lines that both parts share, or the training part reported as test.

Source: Hugging Face course on token classification (labels of -100); FAULTS entry 65.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_EVERYWHERE = (
    "    return np.ones_like(targets, dtype=bool)",
    "    return np.ones(targets.shape, dtype=bool)",
    "    return np.full(targets.shape, True)",
)

FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="scored_positions",
    sentence="Score the positions that hold a tagged token and no padding.",
    plants=(CodePlant("address_parts", "scored_positions", (_EVERYWHERE, _EVERYWHERE)),),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("data.split_seed", lambda config: 4321),
        Move("model.dropout", lambda config: 0.4),
        Move("evaluation.batch_size", lambda config: 64),
    ),
)
