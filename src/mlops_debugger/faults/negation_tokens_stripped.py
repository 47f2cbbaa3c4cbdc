"""Negations are on the stop list.

What changes: the list of words that are left out includes "not", "no", "never" and their like, in every path.

Why it bites: "not working" and "working" become the same text although they belong into different queues.

What it leaves behind: no difference between stages; training and held-out metrics poorer alike, confusion between
the two queues of each topic; words that the tickets are full of are missing from the vocabulary.

Not to be confused with: a convolution that sees one word at a time (the words are then there), noisy labels, an
embedding that is too narrow, or a vocabulary that is too small.

Source: NLTK and scikit-learn stop lists, which contain negations (Nothman et al. 2018); FAULTS entry 109.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_LISTS = (
    "a and hardly in it never no nor not of on the this to with",
    "a and in is it never no not of on the this to with",
    "a and in it neither never no nor not of on or the this to with",
)


def _braces(words: str) -> str:
    return ", ".join(f'"{word}"' for word in words.split())


FAULT = Fault(
    category="preprocessing_bug",
    clusters=("underfit",),
    site="stop_words",
    sentence="Take negations off the stop list.",
    plants=(
        CodePlant(
            "ticket_routing",
            "stop_words",
            (
                tuple(f"STOP_WORDS = {{{_braces(words)}}}" for words in _LISTS),
                tuple(f'STOP_WORDS = frozenset("{words}".split())' for words in _LISTS),
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
