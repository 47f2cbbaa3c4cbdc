"""Short reviews are not scored.

What changes: the evaluation scores only reviews of 10 to 13 words or more, where it should score all that have a word.

Why it bites: short reviews say least about their stars and are the hardest; production gets them as well.

What it leaves behind: validation and test that are smaller than the split makes them, and in which the fewest tokens are
more than in training; a report that is a little better than it used to be, and a live sample that is not.

Not to be confused with: leakage (as many rows would be scored), short reviews that attention reads badly at serving
(production would be poorer than usual), or drift.

Source: practice; biased test sets in Kapoor and Narayanan 2023 (L3.3); FAULTS entry 51.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_LEAST = (10, 11, 12, 13)
_COUNTS = "    counts = np.array([len(words) - 2 for words in word_lists])\n"

FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="scored_rows",
    sentence="Score every review that has a word in it.",
    plants=(
        CodePlant(
            "review_stars",
            "scored_rows",
            (
                tuple(f"{_COUNTS}    return np.flatnonzero(counts > {least - 1})" for least in _LEAST),
                tuple(f"{_COUNTS}    return np.flatnonzero(counts >= {least})" for least in _LEAST),
            ),
        ),
    ),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("tokenizer.model_max_length", lambda config: 80),
        Move("model.dropout", lambda config: 0.3),
    ),
    also=("data_leakage",),
)
