"""Carrying a fix out on the texts of a run."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from mlops_debugger.edits._fix import CODE, CONFIG, Fix, Hunk
from mlops_debugger.edits._paths import resolve_path, set_path
from mlops_debugger.edits._yaml import dump_yaml, load_yaml
from mlops_debugger.errors import FixApplyError


def apply_fix(fix: Fix, files: Mapping[str, str], canonical: Mapping[str, str]) -> dict[str, str]:
    """Apply a fix to `files` (name → text) and return the changed copies of all of them.

    `canonical` maps canonical config keys to the project's dialect. Raises `FixApplyError` where a path or a line
    does not match; the message says which and what to do.
    """
    result = dict(files)
    for hunk in fix.hunks:
        result[hunk.file] = _apply_hunk(hunk, result[hunk.file])
    if fix.config:
        config = _parsed(result[CONFIG])
        for edit in fix.config:
            path = resolve_path(config, edit.path, canonical)
            if isinstance(edit.value, float) and not math.isfinite(edit.value):
                raise FixApplyError(f"{edit.path}: expected a finite number, found {edit.value}")
            set_path(config, path, edit.value)
        result[CONFIG] = dump_yaml(config)
    else:
        _parsed(result[CONFIG])
    if result[CODE] != files[CODE]:
        try:
            compile(result[CODE], CODE, "exec", dont_inherit=True)
        except (RecursionError, MemoryError):
            raise FixApplyError(f"{CODE} is nested too deeply after the patch") from None
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            raise FixApplyError(f"{CODE} is not valid Python after the patch (line {line}): {error.args[0]}") from None
    return result


def _parsed(text: str) -> dict[str, Any]:
    try:
        config = load_yaml(text)
    except yaml.YAMLError as error:
        raise FixApplyError(f"config.yaml is not valid YAML after the patch: {str(error)[:200]}") from None
    if not isinstance(config, dict):
        raise FixApplyError("config.yaml is not a mapping after the patch")
    return config


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _common_indent(lines: Iterable[str]) -> int:
    return min((_indent(line) for line in lines if line.strip()), default=0)


def _readings(hunk: Hunk) -> Iterator[list[tuple[str, str]]]:
    """The ways to read what follows the sign: as code at once, or as a space and then code."""
    yield list(hunk.lines)
    signed = [text for op, text in hunk.lines if op != " " and text.strip()]
    if signed and all(text.startswith(" ") for text in signed):
        yield [(op, text[1:] if op != " " else text) for op, text in hunk.lines]


def _apply_hunk(hunk: Hunk, text: str) -> str:
    lines = text.split("\n")
    matches: list[tuple[int, int, list[tuple[str, str]]]] = []
    for reading in _readings(hunk):
        old = [line for op, line in reading if op != "+"]
        if not any(line.strip() for line in old):
            raise FixApplyError(
                f"a block for {hunk.file} adds lines without saying where: give the line before as context"
            )
        found = list(_find(old, lines))
        if found:
            matches = [(start, shift, reading) for start, shift in found]
            break
    if not matches:
        raise FixApplyError(_no_match(hunk, lines))
    if len(matches) > 1:
        places = ", ".join(str(start + 1) for start, _, _ in matches[:5])
        raise FixApplyError(
            f"a block matches {hunk.file} in {len(matches)} places (lines {places}): add a context line before or after"
        )
    start, shift, reading = matches[0]
    replaced: list[str] = []
    position = start
    for op, line in reading:
        if op == "+":
            if line.strip() and _indent(line) + shift < 0:
                raise FixApplyError(
                    f"an added line is indented less than {hunk.file} allows there: {line.strip()[:80]!r}"
                )
            replaced.append(" " * (_indent(line) + shift) + line.strip() if line.strip() else "")
        else:
            if op == " ":
                replaced.append(lines[position])
            position += 1
    return "\n".join([*lines[:start], *replaced, *lines[position:]])


def _find(old: Sequence[str], lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield (first line, indentation to add) of every place where the old lines stand."""
    base = _common_indent(old)
    wanted = [line.rstrip()[base:] if line.strip() else "" for line in old]
    for start in range(len(lines) - len(old) + 1):
        window = lines[start : start + len(old)]
        indent = _common_indent(window)
        if all(
            (line.rstrip()[indent:] if line.strip() else "") == want for line, want in zip(window, wanted, strict=True)
        ):
            yield start, indent - base


def _no_match(hunk: Hunk, lines: Sequence[str]) -> str:
    present = {line.strip() for line in lines}
    for op, text in hunk.lines:
        if op != "+" and text.strip() and text.strip() not in present:
            near = difflib.get_close_matches(text.strip(), sorted(present), n=1, cutoff=0.5)
            hint = f"; the nearest line is {near[0]!r}" if near else ""
            return f"{hunk.file} has no line {text.strip()[:120]!r}{hint}"
    return f"the lines of a block stand in {hunk.file}, but not one after the other: copy them in order, without gaps"
