"""What a fix consists of, and how much of it there may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Value = None | bool | int | float | str | list[Any] | dict[str, Any]
"""What a config key may hold."""

CONFIG = "config.yaml"
CODE = "preprocessing.py"
EDITABLE = (CONFIG, CODE)
MAX_FIX_CHARACTERS = 8_000
MAX_EDITS = 16
MAX_CHANGED_LINES = 12
MAX_LINE_CHARACTERS = 240
"""Of an added line of code: twelve lines that hold a program each are not a bounded change."""
MAX_CONFIG_VALUES = 1_000
"""Of a config after the fix, keys included, ten times what projects have: a line of it can hold thousands, and each is
read five times until the fix is judged."""


@dataclass(frozen=True)
class ConfigEdit:
    """Change the key at `path` (dotted, canonical or in the project's dialect).

    `set` gives an existing key `value`; `add` makes a key that is not there yet, or puts an element into a list before
    the position that ends the path; `remove` takes a key, a section or an element away and has no value.
    """

    path: str
    value: Value = None
    kind: Literal["set", "add", "remove"] = "set"


@dataclass(frozen=True)
class Hunk:
    """A block of lines: (op, text) with op one of ' ', '-', '+'; text keeps its indentation.

    `at` is the line (from 1) at which a unified diff says the block starts; it decides between places that are alike.
    """

    file: str
    lines: tuple[tuple[str, str], ...]
    at: int | None = None

    @property
    def changed(self) -> int:
        """Lines of code that the hunk changes: the larger of removed and added, blank lines and comments left out."""
        counts = [sum(op == sign and _is_code(text) for op, text in self.lines) for sign in "-+"]
        return max(counts)


@dataclass(frozen=True)
class Fix:
    """A parsed `proposed_fix`. Blocks are applied first, then config edits, each kind in its order."""

    config: tuple[ConfigEdit, ...] = ()
    hunks: tuple[Hunk, ...] = ()

    @property
    def touches_code(self) -> bool:
        return any(hunk.file == CODE for hunk in self.hunks)


def _is_code(text: str) -> bool:
    stripped = text.strip()
    return bool(stripped) and not stripped.startswith("#")
