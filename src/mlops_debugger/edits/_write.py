"""Writing fixes in the fix language."""

from __future__ import annotations

import difflib

from mlops_debugger.edits._apply import apply_fix
from mlops_debugger.edits._fix import CODE, CONFIG, EDITABLE, Fix, Hunk, Value
from mlops_debugger.edits._parse import parse_fix
from mlops_debugger.edits._yaml import dump_flow
from mlops_debugger.errors import FixApplyError, FixSyntaxError


def format_value(value: Value) -> str:
    """A value as the fix language writes it."""
    return dump_flow(value)


def format_fix(fix: Fix) -> str:
    """The fix in the fix language; `parse_fix` reads it back."""
    parts = [f"{CONFIG}: {edit.path} = {format_value(edit.value)}" for edit in fix.config]
    for file in EDITABLE:
        blocks = ["\n".join(op + text for op, text in hunk.lines) for hunk in fix.hunks if hunk.file == file]
        if blocks:
            parts.append(f"{file}:\n" + "\n\n".join(blocks))
    return "\n".join(parts)


def diff_fix(before: str, after: str) -> Fix:
    """The patch of preprocessing.py that turns `before` into `after`, with as much context as it takes to be unique."""
    old, new = before.split("\n"), after.split("\n")
    for context in range(8):
        matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
        hunks = []
        for group in matcher.get_grouped_opcodes(context):
            lines: list[tuple[str, str]] = []
            for tag, a0, a1, b0, b1 in group:
                if tag == "equal":
                    lines += [(" ", line) for line in old[a0:a1]]
                else:
                    lines += [("-", line) for line in old[a0:a1]] + [("+", line) for line in new[b0:b1]]
            hunks.append(Hunk(CODE, tuple(lines)))
        fix = Fix(hunks=tuple(hunks))
        try:
            # Blank context lines would end a block, so what counts is the text that an agent would send.
            if hunks and apply_fix(parse_fix(format_fix(fix)), {CONFIG: "{}", CODE: before}, {})[CODE] == after:
                return fix
        except (FixApplyError, FixSyntaxError):
            continue
    raise FixApplyError("no unambiguous patch leads from one text to the other: are they equal?")
