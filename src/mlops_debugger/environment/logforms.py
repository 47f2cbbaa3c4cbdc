"""The layouts that train.log may have: where a record starts, how grave it is, and what an epoch came to.

Teams name the same figure differently. Here, and nowhere else, names become those of plain logs: train_loss, val_loss,
val_<metric>, lr, grad_norm, step, saved.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_PAIR = re.compile(r"(?<!\S)([A-Za-z_][\w./-]*)=(\S+)")
_ITEM = re.compile(r"'(\w+)': '?([^\s,'}]+)")
_BAR = re.compile(r"Epoch (\d{1,6}/\d{1,6}):", re.ASCII)
_ROW = re.compile(r"\d{1,6}/\d{1,6} ", re.ASCII)
_HEADING = re.compile(r"epoch\s+step\s")
_DAY, _TIME = r"\d{4}-\d\d-\d\d", r"\d\d:\d\d:\d\d"

_NAMES = {
    "loss": "train_loss",
    "train/loss": "train_loss",
    "learning_rate": "lr",
    "grad": "grad_norm",
    "gnorm": "grad_norm",
    "global_step": "step",
    "checkpoint": "saved",
    "ckpt": "saved",
}
_HELD_OUT = re.compile(r"eval_|valid[_/]|val/")
_NO_FIGURES = frozenset(
    ("event", "level", "logger", "timestamp", "exception", "epochs", "num_epochs", "elapsed", "time")
)


def canonical(name: str) -> str:
    """The figure's name in plain logs; "" for what is no figure of an epoch, such as the time."""
    if name in _NO_FIGURES:
        return ""
    return _NAMES.get(name) or _HELD_OUT.sub("val_", name, count=1)


def _as_is(name: str) -> str:
    return name


def _pairs(line: str, columns: Sequence[str]) -> dict[str, str]:
    return dict(_PAIR.findall(line))


def _json_object(line: str, columns: Sequence[str]) -> dict[str, str]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    items = found.items() if isinstance(found, dict) else ()
    return {key: str(value) for key, value in items if isinstance(value, str | int | float)}


def _bar(line: str, columns: Sequence[str]) -> dict[str, str]:
    match = _BAR.match(line)
    return {**_pairs(line, columns), "epoch": match[1]} if match else {}


def _cells(line: str, columns: Sequence[str]) -> dict[str, str]:
    if not _ROW.match(line):
        return {}
    return {name: cell for name, cell in zip(columns, line.split(), strict=False) if cell != "-"}


def _dictionary(line: str, columns: Sequence[str]) -> dict[str, str]:
    found = dict(_ITEM.findall(line)) if line.startswith("{'") else {}
    return found | {"epoch": found["epoch"].removesuffix(".0")} if "epoch" in found else found


@dataclass(frozen=True)
class Form:
    """A layout. `start` matches where a record begins, `level` has the level's word as its group.

    `read(line, columns)` gives what stands in a record's first line by the team's names; an epoch's figures are those
    beside an "epoch". `columns` are the words of the first line that `heading` matches.
    """

    start: re.Pattern[str]
    level: re.Pattern[str]
    read: Callable[[str, Sequence[str]], dict[str, str]]
    rename: Callable[[str], str] = canonical
    heading: re.Pattern[str] = re.compile(r"(?!)")


PLAIN = Form(re.compile(rf"{_DAY}[ T]{_TIME}"), re.compile(rf"{_DAY}[ T]{_TIME}\S* ([A-Z]+) "), _pairs, _as_is)
_FORMS = (
    Form(re.compile(r'\{"'), re.compile(r'.*"level": "(\w+)"'), _json_object),
    Form(re.compile(rf"\[{_DAY} |Epoch \d+/\d+:"), re.compile(r"\[[^]]*\]\[[^]]*\]\[([A-Z]+)\]"), _bar),
    Form(
        re.compile(rf"{_TIME} [A-Z]|\d+/\d+ |{_HEADING.pattern}"), re.compile(rf"{_TIME} ([A-Z]+)\b"), _cells,
        heading=_HEADING,
    ),
    Form(re.compile(rf"{_DAY} {_TIME} \||\{{'"), re.compile(r"[^|]*\| ([A-Z]+) \|"), _dictionary),
    PLAIN,
)  # fmt: skip


def form_of(lines: Sequence[str]) -> Form:
    """The layout of the first line that has one; plain where none has."""
    return next((form for line in lines for form in _FORMS if form.start.match(line)), PLAIN)
