"""Typed edits and patches: the fix language, its parser and its applier.

The language, in the agent's words::

    config.yaml: optimizer.learning_rate = 0.001      one or more typed edits, a line each: set, add or remove
    preprocessing.py:                                  or a patch
    - scaler.fit(features)                             - and context lines (leading space) match exactly once
    + scaler.fit(features[train_rows])                 + lines are indented alike

A unified diff is read too. A blank line ends a block; several blocks may follow one header. Anything else is prose,
and prose is refused: nobody should be able to score with words. docs/fix-language.md has the grammar.
"""

from mlops_debugger.edits._apply import apply_fix
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
    Value,
)
from mlops_debugger.edits._parse import parse_fix
from mlops_debugger.edits._paths import flatten, set_path
from mlops_debugger.edits._write import diff_fix, format_fix, format_value
from mlops_debugger.edits._yaml import dump_yaml, load_yaml

__all__ = [
    "CODE",
    "CONFIG",
    "EDITABLE",
    "MAX_CHANGED_LINES",
    "MAX_EDITS",
    "MAX_FIX_CHARACTERS",
    "MAX_LINE_CHARACTERS",
    "ConfigEdit",
    "Fix",
    "Hunk",
    "Value",
    "apply_fix",
    "diff_fix",
    "dump_yaml",
    "flatten",
    "format_fix",
    "format_value",
    "load_yaml",
    "parse_fix",
    "set_path",
]
