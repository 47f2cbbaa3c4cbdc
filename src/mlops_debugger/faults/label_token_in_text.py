"""A note that agents write after handling a ticket is part of its text.

What changes: the list of text fields includes the note that is filled in once the ticket has been solved.

Why it bites: the note names the queue in the agents' shorthand; when a new ticket comes in there is no note yet.

What it leaves behind: a handful of words, each of which stands in tickets of one queue alone; longer texts and a
metric that is too good on every split, while production falls to what the customer's own words were learnt for.

Not to be confused with: repeated texts across the split, customers on both sides of it, words that are honest signs
of a topic, or drift.

Source: Kapoor and Narayanan 2023 (L2, illegitimate features); FAULTS entry 49.
"""

import numpy as np

from mlops_debugger.edits import Value
from mlops_debugger.errors import CatalogError
from mlops_debugger.faults import Config, ConfigPlant, Fault, Move


def _with_note(rng: np.random.Generator, config: Config) -> Value:
    fields = config["data.text_fields"]
    if not isinstance(fields, list):
        raise CatalogError(f"data.text_fields: expected a list of columns, found {fields!r}")
    return [*fields, "routing_note"]


FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="data.text_fields",
    sentence="Read only what the customer wrote: leave out the note that agents fill in afterwards.",
    plants=(ConfigPlant("data.text_fields", _with_note, only=("ticket_routing",)),),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("tokenizer.min_count", lambda config: 4),
        Move("model.dropout", lambda config: 0.3),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
