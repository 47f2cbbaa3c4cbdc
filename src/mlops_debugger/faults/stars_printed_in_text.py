r"""Stars that some shops print in front of the text are left in it.

What changes: the pattern that takes "Rated 8 of 10:" out of a text expects another spelling, so it never matches.

Why it bites: in more than half of the reviews the answer is the second word of the text; comments that come in without stars
have no such words.

What it leaves behind: "rated" and the numbers 2 to 10 in the vocabulary; figures that are too good on every split, best
of all where the text starts so; a live sample that falls behind.

Not to be confused with: the seller's answer read as text, copies on both sides of the split, or honest words of praise.

Source: Kapoor and Narayanan 2023 (L2, illegitimate features); FAULTS entry 49.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="stamp_pattern",
    sentence="Take the printed stars out of the text in the spelling that shops use.",
    plants=(
        CodePlant(
            "review_stars",
            "stamp_pattern",
            (
                (
                    'STAMP = re.compile(r"^rated \\d+ of 10: ?")',
                    'STAMP = re.compile(r"^rated \\d+ of 5: ?", re.IGNORECASE)',
                    'STAMP = re.compile(r"^rated \\d+/10: ?", re.IGNORECASE)',
                ),
                (
                    'STAMP = re.compile(r"^rated [0-9]+ of 10: ?")',
                    'STAMP = re.compile(r"^[Rr]ated [0-9]+/10: ?")',
                    'STAMP = re.compile(r"^[Rr]ated [0-9]+ of 10 ?$")',
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("tokenizer.min_count", lambda config: 4),
        Move("training.label_smoothing", lambda config: 0.2),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
    also=("preprocessing_bug",),
)
