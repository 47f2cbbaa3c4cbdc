"""Commas stay on the tokens of incoming lines.

What changes: serving cuts a line at its blanks and leaves punctuation where it stands; training and evaluation strip
it.

Why it bites: a word with a comma is no word that the model knows, and its shape is none either; senders that write
commas put them behind the parts that matter.

What it leaves behind: nothing inside the run; validation and test are as usual, production is below them for lines
with commas; the way tokens are described at serving has another fingerprint.

Not to be confused with: digits or capitals that are treated differently (lines without commas would suffer too), new
senders, names of tags in another order.

Source: scikit-learn, Common pitfalls (inconsistent preprocessing); FAULTS entry 105.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="serving_tokens",
    sentence="Cut incoming lines into tokens as training lines are: without their commas.",
    plants=(
        CodePlant(
            "address_parts",
            "serving_tokens",
            (
                ("    incoming = line.address.split()", '    incoming = line.address.strip(",").split()'),
                ("    incoming = list(line.address.split())", '    incoming = line.address.strip(", ").split()'),
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
