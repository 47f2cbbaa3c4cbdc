"""The desk that a ticket was first sent to is part of its text.

What changes: the list of text fields ends with the column in which the first queue of a handled ticket is kept.

Why it bites: the first queue is often the last one too; it is entered by the people whom the model is to replace, so
new tickets come without it, and what the model then knows of the customer's own words is too little.

What it leaves behind: texts of every split that end with one of a few words; training, validation and test somewhat
better than they used to be; warnings about a column that turns out to be blank when tickets come in; production far
poorer.

Not to be confused with: the note that agents write afterwards (half of the tickets have none, and its words name one
queue each), an older label column, repeated texts across the split, or drift.

Source: Kapoor and Narayanan 2023 (L2, illegitimate features); FAULTS entries 38 and 49.
"""

from __future__ import annotations

import numpy as np

from mlops_debugger.edits import Value
from mlops_debugger.faults import Config, ConfigPlant, Fault, Move


def _with_desk(rng: np.random.Generator, config: Config) -> Value:
    fields = config["data.text_fields"]
    return [*fields, "first_queue"] if isinstance(fields, list) else None


FAULT = Fault(
    category="data_leakage",
    clusters=("too good", "deployment poor"),
    site="data.text_fields",
    sentence="Read only what the customer wrote: leave out the desk that saw the ticket first.",
    plants=(ConfigPlant("data.text_fields", _with_desk, only=("ticket_routing",)),),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("tokenizer.min_count", lambda config: 4),
        Move("model.dropout", lambda config: 0.3),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
