"""Reviews that come in keep their capitals.

What changes: the way of incoming reviews does not fold case, those of training and evaluation do.

Why it bites: titles are often written in capitals, and every sentence starts with one; such words are unknown to a
vocabulary in lower case.

What it leaves behind: nothing inside the run: training, validation and test agree; words of the same texts have another
fingerprint at serving, and the live sample is poor.

Not to be confused with: evaluation that keeps capitals (the report is then poor too), padding on the other side, names
of classes in another order, or new words over time.

Source: Hugging Face threads on do_lower_case; FAULTS entry 106.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="serving_words",
    sentence="Put incoming reviews into lower case, as training does.",
    plants=(
        CodePlant(
            "review_stars",
            "serving_words",
            (
                (
                    "    return [tokenizer.words([part.strip() for part in request]) for request in requests]",
                    "    return [tokenizer.words([part for part in request]) for request in requests]",
                ),
                (
                    "    return [tokenizer.words(list(map(str.strip, request))) for request in requests]",
                    "    return [tokenizer.words(list(request)) for request in requests]",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.3),
        Move("tokenizer.min_count", lambda config: 4),
        Move("data.split_seed", lambda config: 4321),
    ),
)
