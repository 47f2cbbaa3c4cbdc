"""Words are numbered in another order in evaluation than in training.

What changes: the table from word to id that serves validation and test sorts the vocabulary first.

Why it bites: every word is known, but its id is that of some other word, so the model reads another text.

What it leaves behind: no more unknown words than before and equal lengths; training loss falls while validation and
test are near chance from the first epoch on, so that the checkpoint is chosen blindly and production does better
than the report; the vocabulary differs between stages.

Not to be confused with: evaluation targets that are numbered anew (a relabelling of classes would restore the
metric), over-fitting, rows scored in another order, or words that are split differently.

Source: Hugging Face tokenizer threads on re-ordered vocabularies; FAULTS entry 104.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_WORDS = ("sorted(encoder.vocabulary)", "sorted(set(encoder.vocabulary))")

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("evaluation at chance",),
    site="evaluation_vocabulary",
    sentence="Number words in evaluation as the vocabulary of training does.",
    plants=(
        CodePlant(
            "ticket_routing",
            "evaluation_vocabulary",
            (
                tuple(
                    f"    known = {words}\n    return {{word: place for place, word in enumerate(known)}}"
                    for words in _WORDS
                ),
                tuple(f"    known = {words}\n    return dict(zip(known, range(len(known))))" for words in _WORDS),
            ),
        ),
        CodePlant(
            "address_parts",
            "evaluation_vocabulary",
            (
                (
                    "    known = sorted(codebook.features)\n    return {name: place for place, name in enumerate(known)}",
                ),
                ("    known = sorted(codebook.features)\n    return dict(zip(known, range(len(known))))",),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.3),
        Move("tokenizer.min_count", lambda config: 3),
        Move("data.split_seed", lambda config: 4321),
    ),
    also=("evaluation_bug",),
)
