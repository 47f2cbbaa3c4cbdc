"""What both stores of MLflow have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_debugger.intake._sources import Point


def nested(params: Mapping[str, str]) -> dict[str, Any]:
    """Parameters, which MLflow keeps as words, as plain data: numbers and truth values as such."""
    return {name: _plain(value) for name, value in params.items()}


def _plain(word: str) -> Any:
    if word in ("True", "False", "None"):
        return {"True": True, "False": False, "None": None}[word]
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def timed(metrics: Mapping[str, Sequence[tuple[float, float]]]) -> tuple[dict[str, list[Point]], dict[str, float]]:
    """Series of (step, value) pairs as history, and the single values of a test apart.

    A metric "epoch", which callbacks of trainers log at every step, tells the epoch of the others.
    """
    clock = dict(metrics.get("epoch", ()))
    whole = all(float(value).is_integer() for value in clock.values())
    first = 1.0 if clock and whole and min(clock.values()) == 0 else 0.0
    history: dict[str, list[Point]] = {}
    final: dict[str, float] = {}
    for name, pairs in metrics.items():
        if name == "epoch" or not pairs:
            continue
        if len(pairs) == 1 and name.lower().startswith("test"):
            final[name] = pairs[0][1]
        else:
            history[name] = [Point(v, s, clock[s] + first if s in clock else None) for s, v in sorted(pairs)]
    return history, final
