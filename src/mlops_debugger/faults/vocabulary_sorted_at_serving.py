"""The stored vocabulary is read back in alphabetical order where tickets are served.

What changes: the table from word to id that serves production sorts the vocabulary, training and evaluation do not.

Why it bites: an incoming word gets the id of some other word, and the model reads another text.

What it leaves behind: nothing inside the run: training, validation and test are good; production is near chance and
the vocabulary that serving uses has another fingerprint.

Not to be confused with: names of classes in another order (the answers would be good up to a relabelling), drift
(new words would be unknown), an older label column, or words that are split differently.

Source: Hugging Face tokenizer threads on re-ordered vocabularies; FAULTS entry 104.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_WORDS = ("sorted(encoder.vocabulary)", "sorted(set(encoder.vocabulary))")

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="serving_vocabulary",
    sentence="Number words at serving as the vocabulary of training does.",
    plants=(
        CodePlant(
            "ticket_routing",
            "serving_vocabulary",
            (
                tuple(
                    f"    stored = {words}\n    return {{word: index for index, word in enumerate(stored)}}"
                    for words in _WORDS
                ),
                tuple(f"    stored = {words}\n    return dict(zip(stored, range(len(stored))))" for words in _WORDS),
            ),
        ),
        CodePlant(
            "address_parts",
            "serving_vocabulary",
            (
                (
                    "    stored = sorted(codebook.features)\n    return {name: index for index, name in enumerate(stored)}",
                ),
                ("    stored = sorted(codebook.features)\n    return dict(zip(stored, range(len(stored))))",),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.3),
        Move("tokenizer.min_count", lambda config: 3),
        Move("data.split_seed", lambda config: 4321),
    ),
)
