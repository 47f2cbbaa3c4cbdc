"""Incoming reviews are filled up on the left.

What changes: ids of incoming reviews are padded in front, while training pads behind and the mask still expects that.

Why it bites: places no longer mean what they meant, and the mask shows padding and hides the end of the review.

What it leaves behind: nothing inside the run; batches of the same words have another fingerprint at serving, while the
words themselves have the same one; the live sample is poor.

Not to be confused with: a mask that shows padding although the words stand where they should, capitals that are kept,
names of classes in another order, or drift.

Source: Hugging Face threads on padding_side; FAULTS entry 110.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_TEXTS = (
    '    padded = tokenizer.pad(encoded, side="left")',
    '    padded = tokenizer.pad(encoded, "left")',
)

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="serving_ids",
    sentence="Fill incoming reviews up on the right, as training does.",
    plants=(CodePlant("review_stars", "serving_ids", (_TEXTS[:1], _TEXTS[1:])),),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.3),
        Move("tokenizer.min_count", lambda config: 4),
        Move("tokenizer.model_max_length", lambda config: 80),
    ),
)
