"""Carrying a fix out on the texts of a run."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

import yaml

from mlops_debugger.edits._fix import CODE, CONFIG, MAX_CHANGED_LINES, MAX_CONFIG_VALUES, Fix
from mlops_debugger.edits._hunks import apply_hunk, split_lines
from mlops_debugger.edits._paths import change
from mlops_debugger.edits._yaml import dump_yaml, load_yaml, means_the_same_in_yaml_1_1
from mlops_debugger.errors import FixApplyError


def apply_fix(fix: Fix, files: Mapping[str, str], canonical: Mapping[str, str]) -> dict[str, str]:
    """Apply a fix to `files` (name → text) and return the changed copies of all of them.

    `canonical` maps canonical config keys to the project's dialect. Line endings stay what they are in each file.
    Raises `FixApplyError` where a path or a line does not match; the message says which and what to do.
    """
    result = dict(files)
    for hunk in fix.hunks:
        result[hunk.file] = apply_hunk(hunk, result[hunk.file])
    if result[CONFIG] != files[CONFIG] or fix.config:
        result[CONFIG] = _configured(fix, result[CONFIG], canonical)
    else:
        _parsed(result[CONFIG])
    if result[CODE] != files[CODE]:
        _check_code(files[CODE], result[CODE])
    return result


def _configured(fix: Fix, text: str, canonical: Mapping[str, str]) -> str:
    """The config with typed edits carried out; comments survive where there are none."""
    config = _parsed(text)
    for edit in fix.config:
        if not _is_finite(edit.value):
            raise FixApplyError(f"{edit.path}: expected a finite number, found {edit.value}")
        change(config, edit, canonical)
    if not fix.config and means_the_same_in_yaml_1_1(text):
        return text
    written = dump_yaml(config)
    endings = [end for _, end in split_lines(text)]
    return written.replace("\n", "\r\n") if endings.count("\r\n") > endings.count("\n") else written


def _is_finite(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_finite(item) for item in value)
    if isinstance(value, dict):
        return all(_is_finite(item) for item in value.values())
    return not isinstance(value, float) or math.isfinite(value)


def _parsed(text: str) -> dict[str, Any]:
    try:
        config = load_yaml(text, most=MAX_CONFIG_VALUES)
    except yaml.YAMLError as error:
        raise FixApplyError(f"config.yaml is not valid YAML after the patch: {str(error)[:200]}") from None
    if not isinstance(config, dict):
        raise FixApplyError("config.yaml is not a mapping after the patch")
    return config


def _check_code(before: str, after: str) -> None:
    """Raise where the patched code does not compile, or has more new statements than a fix may bring."""
    try:
        compile(after, CODE, "exec", dont_inherit=True)
        tree = ast.parse(after)
    except (RecursionError, MemoryError):
        raise FixApplyError(f"{CODE} is nested too deeply after the patch") from None
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = _shown_line(after, line)
        raise FixApplyError(
            f"{CODE} is not valid Python after the patch (line {line}{where}): {str(error.args[0])[:200]}"
        ) from None
    old = {line.strip() for line, _ in split_lines(before)}
    new = {number for number, (line, _) in enumerate(split_lines(after), start=1) if line.strip() not in old}
    statements = sum(isinstance(node, ast.stmt) and node.lineno in new for node in ast.walk(tree))
    if statements > MAX_CHANGED_LINES:
        raise FixApplyError(f"a fix brings at most {MAX_CHANGED_LINES} statements of code, found {statements}")


def _shown_line(text: str, number: int | None) -> str:
    lines = split_lines(text)
    return f", {lines[number - 1][0].strip()[:80]!r}" if number and number <= len(lines) else ""
