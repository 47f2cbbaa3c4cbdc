"""The seller's answer is read together with the review.

What changes: the list of text columns includes the column in which sellers answer.

Why it bites: sellers answer unhappy customers in other words than happy ones; a comment that comes in without stars has
no answer yet.

What it leaves behind: a few words each of which stands beside one number of stars alone; longer texts; figures that are
too good on every split, and a live sample that falls behind.

Not to be confused with: stars that a shop printed into the text, copies of a review on both sides of the split, or
reviewers on both sides of it.

Source: Kapoor and Narayanan 2023 (L2, illegitimate features); FAULTS entry 49.
"""

import numpy as np

from mlops_debugger.edits import Value
from mlops_debugger.errors import CatalogError
from mlops_debugger.faults import Config, ConfigPlant, Fault, Move


def _with_reply(rng: np.random.Generator, config: Config) -> Value:
    columns = config["data.text_fields"]
    if not isinstance(columns, list):
        raise CatalogError(f"data.text_fields: expected a list of columns, found {columns!r}")
    place = int(rng.integers(1, len(columns) + 1))
    return [*columns[:place], "seller_reply", *columns[place:]]


FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="data.text_fields",
    sentence="Read title and body alone: sellers answer only once the stars are there.",
    plants=(ConfigPlant("data.text_fields", _with_reply, only=("review_stars",)),),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("tokenizer.min_count", lambda config: 4),
        Move("model.dropout", lambda config: 0.3),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
