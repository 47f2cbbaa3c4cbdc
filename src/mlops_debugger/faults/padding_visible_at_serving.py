"""Attention sees the padding of incoming reviews.

What changes: the mask of incoming reviews shows every place up to the limit, whether a word stands there or not.

Why it bites: training never saw padding, so what its places are worth to attention is whatever they were drawn as; they
take weight from the words that decide, most of all in short reviews.

What it leaves behind: nothing inside the run; batches of the same words have another fingerprint at serving; the live
sample is poor, short reviews worst.

Not to be confused with: padding on the other side, capitals that are kept, short reviews that are left out of the
report, or drift.

Source: Hugging Face warning on a missing attention_mask; FAULTS entries 110 and 155.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="serving_mask",
    sentence="Let the mask of every incoming review end where its own words end.",
    plants=(
        CodePlant(
            "review_stars",
            "serving_mask",
            (
                (
                    "    visible = np.ones((len(lengths), tokenizer.max_length))",
                    "    visible = np.ones_like(padded) * (lengths[:, None] > 0)",
                ),
                (
                    "    visible = np.ones((len(lengths), tokenizer.max_length))",
                    "    visible = np.full((len(lengths), tokenizer.max_length), True)",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.3),
        Move("tokenizer.model_max_length", lambda config: 80),
        Move("data.split_seed", lambda config: 4321),
    ),
)
