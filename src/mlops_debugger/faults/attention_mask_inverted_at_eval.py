"""The mask of validation and test reviews marks padding, not words.

What changes: evaluation builds its mask by the other convention, in which what is marked is hidden; training and serving
mark what may be seen.

Why it bites: attention looks at padding and at nothing else, so the answer hardly depends on the review.

What it leaves behind: training loss falls as ever; validation and test are poor from the first epoch on; ids and
vocabulary are the same in all stages, batches have another fingerprint in evaluation; the live sample is good, unless
selection, which reads validation, kept an early epoch.

Not to be confused with: targets that are off by a class (one relabelling would restore them), rows that are scored out
of order (validation in the log is then good), or overfitting.

Source: PyTorch key_padding_mask against Hugging Face attention_mask; FAULTS entry 110.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_COMPREHENSION = (
    "    mask = np.array([[place {} len(each) for place in range(tokenizer.max_length)] for each in encoded],"
    " dtype=np.int64)"
)
_LOOP = "    mask = np.zeros_like(input_ids)\n    for row, each in enumerate(encoded):\n        mask[row, {}] = 1"

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("evaluation at chance",),
    site="evaluation_mask",
    sentence="Mark the words, not the padding, in the mask of validation and test reviews.",
    plants=(
        CodePlant(
            "review_stars",
            "evaluation_mask",
            (
                (_COMPREHENSION.format(">="), _COMPREHENSION.format(">")),
                (
                    _LOOP.format("len(each) :"),
                    _LOOP.format("len(each) + 1 :"),
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("training.ema_decay", lambda config: 0.0),
        Move("model.dropout", lambda config: 0.0),
        Move("tokenizer.model_max_length", lambda config: 80),
    ),
)
