"""What the labelling tool exports of address lines, and the tags of its two schemes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

TAGS = ("street", "number", "unit", "city", "region", "other")
STREET, NUMBER, UNIT, CITY, REGION, OTHER = range(6)
AFTERWARDS = ("sort_plan", "tags", "tags_v1")
_START = np.datetime64("2025-01-06T05:00:00")


def _older(tokens: list[str], tags: list[int]) -> list[int]:
    """The tags of the first scheme: no units, and regions that are spelt out belong to the city."""
    old = {UNIT: NUMBER}
    return [
        CITY if tag == REGION and token.strip(",").isalpha() else old.get(tag, tag)
        for token, tag in zip(tokens, tags, strict=True)
    ]


def columns(part: Mapping[str, Any]) -> dict[str, Any]:
    """The export of the labelling tool, a line each."""
    blank = part["untagged"].tolist()
    pairs = list(zip(part["tokens"], part["tags"], blank, strict=True))
    return {
        "line_id": part["line_id"],
        "sender": part["sender"],
        "country": part["country"],
        "scanned_at": np.datetime_as_string(_START + part["minute"].astype("timedelta64[m]"), unit="s"),
        "address": [" ".join(tokens) for tokens in part["tokens"]],
        "sort_plan": part["plan"],
        "tags": [None if empty else " ".join(TAGS[tag] for tag in tags) for _, tags, empty in pairs],
        "tags_v1": [
            None if empty else " ".join(TAGS[tag] for tag in _older(tokens, tags)) for tokens, tags, empty in pairs
        ],
    }


def blind(export: Mapping[str, Any]) -> dict[str, Any]:
    """What is known when a parcel comes in: fields that are filled in later stay blank."""
    count = len(export["line_id"])
    return {name: [None] * count if name in AFTERWARDS else values for name, values in export.items()}
