"""Nearly every word is hidden in training.

What changes: the share of training words that are replaced by the unknown one, to get used to new words, is close to
one.

Why it bites: the model learns from shapes and places alone; the embeddings of words hardly get a gradient, and words
that are shown in evaluation are as good as noise.

What it leaves behind: a training loss far above the validation loss, both higher than they were; numbers are still
told from names, but streets, towns and people are taken for each other.

Not to be confused with: a list of features that is too short (words are then unknown in evaluation too), an embedding
that is frozen or too narrow, a learning rate that is too low, or noisy tags.

Source: practice; Humbatova et al. ICSE 2020 (dropout rate); FAULTS entry 28.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="config_error",
    clusters=("underfit",),
    site="model.dropout",
    sentence="Hide a small share of the words in training, not most of them.",
    plants=(
        ConfigPlant(
            "model.dropout", lambda rng, config: one_of(rng, (0.98, 0.985, 0.99, 0.995)), only=("address_parts",)
        ),
    ),
    look_alikes=(
        Move("tokenizer.max_words", lambda config: 4000),
        Move("tokenizer.min_count", lambda config: 1),
        Move("model.embedding_dim", lambda config: 24),
        Move("training.label_smoothing", lambda config: 0.0),
    ),
    also=("architecture_bug",),
)
