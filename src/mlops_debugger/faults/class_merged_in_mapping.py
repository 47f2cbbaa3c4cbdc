"""Two classes are counted as one.

What changes: one queue's name is replaced by another's when the handled tickets are picked, so that it never occurs.

Why it bites: training, validation and test agree on three classes; production has four, and a quarter of its tickets
go to a queue that cannot solve them.

What it leaves behind: figures that look better than usual, since fewer classes are easier to tell apart; an output
that nothing trains; a class of the source that no split has and another that is twice as frequent.

Not to be confused with: a rare class, labels that are missing for one class, an older label column, or drift of the
class shares.

Source: deepchecks NewLabelTrainTest; DeepCrime TCO; FAULTS entry 124.
"""

from mlops_debugger.faults import CodePlant, Fault, Move


def _merged(old: str, new: str) -> tuple[str, ...]:
    return (
        f'    handled = frame.dropna(subset=[label]).replace({{label: {{"{old}": "{new}"}}}})\n'
        "    return handled.reset_index(drop=True)",
        f'    handled = frame.assign(**{{label: frame[label].replace("{old}", "{new}")}}).dropna(subset=[label])\n'
        "    return handled.reset_index(drop=True)",
    )


_PAIRS = (*_merged("escalation", "specialist"), *_merged("general", "self_help"), *_merged("specialist", "general"))

FAULT = Fault(
    category="label_mismatch",
    clusters=("a class lost",),
    site="labelled_rows",
    sentence="Keep every queue's own name.",
    plants=(CodePlant("ticket_routing", "labelled_rows", (_PAIRS, _PAIRS)),),
    look_alikes=(
        Move("training.label_smoothing", lambda config: 0.0),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("data.split_seed", lambda config: 4321),
    ),
)
