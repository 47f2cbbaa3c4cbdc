"""Evaluation texts keep their capitals.

What changes: training texts are put into lower case before they are split into words, validation and test texts are
not.

Why it bites: the vocabulary knows words in lower case alone, so names and the first words of sentences are unknown
in evaluation.

What it leaves behind: many more unknown words in validation and test than in training, nearly all of them
capitalised forms of known ones; metrics below those of production.

Not to be confused with: a vocabulary that is too small (unknown words in every split), new words over time, over-
fitting, or words that are numbered anew (none is then unknown).

Source: scikit-learn, Common pitfalls (inconsistent preprocessing); FAULTS entry 106.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("evaluation at chance",),
    site="evaluation_words",
    sentence="Put validation and test texts into lower case as training texts are.",
    plants=(
        CodePlant(
            "ticket_routing",
            "evaluation_words",
            (
                (
                    "    return [words_of(line) for line in texts]",
                    "    return [words_of(line.strip()) for line in texts]",
                ),
                (
                    "    return [words_of(line) for line in map(str.strip, texts)]",
                    "    return [words_of(line) for line in texts]",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("tokenizer.min_count", lambda config: 1),
        Move("tokenizer.max_words", lambda config: 4000),
        Move("model.dropout", lambda config: 0.3),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
    also=("evaluation_bug",),
)
