"""The digits of incoming words are not turned into zeros.

What changes: serving only puts words into small letters; in training and evaluation the value of digits is taken out
as well.

Why it bites: the list of features knows numbers by their length alone, so nearly every number that comes in is an
unknown word, and how long it is (which tells a postcode from a house number) is lost.

What it leaves behind: nothing inside the run; validation and test are as usual, production is below them, with house
numbers, units and regions taken for each other; the way tokens are described at serving has another fingerprint.

Not to be confused with: shapes without capitals, commas that stay on words, names of tags in another order, new
senders, or an older scheme of tags.

Source: scikit-learn, Common pitfalls (inconsistent preprocessing); FAULTS entry 106.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="serving_words",
    sentence="Normalise the digits of incoming words as in training.",
    plants=(
        CodePlant(
            "address_parts",
            "serving_words",
            (
                (
                    "    spoken = [token.lower() for token in incoming]",
                    "    spoken = list(map(str.lower, incoming))",
                ),
                (
                    "    spoken = list(map(str.lower, incoming))",
                    "    spoken = [token.casefold() for token in incoming]",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.35),
        Move("tokenizer.min_count", lambda config: 3),
        Move("data.split_seed", lambda config: 4321),
    ),
)
