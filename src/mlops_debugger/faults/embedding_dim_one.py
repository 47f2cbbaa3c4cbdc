"""Every word is a single number.

What changes: embeddings have one dimension.

Why it bites: what a word is about and which way it turns a sentence have to share one number.

What it leaves behind: very few weights; loss levels off early, training and held-out metrics poorer alike, no layer
without gradient.

Not to be confused with: embeddings that do not train, a vocabulary that is too small, or a convolution that sees one
word at a time.

Source: Humbatova et al. ICSE 2020 (layer too small); FAULTS entry 154.
"""

import numpy as np

from mlops_debugger.edits import Value
from mlops_debugger.faults import Config, ConfigPlant, Fault, Move


def _one(rng: np.random.Generator, config: Config) -> Value:
    # Behind SiLU a lucky start sorts words along the line well enough in a third of the runs.
    return None if config["model.activation"] == "silu" else 1


FAULT = Fault(
    category="architecture_bug",
    clusters=("underfit",),
    site="model.embedding_dim",
    sentence="Give words an embedding of a dozen dimensions or more.",
    plants=(ConfigPlant("model.embedding_dim", _one),),
    look_alikes=(
        Move("model.filters", lambda config: 64),
        Move("model.window", lambda config: 5),
        Move("tokenizer.max_words", lambda config: 4000),
        Move("model.dropout", lambda config: 0.0),
    ),
)
