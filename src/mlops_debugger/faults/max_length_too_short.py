"""Texts are cut to a few words.

What changes: the longest text that the model is given has 3 to 6 words.

Why it bites: the sentence that decides is mostly outside of what is left.

What it leaves behind: nearly every text longer than the limit; training and held-out metrics poorer alike; inputs
without padding.

Not to be confused with: cutting at the wrong end (the limit is then as usual), a vocabulary that is too small, or a
model that is too small.

Source: SageMaker Debugger NLPSequenceRatio; Hugging Face truncation threads; FAULTS entry 107.
"""

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("underfit",),
    site="tokenizer.max_length",
    sentence="Let the text limit cover the customer's own words again.",
    plants=(ConfigPlant("tokenizer.max_length", lambda rng, config: one_of(rng, (3, 4, 5, 6))),),
    look_alikes=(
        Move("tokenizer.truncation_side", lambda config: "right"),
        Move("tokenizer.max_words", lambda config: 4000),
        Move("model.filters", lambda config: 64),
        Move("model.embedding_dim", lambda config: 24),
    ),
    also=("config_error",),
)
