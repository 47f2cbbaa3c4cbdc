"""The vocabulary has room for the most common words alone.

What changes: the vocabulary is limited to 60 to 110 words.

Why it bites: the most common words are those that say least; names of products and what is wrong with them become
one and the same unknown word.

What it leaves behind: a large share of unknown words in every split alike; training and held-out metrics equally
poor.

Not to be confused with: evaluation texts in another case (training knows its words then), new words over time, texts
that are cut, or an embedding that is too narrow.

Source: deepchecks UnknownTokens; FAULTS entry 111.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("underfit",),
    site="tokenizer.max_words",
    sentence="Give the vocabulary room for the words that matter.",
    plants=(
        ConfigPlant(
            "tokenizer.max_words", lambda rng, config: one_of(rng, (60, 75, 80, 100, 110)), only=("ticket_routing",)
        ),
    ),
    look_alikes=(
        Move("tokenizer.min_count", lambda config: 1),
        Move("model.embedding_dim", lambda config: 24),
        Move("tokenizer.max_length", lambda config: 32),
        Move("model.filters", lambda config: 64),
    ),
    also=("config_error",),
)
