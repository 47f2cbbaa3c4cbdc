"""Epochs of a training log in one spelling, however a team lays its log out."""

from __future__ import annotations

import re

_EPOCH = re.compile(r"""\{(["']).*?\1epoch\1: (?P<item>\d+)|Epoch (?P<bar>\d+)/\d+:|(?P<row>\d+)/\d+ """)
_PLANNED = re.compile(r"""epochs["']: (\d+)|^(?:Epoch )?\d+/(\d+)""")
_FIGURE = re.compile(r"""(?<![\w/])([A-Za-z_][\w/]*)(?:=|["']: ["']?)([^\s,"'}]+)""")
_HEADING = re.compile(r"epoch\s+step\s")
_NAMES = {
    "epoch": "",
    "epochs": "",
    "num_epochs": "",
    "elapsed": "",
    "loss": "train_loss",
    "train/loss": "train_loss",
    "learning_rate": "lr",
    "grad": "grad_norm",
    "gnorm": "grad_norm",
    "global_step": "step",
}
_HELD_OUT = re.compile(r"eval_|valid[_/]|val/")


def with_pairs(text: str) -> str:
    """The log with the lines that sum an epoch up as `epoch=3/14 step=72 train_loss=0.48 val_loss=0.46 …`.

    Other lines, and lines that have this form already, stay as they are. A line that does not say how many epochs were
    planned has it from the one before.
    """
    columns: list[str] = []
    total = ""
    lines = text.splitlines()
    for position, line in enumerate(lines):
        columns = line.split() if _HEADING.match(line) else columns
        if match := _EPOCH.match(line):
            planned = _PLANNED.search(line)
            total = f"/{planned[1] or planned[2]}" if planned else total
            row = list(zip(columns, line.split(), strict=False)) if match["row"] else _FIGURE.findall(line)
            pairs = " ".join(f"{name}={value}" for own, value in row if (name := _name(own)) and _is_number(value))
            lines[position] = f"epoch={match['item'] or match['bar'] or match['row']}{total} {pairs}"
    return "\n".join(lines)


def _name(own: str) -> str:
    return _NAMES.get(own, _HELD_OUT.sub("val_", own, count=1))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
