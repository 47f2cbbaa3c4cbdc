"""The convolution has one filter.

What changes: the convolution over words gives a single number for each place, and pooling a single number for a
text.

Why it bites: what a ticket is about and whether something is wrong are two things; one number cannot hold both.

What it leaves behind: a head with one weight for each class; loss that levels off early and high; training and held-
out metrics equally poor, two or three queues never predicted; every layer trains.

Not to be confused with: embeddings that are too narrow or do not train, a vocabulary that is too small, or pooling
that looks at the wrong place.

Source: Humbatova et al. ICSE 2020 (layer too small); FAULTS entries 143 and 152.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import number

FAULT = Fault(
    category="architecture_bug",
    clusters=("underfit",),
    site="model.filters",
    sentence="Give the convolution a few dozen filters.",
    plants=(
        ConfigPlant("model.filters", lambda rng, config: 1, only=("ticket_routing",)),
        ConfigPlant("model.channels", lambda rng, config: 1, only=("weld_defects",)),
    ),
    look_alikes=(
        Move("model.embedding_dim", lambda config: 24),
        Move("model.window", lambda config: 5),
        Move("tokenizer.max_words", lambda config: 4000),
        Move("training.epochs", lambda config: 2 * int(number(config, "training.epochs"))),
    ),
)
