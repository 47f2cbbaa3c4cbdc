"""Validation and test are held against an older label column.

What changes: evaluation targets are read from an earlier version of the label, training labels from the agreed one.

Why it bites: right answers count as wrong ones wherever the later review changed the label, and the checkpoint is
chosen by figures that reward the older answer.

What it leaves behind: good training figures, validation and test poor from the first epoch on; encoded classes of
validation and test whose shares differ from those of their label column; production as good as ever, or nearly.

Not to be confused with: classes that are numbered anew (one relabelling then restores the diagonal), rows scored in
another order, the older column in all splits (the report is then consistent and production poor), or overfitting.

Source: cleanlab label issues; practice; FAULTS entries 114 and 127.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_POSITIONS = "    positions = {code: position for position, code in enumerate(prepared.codes)}\n"

FAULT = Fault(
    category="label_mismatch",
    clusters=("evaluation at chance",),
    site="evaluation_targets",
    sentence="Read validation and test targets from the label column that training uses.",
    plants=(
        CodePlant(
            "loan_outcomes",
            "evaluation_targets",
            (
                (
                    '    return frame["outcome_30d"].map(encoders.label_ids).to_numpy()',
                    "    return frame.outcome_30d.map(encoders.label_ids).to_numpy()",
                ),
                ('    return np.array([encoders.label_ids[name] for name in frame["outcome_30d"]])',),
            ),
        ),
        CodePlant(
            "meter_digits",
            "evaluation_targets",
            (
                (
                    _POSITIONS + '    return np.array([positions[code] for code in frame["ocr_label"]])',
                    _POSITIONS + "    return np.array([positions[code] for code in frame.ocr_label])",
                ),
                ('    return np.array([prepared.codes.index(code) for code in frame["ocr_label"]])',),
            ),
        ),
        CodePlant(
            "ticket_routing",
            "evaluation_targets",
            (
                (
                    '    return frame["first_queue"].map(encoder.queue_ids).to_numpy()',
                    "    return frame.first_queue.map(encoder.queue_ids).to_numpy()",
                ),
                ('    return np.array([encoder.queue_ids[name] for name in frame["first_queue"]])',),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("training.label_smoothing", lambda config: 0.0),
        Move("evaluation.batch_size", lambda config: 64),
        Move("model.dropout", lambda config: 0.3),
    ),
    also=("evaluation_bug",),
)
