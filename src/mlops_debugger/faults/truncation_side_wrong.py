"""Long texts are cut at their end.

What changes: texts above the limit lose their last words instead of their first.

Why it bites: mails start with quoted text and say what is wrong afterwards, so it is the decisive part that is cut.

What it leaves behind: the usual lengths and limit, and training and held-out metrics poorer alike, on long texts
above all.

Not to be confused with: a limit that is too low (short texts suffer too), a vocabulary that is too small, or a model
that is too small.

Source: Hugging Face tokenizers, truncation_side; FAULTS entry 108.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("underfit",),
    site="tokenizer.truncation_side",
    sentence="Cut long texts at their head, where quoted mail stands.",
    plants=(ConfigPlant("tokenizer.truncation_side", lambda rng, config: "right"),),
    look_alikes=(
        Move("tokenizer.max_words", lambda config: 4000),
        Move("model.filters", lambda config: 64),
        Move("model.embedding_dim", lambda config: 24),
        Move("model.window", lambda config: 5),
    ),
    also=("config_error",),
)
