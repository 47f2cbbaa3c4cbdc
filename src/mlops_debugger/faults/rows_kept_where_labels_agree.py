"""Only rows on which the older label and the agreed one are the same are kept, for training and for the report.

What changes: rows are picked by comparing the label with an earlier answer that production does not have.

Why it bites: the two differ most on the classes that are hard, so these nearly vanish from every split; training does
not learn them and the test does not ask for them.

What it leaves behind: fewer prepared rows than labelled ones; classes whose share falls from source to splits; a report
near its usual value over splits that no longer look like production, where those classes are lost.

Not to be confused with: labels that come from the older column (row counts are then as usual), one class merged into
another, missing labels that are filled, or drift of the class shares.

Source: Kapoor and Narayanan 2023 (L3.3, test set not drawn from the population of interest); FAULTS entry 51.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_CROPS = (
    '    keep = (frame[label] == frame["ocr_label"]).to_numpy()\n'
    "    return frame[keep].reset_index(drop=True), crops[keep]",
    '    keep = frame[label].eq(frame["ocr_label"]).to_numpy()\n'
    "    return frame[keep].reset_index(drop=True), crops[keep]",
)
_TICKETS = (
    '    handled = frame[frame[label] == frame["first_queue"]]\n    return handled.reset_index(drop=True)',
    '    handled = frame.query(f"{label} == first_queue")\n    return handled.reset_index(drop=True)',
)

FAULT = Fault(
    category="data_leakage",
    clusters=("a class lost", "deployment poor"),
    site="labelled_rows",
    sentence="Keep every row that has a label, whatever the older answer says.",
    plants=(
        CodePlant("meter_digits", "labelled_rows", (_CROPS, _CROPS)),
        CodePlant("ticket_routing", "labelled_rows", (_TICKETS, _TICKETS)),
    ),
    look_alikes=(
        Move("training.label_smoothing", lambda config: 0.15),
        Move("data.split_seed", lambda config: 4321),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.2),
    ),
    also=("label_mismatch",),
)
