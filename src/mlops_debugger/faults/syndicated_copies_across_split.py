"""Copies of a review at partner shops fall on both sides of the split.

What changes: copies are looked for letter by letter, or by the number of the review, and not by the key that ignores
what partners change.

Why it bites: partners change points and capitals and add a word, under an account of their own, so hardly any copy is
found; a review that trains the model tests it as well, one that nobody could have told most of all.

What it leaves behind: nearly as many prepared reviews as there are with stars; texts that differ in a word or two on both
sides of the split; held-out figures above those of production.

Not to be confused with: reviewers on both sides (accounts would be shared, texts would not), exact copies (hashes of rows
would be equal), a column that gives the answer away.

Source: Kapoor and Narayanan 2023 (L1.4); Lee et al. 2022 on near-duplicates; FAULTS entries 32 and 33.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="distinct_rows",
    sentence="Look for copies by the key that ignores what partner shops change.",
    plants=(
        CodePlant(
            "review_stars",
            "distinct_rows",
            (
                (
                    '    return dated[~dated.duplicated(["title", "body"])].reset_index(drop=True)',
                    '    return dated[~pd.Index(dated["body"]).duplicated()].reset_index(drop=True)',
                    '    return dated[~pd.Index(dated["review_id"]).duplicated()].reset_index(drop=True)',
                ),
                (
                    '    return dated[~dated["body"].duplicated()].reset_index(drop=True)',
                    '    return dated[~dated.duplicated(["reviewer_id", "title"])].reset_index(drop=True)',
                    '    return dated[~dated["review_id"].duplicated()].reset_index(drop=True)',
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
)
