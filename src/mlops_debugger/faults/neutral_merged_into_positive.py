"""One number of stars is counted as its neighbour.

What changes: two edges between classes coincide, so one class is empty and its reviews belong to the class above or
below, in training and in evaluation.

Why it bites: the model never gives that number of stars; production is judged by all five.

What it leaves behind: five kinds of source labels and four of targets; an output that is never chosen; a report that is
no poorer than usual, since an empty class does not count in it, and a live sample that is.

Not to be confused with: a rare class that is hard to tell, edges that differ between training and evaluation, an older
label column, or class imbalance.

Source: practice (three-way sentiment from five stars); Humbatova et al. ICSE 2020; FAULTS entry 126.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_EDGES = ("4, 6, 6, 10", "4, 8, 8, 10", "4, 6, 10, 10", "6, 6, 8, 10")

FAULT = Fault(
    category="label_mismatch",
    clusters=("a class lost", "deployment poor"),
    site="star_edges",
    sentence="Give every number of stars a class of its own again.",
    plants=(
        CodePlant(
            "review_stars",
            "star_edges",
            (
                tuple(f"EDGES = [{edges}]" for edges in _EDGES),
                tuple(f"EDGES = ({edges})" for edges in _EDGES),
            ),
        ),
    ),
    look_alikes=(
        Move("training.label_smoothing", lambda config: 0.1),
        Move("model.dropout", lambda config: 0.0),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("data.split_seed", lambda config: 4321),
    ),
)
