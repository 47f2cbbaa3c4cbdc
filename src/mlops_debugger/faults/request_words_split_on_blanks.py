"""Incoming texts are split at blanks.

What changes: serving splits a text at blanks, where training takes runs of letters and digits and leaves function
words out.

Why it bites: a word with a full stop or a comma attached is unknown to the vocabulary, and words that training never
saw stand between those that belong together.

What it leaves behind: good figures inside the run; in production many words are unknown and answers drift towards
whatever the model says about an empty text; the words that serving makes of a sample differ from those of training.

Not to be confused with: new words over time, a vocabulary in another order (none is then unknown), classes named in
another order, or customers unlike those of training.

Source: Sculley et al. 2015 and Rules of Machine Learning, rule 32 (training-serving skew).
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="serving_words",
    sentence="Split incoming texts into words with the function that training uses.",
    plants=(
        CodePlant(
            "ticket_routing",
            "serving_words",
            (
                (
                    "    return [request.lower().split() for request in requests]",
                    '    return [request.lower().split(" ") for request in requests]',
                ),
                ("    return [request.split() for request in map(str.lower, requests)]",),
            ),
        ),
    ),
    look_alikes=(
        Move("tokenizer.min_count", lambda config: 1),
        Move("tokenizer.max_words", lambda config: 4000),
        Move("model.dropout", lambda config: 0.3),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
