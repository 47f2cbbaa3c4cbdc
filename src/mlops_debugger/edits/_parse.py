"""Reading the fix language; its grammar is in docs/fix-language.md."""

from __future__ import annotations

import re
from typing import Literal

import yaml

from mlops_debugger.edits._fix import (
    CODE,
    CONFIG,
    EDITABLE,
    MAX_CHANGED_LINES,
    MAX_EDITS,
    MAX_FIX_CHARACTERS,
    MAX_LINE_CHARACTERS,
    ConfigEdit,
    Fix,
    Hunk,
)
from mlops_debugger.edits._yaml import load_yaml
from mlops_debugger.errors import FixSyntaxError

_FILES = r"(config\.yaml|preprocessing\.py)"
_HEADER = re.compile(rf"^\s{{0,3}}[`*]*{_FILES}[`*]*\s*:\s*(.*)$")
_PATH = r"[A-Za-z_][\w\-]*(?:\.[\w\-]+|\[\d+\])*"
_EDIT = re.compile(rf"^\s*(?:(set|add)\s+)?({_PATH})\s*(?:=|:=|:)\s*(\S.*?)\s*$")
_REMOVAL = re.compile(rf"^\s*remove\s+({_PATH})\s*$")
_OLD_FILE = re.compile(r"^--- \S")
_NEW_FILE = re.compile(r"^\+\+\+ (?:[ab]/)?(\S+)(?:\s.*)?$")
_NOISE = re.compile(r"^(diff --git |index [0-9a-f]+\.\.|\\ No newline)")
_HUNK = re.compile(r"^@@+ -(\d{1,9})")
_MAX_PATH = 200
_MAX_DEPTH = 4
_MAX_ITEMS = 64


def parse_fix(text: str) -> Fix:
    """Read the fix language; raises `FixSyntaxError` with a message that an agent can act on."""
    if len(text) > MAX_FIX_CHARACTERS:
        raise FixSyntaxError(
            f"a fix has at most {MAX_FIX_CHARACTERS} characters, found {len(text)}: send the change alone"
        )
    fix = _Reader(text).read()
    if not fix.config and not fix.hunks:
        raise FixSyntaxError(
            "the fix is empty: expected 'config.yaml: dotted.path = value' or a patch of preprocessing.py"
        )
    if len(fix.config) + len(fix.hunks) > MAX_EDITS:
        raise FixSyntaxError(f"a fix has at most {MAX_EDITS} edits, found {len(fix.config) + len(fix.hunks)}")
    for file, limit, what in ((CODE, MAX_CHANGED_LINES, "code"), (CONFIG, MAX_EDITS, CONFIG)):
        changed = sum(hunk.changed for hunk in fix.hunks if hunk.file == file)
        if changed > limit:
            raise FixSyntaxError(f"a fix changes at most {limit} lines of {what}, found {changed}")
    return fix


