"""Predictions are named as if the classes were numbered from one.

What changes: one is taken off every position before its name is looked up, so the first class gets the name of the
last one and every other class that of its predecessor.

Why it bites: every metric inside the run compares positions and is right; what is delivered is wrong for every row.

What it leaves behind: good training, validation and test figures; names in the report and in what is served that are
one place off the map of training; production worse than guessing, and restored by one rotation of the names.

Not to be confused with: names in alphabetical order (some classes may then keep their own), evaluation targets that are
numbered anew (the report is then poor), an older label column, or drift.

Source: HUM and DeepCrime TCL; torchvision issue 714; FAULTS entry 117.
"""

from mlops_debugger.faults import CodePlant, Fault, Move


def _names(encoders: str) -> tuple[str, ...]:
    listed = (f"sorted({encoders}.label_ids, key={encoders}.label_ids.get)", f"list({encoders}.label_ids)")
    return tuple(
        f"    names = {names}\n    return [names[int(position) - 1] for position in positions]" for names in listed
    )


_OUTCOMES = _names("encoders")
_QUEUES = tuple(text.replace("label_ids", "queue_ids") for text in _names("encoder"))

FAULT = Fault(
    category="label_mismatch",
    clusters=("deployment poor",),
    site="decode",
    sentence="Name predictions by the positions of training: take nothing off them.",
    plants=(
        CodePlant("loan_outcomes", "decode", (_OUTCOMES, _OUTCOMES)),
        CodePlant(
            "meter_digits",
            "decode",
            (
                (
                    "    return [prepared.codes[int(position) - 1] for position in positions]",
                    "    return [prepared.codes[position - 1] for position in map(int, positions)]",
                ),
                (
                    "    codes = list(prepared.codes)\n    return [codes[int(position) - 1] for position in positions]",
                    "    codes = prepared.codes[-1:] + prepared.codes[:-1]\n"
                    "    return [codes[int(position)] for position in positions]",
                ),
            ),
        ),
        CodePlant("ticket_routing", "decode", (_QUEUES, _QUEUES)),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("training.label_smoothing", lambda config: 0.0),
        Move("data.split_seed", lambda config: 4321),
        Move("model.dropout", lambda config: 0.3),
    ),
)
