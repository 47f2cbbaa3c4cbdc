"""Predictions are named with a differently ordered class list.

What changes: the class positions that the model outputs are turned into names by alphabetical order, not by the map
of training.

Why it bites: every metric inside the run compares positions and is right; what is delivered carries the wrong names.

What it leaves behind: good training, validation and test figures, and predictions in production that are wrong for
some classes in a fixed way.

Not to be confused with: evaluation targets that are numbered anew (the report is then poor), drift, or an older label
column.

Source: torchvision issue 714; ImageNetV2 issue 10; FAULTS entries 115 and 117.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="label_mismatch",
    clusters=("deployment poor",),
    site="decode",
    sentence="Name predictions with the label map that was used in training.",
    plants=(
        CodePlant(
            "loan_outcomes",
            "decode",
            (
                (
                    "    names = sorted(encoders.label_ids)\n    return [names[int(position)] for position in positions]",
                    "    names = dict(enumerate(sorted(encoders.label_ids)))\n"
                    "    return [names[int(position)] for position in positions]",
                ),
                (
                    "    names = sorted(encoders.label_ids)\n    return [names[int(position)] for position in positions]",
                ),
            ),
        ),
        CodePlant(
            "meter_digits",
            "decode",
            (
                ("    return [sorted(prepared.codes)[int(position)] for position in positions]",),
                (
                    "    codes = dict(enumerate(sorted(prepared.codes)))\n"
                    "    return [codes[int(position)] for position in positions]",
                    "    codes = sorted(prepared.codes)\n    return [codes[int(position)] for position in positions]",
                ),
            ),
        ),
        CodePlant(
            "ticket_routing",
            "decode",
            (
                (
                    "    names = dict(enumerate(sorted(encoder.queue_ids)))\n"
                    "    return [names[int(position)] for position in positions]",
                    "    names = sorted(encoder.queue_ids)\n    return [names[int(position)] for position in positions]",
                ),
                ("    names = sorted(encoder.queue_ids)\n    return [names[int(position)] for position in positions]",),
            ),
        ),
        CodePlant(
            "address_parts",
            "decode",
            (
                (
                    "    names = dict(enumerate(sorted(codebook.tag_ids)))\n"
                    "    return [names[int(position)] for position in positions]",
                    "    names = sorted(codebook.tag_ids)\n    return [names[int(position)] for position in positions]",
                ),
                ("    names = sorted(codebook.tag_ids)\n    return [names[int(position)] for position in positions]",),
            ),
        ),
        CodePlant(
            "review_stars",
            "decode",
            (
                (
                    "    return [sorted(STARS)[int(position)] for position in classes]",
                    "    return [np.unique(STARS)[int(position)].item() for position in classes]",
                ),
                (
                    "    names = dict(enumerate(sorted(STARS)))\n"
                    "    return [names[int(position)] for position in classes]",
                ),
            ),
        ),
        CodePlant(
            "card_fraud",
            "decode",
            (
                (
                    "    names = dict(enumerate(sorted(LABELS)))\n"
                    "    return [names[int(position)] for position in positions]",
                    "    names = sorted(LABELS)\n    return [names[int(position)] for position in positions]",
                ),
                ("    names = sorted(LABELS)\n    return [names[int(position)] for position in positions]",),
            ),
        ),
        CodePlant(
            "weld_defects",
            "decode",
            (
                ("    return [sorted(catalogue)[int(number)] for number in numbers]",),
                (
                    "    names = dict(enumerate(sorted(catalogue)))\n    return [names[int(number)] for number in numbers]",
                    "    names = sorted(catalogue)\n    return [names[int(number)] for number in numbers]",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("training.label_smoothing", lambda config: 0.0),
        Move("model.dropout", lambda config: 0.3),
    ),
)