class _Reader:
    """Goes through the lines once; a block is open from its first signed line on."""

    def __init__(self, text: str) -> None:
        self.lines = [line.rstrip() for line in re.split(r"\r\n|\n|\r", text)]
        self.config: list[ConfigEdit] = []
        self.hunks: list[Hunk] = []
        self.block: list[tuple[str, str]] = []
        self.current: str | None = None
        self.at: int | None = None
        self.in_diff = False

    def read(self) -> Fix:
        number = 0
        while number < len(self.lines):
            line = self.lines[number]
            number += 1
            if self._is_noise(line):
                continue
            if self._opens_diff(number - 1):
                self._open_diff(number)
                number += 1
            elif not self._structure(line, number):
                self._body(line, number)
        self._close()
        return Fix(tuple(self.config), tuple(self.hunks))

    def _is_noise(self, line: str) -> bool:
        return (
            bool(_NOISE.match(line)) or line.startswith("```") or (not self.block and line.lstrip().startswith("```"))
        )

    def _opens_diff(self, position: int) -> bool:
        following = self.lines[position + 1] if position + 1 < len(self.lines) else ""
        return bool(_OLD_FILE.match(self.lines[position]) and _NEW_FILE.match(following))

    def _open_diff(self, position: int) -> None:
        self._close()
        match = _NEW_FILE.match(self.lines[position])
        name = match[1].rpartition("/")[2] if match else ""
        if name not in EDITABLE:
            raise FixSyntaxError(
                f"line {position + 1}: a fix may change {' and '.join(EDITABLE)}, found a diff of {name[:80]!r}"
            )
        self.current, self.in_diff, self.at = name, True, None

    def _structure(self, line: str, number: int) -> bool:
        """Deal with a line that opens or ends something; False for a line that belongs to what is open."""
        if line.startswith("@@") and self.current is not None:
            self._close()
            match = _HUNK.match(line)
            self.in_diff, self.at = True, int(match[1]) if match else None
            return True
        signed = line[:1] in ("+", "-") or (bool(self.block) and line[:1] == " ")
        if not signed and (match := _HEADER.match(line)):
            self._close()
            self.current, self.in_diff, self.at = match[1], False, None
            if rest := match[2].strip("` "):
                self._inline(rest, number)
            return True
        if line:
            return False
        if self.in_diff and self.block:
            self.block.append((" ", ""))
        elif not self.in_diff:
            self._close()
        return True

    def _inline(self, rest: str, number: int) -> None:
        if self.current == CODE:
            raise FixSyntaxError(
                f"line {number}: put the changed lines of {CODE} below its header, marked with '-' and '+'"
            )
        self.config.append(_edit(rest, number))

    def _body(self, line: str, number: int) -> None:
        could_be_edit = self.current == CONFIG and not self.in_diff and not self.block and line[0] not in "-+"
        if could_be_edit and (_EDIT.match(line) or _REMOVAL.match(line)):
            self.config.append(_edit(line, number))
        elif self.current is not None and line[0] in " -+":
            self._add(line, number)
        elif self.current is None and line[0] in "-+":
            raise FixSyntaxError(
                f"line {number} is not in the fix language without a file: expected 'config.yaml:' or "
                f"'preprocessing.py:' before the first changed line, found {line[:80]!r}"
            )
        else:
            raise FixSyntaxError(
                f"line {number} is not in the fix language: {line[:80]!r}. Expected 'config.yaml: dotted.path = "
                "value', or 'preprocessing.py:' followed by '-' and '+' lines"
            )

    def _add(self, line: str, number: int) -> None:
        if line[0] == "+" and self.current == CODE and len(line) > MAX_LINE_CHARACTERS + 1:
            raise FixSyntaxError(
                f"line {number}: an added line of {CODE} has at most {MAX_LINE_CHARACTERS} characters, "
                f"found {len(line) - 1}: break it"
            )
        self.block.append((line[0], line[1:]))

    def _close(self) -> None:
        """End the open block, if there is one; blank context at its ends says nothing about the place."""
        while self.block and self.block[-1] == (" ", ""):
            self.block.pop()
        block, self.block = tuple(self.block), []
        if not block:
            return
        if self.current is None:
            raise FixSyntaxError("expected 'config.yaml:' or 'preprocessing.py:' before the first changed line")
        if all(op == " " for op, _ in block):
            raise FixSyntaxError(
                f"a block for {self.current} changes nothing: start removed lines with '-' and added ones with '+'"
            )
        self.hunks.append(Hunk(self.current, block, self.at))
        self.at = None


def _edit(text: str, number: int) -> ConfigEdit:
    if match := _REMOVAL.match(text):
        return ConfigEdit(_path(match[1], number), None, "remove")
    match = _EDIT.match(text)
    if match is None or match[3].startswith("#"):
        raise FixSyntaxError(f"line {number}: expected 'dotted.path = value', found {text[:80]!r}")
    try:
        value = load_yaml(match[3])
    except yaml.YAMLError:
        raise FixSyntaxError(f"line {number}: {match[3][:80]!r} is not a YAML value") from None
    if not _is_value(value, _MAX_DEPTH) or _items(value) > _MAX_ITEMS:
        raise FixSyntaxError(
            f"line {number}: expected a number of 64 bits, a word, true/false, null, or a list or mapping of at most "
            f"{_MAX_ITEMS} of those, {_MAX_DEPTH} deep; found {match[3][:80]!r}"
        )
    kind: Literal["add", "set"] = "add" if match[1] == "add" else "set"
    return ConfigEdit(_path(match[2], number), value, kind)


def _path(text: str, number: int) -> str:
    if len(text) > _MAX_PATH:
        raise FixSyntaxError(f"line {number}: a path has at most {_MAX_PATH} characters, found {len(text)}")
    return re.sub(r"\[(\d+)\]", r".\1", text)


def _is_value(value: object, depth: int) -> bool:
    if isinstance(value, list):
        return depth > 0 and all(_is_value(item, depth - 1) for item in value)
    if isinstance(value, dict):
        return depth > 0 and all(isinstance(key, str) and _is_value(item, depth - 1) for key, item in value.items())
    if isinstance(value, int) and not isinstance(value, bool):
        return -(2**63) <= value < 2**63
    return value is None or isinstance(value, bool | float | str)


def _items(value: object) -> int:
    if isinstance(value, list):
        return 1 + sum(_items(item) for item in value)
    return 1 + sum(_items(item) for item in value.values()) if isinstance(value, dict) else 1
