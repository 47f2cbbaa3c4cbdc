"""The convolution sees one word at a time.

What changes: the window of the convolution over words is 1.

Why it bites: what a negation means depends on the word behind it, and no filter sees both.

What it leaves behind: a third of the usual weights in the convolution; training and held-out metrics poorer alike,
confusion between the two queues of each topic; every layer trains.

Not to be confused with: negations that were left out of the text, an embedding that is too narrow, noisy labels, or
pooling that looks at the wrong place.

Source: Humbatova et al. ICSE 2020 (wrong filter size); NeuraLint; FAULTS entry 150.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="architecture_bug",
    clusters=("underfit",),
    site="model.window",
    sentence="Let the convolution see a word together with those before it.",
    plants=(ConfigPlant("model.window", lambda rng, config: 1, only=("ticket_routing",)),),
    look_alikes=(
        Move("model.filters", lambda config: 80),
        Move("model.embedding_dim", lambda config: 24),
        Move("tokenizer.max_length", lambda config: 32),
        Move("model.dropout", lambda config: 0.0),
    ),
)
