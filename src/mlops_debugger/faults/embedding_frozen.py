"""Embeddings stay as they were drawn.

What changes: the embedding is listed as frozen, as one would with pretrained vectors; these are random.

Why it bites: words of one meaning never come to look alike, and later layers cannot sort hundreds of random vectors.

What it leaves behind: no gradient and no update in the first layer, the usual ones behind it; training and held-out
metrics equally poor; fewer trainable weights than weights.

Not to be confused with: embeddings that are too narrow, too small a learning rate (all layers then move a little),
or a vocabulary that is too small.

Source: TrainCheck (frozen layers); PyTorch nn.Embedding.from_pretrained, freeze=True by default; FAULTS entry 153.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import number

FAULT = Fault(
    category="architecture_bug",
    clusters=("underfit",),
    site="model.freeze",
    sentence="Let the embedding train.",
    plants=(
        ConfigPlant(
            "model.freeze",
            lambda rng, config: ["embedding"],
            only=("ticket_routing", "address_parts", "review_stars"),
        ),
    ),
    look_alikes=(
        Move("optimizer.learning_rate", lambda config: 2 * number(config, "optimizer.learning_rate")),
        Move("training.epochs", lambda config: 2 * int(number(config, "training.epochs"))),
        Move("model.embedding_dim", lambda config: 24),
        Move("tokenizer.max_words", lambda config: 4000),
    ),
    also=("config_error",),
)
