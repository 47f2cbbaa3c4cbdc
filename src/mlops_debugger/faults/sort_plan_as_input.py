"""What the sorting machine noted about a parcel is among the inputs.

What changes: the line fields that every token is described with include the order of parts as the carrier read it.

Why it bites: the note says which part follows which, and is written only once the parcel has been sorted; for a line
that comes in it is blank.

What it leaves behind: one more input that tells a lot about the tags; all parts are better than ever, senders with a
layout of their own included, while production is worse than it used to be.

Not to be confused with: senders on both sides of the split, repeated texts, a shape or a word that is an honest sign,
or drift.

Source: Kapoor and Narayanan 2023 (L2, illegitimate features); FAULTS entry 38.
"""

import numpy as np

from mlops_debugger.edits import Value
from mlops_debugger.errors import CatalogError
from mlops_debugger.faults import Config, ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of


def _with_plan(rng: np.random.Generator, config: Config) -> Value:
    fields = config["data.line_fields"]
    if not isinstance(fields, list):
        raise CatalogError(f"data.line_fields: expected a list of fields, found {fields!r}")
    return one_of(rng, ([*fields, "sort_plan"], ["sort_plan", *fields]))


FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="data.line_fields",
    sentence="Describe a line by what is known when it comes in: leave out the plan that sorting writes.",
    plants=(ConfigPlant("data.line_fields", _with_plan, only=("address_parts",)),),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("tokenizer.min_count", lambda config: 4),
        Move("model.dropout", lambda config: 0.35),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
