"""What a fix consists of, and how much of it there may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Value = None | bool | int | float | str | list[Any]
"""What a config key may hold."""

CONFIG = "config.yaml"
CODE = "preprocessing.py"
EDITABLE = (CONFIG, CODE)
MAX_FIX_CHARACTERS = 8_000
MAX_EDITS = 16
MAX_CHANGED_LINES = 12


@dataclass(frozen=True)
class ConfigEdit:
    """Set the key at `path` (dotted, canonical or in the project's dialect) to `value`."""

    path: str
    value: Value


@dataclass(frozen=True)
class Hunk:
    """A block of lines: (op, text) with op one of ' ', '-', '+'; text keeps its indentation."""

    file: str
    lines: tuple[tuple[str, str], ...]

    @property
    def changed(self) -> int:
        """Lines of code that the hunk changes: the larger of removed and added, blank lines and comments left out."""
        counts = [sum(op == sign and _is_code(text) for op, text in self.lines) for sign in "-+"]
        return max(counts)


@dataclass(frozen=True)
class Fix:
    """A parsed `proposed_fix`."""

    config: tuple[ConfigEdit, ...] = ()
    hunks: tuple[Hunk, ...] = ()

    @property
    def touches_code(self) -> bool:
        return any(hunk.file == CODE for hunk in self.hunks)


def _is_code(text: str) -> bool:
    stripped = text.strip()
    return bool(stripped) and not stripped.startswith("#")
