"""Every word is read on its own.

What changes: the number of earlier words that a word is read with is 0.

Why it bites: a word in front strengthens, softens or turns round an opinion, and another one says that it is about
something else; none of that can be told from words alone.

What it leaves behind: a first layer that is a half or a third as wide; training and held-out figures poorer alike;
strong opinions confused with their opposites.

Not to be confused with: modifiers that are missing from the vocabulary, embeddings that are too narrow, noisy labels, or
a limit that cuts reviews.

Source: Humbatova et al. ICSE 2020 (layer configuration); FAULTS entry 150.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="architecture_bug",
    clusters=("underfit",),
    site="model.context_words",
    sentence="Read every word together with the two or three before it.",
    plants=(ConfigPlant("model.context_words", lambda rng, config: 0, only=("review_stars",)),),
    look_alikes=(
        Move("model.embedding_dim", lambda config: 24),
        Move("model.feedforward_dim", lambda config: 64),
        Move("model.dropout", lambda config: 0.0),
        Move("tokenizer.max_words", lambda config: 4000),
    ),
)
