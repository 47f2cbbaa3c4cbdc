"""The model looks at the end of a text alone.

What changes: instead of the strongest response anywhere in the text, the response at its last word is used.

Why it bites: the last word is a signature or a courtesy; the sentence that decides is somewhere before it.

What it leaves behind: texts of the usual length with the usual words, and a model near chance on every split;
gradients flow, through few positions each.

Not to be confused with: texts that are cut, too small a learning rate, embeddings that do not train, or labels that
belong to other rows.

Source: Hugging Face transformers threads on last-token pooling; Humbatova et al. ICSE 2020 (wrong pooling).
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import number

FAULT = Fault(
    category="architecture_bug",
    clusters=("underfit",),
    site="model.pooling",
    sentence="Pool over the whole text.",
    plants=(ConfigPlant("model.pooling", lambda rng, config: "last", only=("ticket_routing",)),),
    look_alikes=(
        Move("model.window", lambda config: 5),
        Move("tokenizer.max_length", lambda config: 32),
        Move("tokenizer.truncation_side", lambda config: "right"),
        Move("training.epochs", lambda config: 2 * int(number(config, "training.epochs"))),
    ),
)
