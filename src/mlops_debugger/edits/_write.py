"""Writing fixes in the fix language."""

from __future__ import annotations

import difflib

from mlops_debugger.edits._apply import apply_fix
from mlops_debugger.edits._fix import CODE, CONFIG, EDITABLE, ConfigEdit, Fix, Hunk, Value
from mlops_debugger.edits._parse import parse_fix
from mlops_debugger.edits._yaml import dump_flow
from mlops_debugger.errors import FixApplyError, FixSyntaxError


def format_value(value: Value) -> str:
    """A value as the fix language writes it."""
    return dump_flow(value)


def format_fix(fix: Fix) -> str:
    """The fix in the fix language; `parse_fix` reads it back."""
    parts = [f"{CONFIG}: {_assignment(edit)}" for edit in fix.config]
    for file in EDITABLE:
        hunks = [hunk for hunk in fix.hunks if hunk.file == file]
        if any(hunk.at is not None or _would_break(hunk) for hunk in hunks):
            parts.append(f"--- a/{file}\n+++ b/{file}")
            parts += [f"@@{_place(hunk)} @@\n{_signed(hunk)}" for hunk in hunks]
        elif hunks:
            parts.append(f"{file}:\n" + "\n\n".join(_signed(hunk) for hunk in hunks))
    return "\n".join(parts)


def _assignment(edit: ConfigEdit) -> str:
    if edit.kind == "remove":
        return f"remove {edit.path}"
    return f"{'add ' if edit.kind == 'add' else ''}{edit.path} = {format_value(edit.value)}"


def _signed(hunk: Hunk) -> str:
    return "\n".join(op + text for op, text in hunk.lines)


def _place(hunk: Hunk) -> str:
    return "" if hunk.at is None else f" -{hunk.at} +{hunk.at}"


def _would_break(hunk: Hunk) -> bool:
    """Whether the block holds a blank context line, which would end it; in a unified diff it does not."""
    return any(op == " " and not text.strip() for op, text in hunk.lines)


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
