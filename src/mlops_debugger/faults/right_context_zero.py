"""The tagger does not see what follows a token.

What changes: the window over neighbouring tokens ends at the token itself.

Why it bites: whether a number is a house's or a unit's, and whether a name is a town's or a street's, often shows only
in the token behind it.

What it leaves behind: fewer weights in the first layer; training and held-out metrics poorer alike, confusion between
parts that stand next to each other; every layer trains.

Not to be confused with: tags that are shifted (training would go well), an embedding that is too narrow, a list of
features that is too short, or noisy tags.

Source: Humbatova et al. ICSE 2020 (layer with wrong parameters); FAULTS entry 150.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="architecture_bug",
    clusters=("underfit",),
    site="model.right_context",
    sentence="Let the tagger see the tokens behind a token as well.",
    plants=(ConfigPlant("model.right_context", lambda rng, config: 0),),
    look_alikes=(
        Move("model.embedding_dim", lambda config: 28),
        Move("model.left_context", lambda config: 4),
        Move("model.dropout", lambda config: 0.1),
        Move("tokenizer.max_words", lambda config: 4000),
    ),
)
