"""Shapes of incoming tokens are read after their capitals are gone.

What changes: serving puts a token into small letters before its shape is taken, training and evaluation take the
shape of what was written.

Why it bites: capitals tell a town from a street, a house number's letter from a unit's, and a region's letters from a
word; without them every token looks like one that the model knows in another role.

What it leaves behind: nothing inside the run; validation and test are as usual and production is well below them; the
way tokens are described at serving has another fingerprint.

Not to be confused with: words that serving does not normalise (words would be unknown), names of tags in another
order, new senders, or an older scheme of tags.

Source: scikit-learn, Common pitfalls (inconsistent preprocessing); spaCy discussions on shape features and lower-cased
input; FAULTS entry 106.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="serving_shapes",
    sentence="Take the shape of an incoming token as it was written, before case is folded.",
    plants=(
        CodePlant(
            "address_parts",
            "serving_shapes",
            (
                (
                    "    written = [shape_of(token.lower()) for token in incoming]",
                    "    written = [shape_of(token.casefold()) for token in incoming]",
                ),
                (
                    "    written = list(map(shape_of, map(str.lower, incoming)))",
                    "    written = [shape_of(token.lower()) for token in incoming]",
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
