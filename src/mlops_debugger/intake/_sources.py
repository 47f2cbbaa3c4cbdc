"""What a reader finds in a folder, and what it makes of it, in words that all readers share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_debugger.intake._files import Folder

MAX_POINTS = 2_000_000


@dataclass(frozen=True, slots=True)
class Point:
    """One logged value. `step` and `epoch` are as the tool wrote them, None where it did not."""

    value: float
    step: float | None = None
    epoch: float | None = None


History = Mapping[str, Sequence[Point]]


@dataclass(frozen=True)
class Candidate:
    """A run that a reader could read. `run` names it for `--run`; of several, the one with the largest `when` is
    newest; `label` is the tool's own name for it, where there is one."""

    run: str
    file: str
    when: float = 0.0
    label: str = ""


@dataclass(frozen=True)
class Source:
    """One run as one tool wrote it.

    `history` has the series by the tool's names, `final` single results by name; `config` is plain data. `artifacts`,
    `arrays` and `meta` are as in `RunView`. `counts_updates` says that steps are updates of the optimiser.
    """

    history: History = field(default_factory=dict)
    final: Mapping[str, float] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    counts_updates: bool = False


@dataclass(frozen=True)
class Reader:
    """What a reader file binds to READER.

    Readers are asked by `order`, and what an earlier one found wins. `find` lists the runs that it sees, without
    reading much; `read` reads one of them. Both raise `IntakeError` where a file is not what its name says.
    """

    order: int
    title: str
    find: Callable[[Folder], Sequence[Candidate]]
    read: Callable[[Folder, Candidate], Source]


def number(value: object) -> float | None:
    """A number, also one that is written as a word ("nan", "1e-3"); None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def whole(value: object) -> int | None:
    """A whole number of a sane size, or None."""
    found = number(value)
    return int(found) if found is not None and abs(found) < 1e12 and found == math.floor(found) else None


def printable(text: str) -> str:
    """The text as any terminal and file can take it: no control characters, no half characters."""
    clean = text.encode("utf-8", "replace").decode()
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in clean)


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted path → value, lists not entered."""
    found: dict[str, Any] = {}
    waiting: list[tuple[str, Mapping[str, Any]]] = [("", config)]
    while waiting:
        prefix, tree = waiting.pop()
        for key, value in tree.items():
            if isinstance(value, Mapping):
                waiting.append((f"{prefix}{key}.", value))
            else:
                found[f"{prefix}{key}"] = value
    return found


def from_rows(
    rows: Iterable[Mapping[str, object]], step: Sequence[str], epoch: Sequence[str]
) -> dict[str, list[Point]]:
    """Rows of a table (or of JSON lines) as series; `step` and `epoch` are names of the columns that count."""
    found: dict[str, list[Point]] = {}
    left = MAX_POINTS
    for row in rows:
        at = next((value for name in step if (value := number(row.get(name))) is not None), None)
        turn = next((value for name in epoch if (value := number(row.get(name))) is not None), None)
        for name, item in row.items():
            if name in step or name in epoch:
                continue
            value = number(item)
            if value is not None and left > 0:
                found.setdefault(name, []).append(Point(value, at, turn))
                left -= 1
    return found
