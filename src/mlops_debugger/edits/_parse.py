"""Reading the fix language."""

from __future__ import annotations

import re

import yaml

from mlops_debugger.edits._fix import (
    CODE,
    CONFIG,
    MAX_CHANGED_LINES,
    MAX_EDITS,
    MAX_FIX_CHARACTERS,
    ConfigEdit,
    Fix,
    Hunk,
)
from mlops_debugger.edits._yaml import load_yaml
from mlops_debugger.errors import FixSyntaxError

_HEADER = re.compile(r"^\s{0,3}[`*]*(config\.yaml|preprocessing\.py)[`*]*\s*:\s*(.*)$")
_ASSIGNMENT = re.compile(r"^\s*([A-Za-z_][\w\-]*(?:\.[\w\-]+|\[\d+\])*)\s*(?:=|:=|:)\s*(\S.*?)\s*$")
_DIFF_FILE = re.compile(r"^\+\+\+ (?:[ab]/)?(?:\S*/)?(config\.yaml|preprocessing\.py)\s*$")


def parse_fix(text: str) -> Fix:
    """Read the fix language; raises `FixSyntaxError` with a message that an agent can act on."""
    if len(text) > MAX_FIX_CHARACTERS:
        raise FixSyntaxError(
            f"a fix has at most {MAX_FIX_CHARACTERS} characters, found {len(text)}: send the change alone"
        )
    config: list[ConfigEdit] = []
    hunks: list[Hunk] = []
    block: list[tuple[str, str]] = []
    current: str | None = None
    in_diff = False

    def close() -> None:
        while block and block[-1] == (" ", ""):
            block.pop()
        if not block:
            return
        if current is None:
            raise FixSyntaxError("expected 'config.yaml:' or 'preprocessing.py:' before the first changed line")
        if all(op == " " for op, _ in block):
            raise FixSyntaxError(
                f"a block for {current} changes nothing: start removed lines with '-' and added ones with '+'"
            )
        hunks.append(Hunk(current, tuple(block)))
        block.clear()

    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        line = raw.rstrip()
        if line.lstrip().startswith("```") or re.match(r"^(diff --git |index [0-9a-f]|\\ No newline)", line):
            continue
        if line.startswith("--- ") and re.search(r"(config\.yaml|preprocessing\.py|/dev/null)\s*$", line):
            close()
            in_diff = True
            continue
        if match := _DIFF_FILE.match(line):
            close()
            current, in_diff = match[1], True
            continue
        if line.startswith("@@"):
            close()
            continue
        if match := _HEADER.match(line):
            close()
            current, in_diff = match[1], False
            rest = match[2].strip("` ")
            if not rest:
                continue
            if current == CODE:
                raise FixSyntaxError(
                    f"line {number}: put the changed lines of {CODE} below its header, marked with '-' and '+'"
                )
            config.append(_assignment(rest, number))
            continue
        if not line:
            if in_diff and block:
                block.append((" ", ""))
            elif not in_diff:
                close()
            continue
        if current is not None and line[0] in " -+":
            if current == CONFIG and not in_diff and line[0] == " " and not block and _ASSIGNMENT.match(line):
                config.append(_assignment(line, number))
            else:
                block.append((line[0], line[1:]))
            continue
        if current == CONFIG and not block and _ASSIGNMENT.match(line):
            config.append(_assignment(line, number))
            continue
        raise FixSyntaxError(
            f"line {number} is not in the fix language: {line[:80]!r}. Expected 'config.yaml: dotted.path = value', "
            "or 'preprocessing.py:' followed by '-' and '+' lines"
        )
    close()
    if not config and not hunks:
        raise FixSyntaxError(
            "the fix is empty: expected 'config.yaml: dotted.path = value' or a patch of preprocessing.py"
        )
    if len(config) + len(hunks) > MAX_EDITS:
        raise FixSyntaxError(f"a fix has at most {MAX_EDITS} edits, found {len(config) + len(hunks)}")
    changed = sum(hunk.changed for hunk in hunks if hunk.file == CODE)
    if changed > MAX_CHANGED_LINES:
        raise FixSyntaxError(f"a fix changes at most {MAX_CHANGED_LINES} lines of code, found {changed}")
    return Fix(tuple(config), tuple(hunks))


def _assignment(text: str, number: int) -> ConfigEdit:
    match = _ASSIGNMENT.match(text)
    if match is None:
        raise FixSyntaxError(f"line {number}: expected 'dotted.path = value', found {text[:80]!r}")
    try:
        value = load_yaml(match[2])
    except yaml.YAMLError:
        raise FixSyntaxError(f"line {number}: {match[2][:80]!r} is not a YAML value") from None
    if not _is_value(value):
        raise FixSyntaxError(
            f"line {number}: expected a number, word, true/false, null or a list of those, found {match[2][:80]!r}"
        )
    return ConfigEdit(re.sub(r"\[(\d+)\]", r".\1", match[1]), value)


def _is_value(value: object) -> bool:
    if isinstance(value, list):
        return len(value) <= 64 and all(_is_value(item) and not isinstance(item, list) for item in value)
    return value is None or isinstance(value, bool | int | float | str)
