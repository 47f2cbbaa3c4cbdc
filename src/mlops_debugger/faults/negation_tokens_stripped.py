"""Negations are on the stop list.

What changes: the list of words that are left out includes "not", "no", "never" and their like, in every path.

Why it bites: "not working" and "working" become the same text although they belong into different queues.

What it leaves behind: no difference between stages; training and held-out metrics poorer alike, confusion between the
two queues of each topic; words that the tickets are full of are missing from the vocabulary.

Not to be confused with: a convolution that sees one word at a time (the words are then there), noisy labels, an embedding
that is too narrow, or a vocabulary that is too small.

Source: NLTK and scikit-learn stop lists, which contain negations (Nothman et al. 2018); FAULTS entry 109.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    site="stop_words",
    sentence="Take negations off the stop list.",
    plants=(
        CodePlant(
            "ticket_routing",
            "stop_words",
            (
                (
                    'STOP_WORDS = {"a", "and", "hardly", "in", "it", "never", "no", "nor", "not", "of", "on", "the", "this", "to"}',
                    'STOP_WORDS = {"a", "and", "in", "is", "it", "never", "no", "not", "of", "on", "the", "this", "to", "with"}',
                ),
                (
                    'STOP_WORDS = frozenset("a and hardly in it never no nor not of on the this to with".split())',
                    'STOP_WORDS = frozenset("a and in is it my never no nor not of on the this to with".split())',
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("model.window", lambda config: 5),
        Move("model.embedding_dim", lambda config: 24),
        Move("tokenizer.max_words", lambda config: 4000),
        Move("training.label_smoothing", lambda config: 0.0),
    ),
)
