"""preprocessing.py as the rules read it: functions, what they use, and edits that become patches."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mlops_debugger.agents._suspicion import Suspicion
from mlops_debugger.contract import FailureCategory
from mlops_debugger.edits import CODE, diff_fix, format_fix
from mlops_debugger.errors import EditError

_EVALUATION = re.compile(r"eval|valid|test|serv|score|request|batch|predict|infer|decode|order")
_TRAINING = re.compile(r"train|fit")


@dataclass(frozen=True)
class Function:
    """A top-level function."""

    node: ast.FunctionDef

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def parameters(self) -> list[str]:
        return [argument.arg for argument in self.node.args.args]

    @property
    def doc(self) -> str:
        return (ast.get_docstring(self.node) or "").lower()

    @property
    def trains(self) -> bool:
        return bool(_TRAINING.search(self.name))

    @property
    def evaluates(self) -> bool:
        return bool(_EVALUATION.search(self.name)) and not self.trains

    def calls(self, *names: str) -> Iterator[ast.Call]:
        """Calls of a function or method with one of these names; of anything where none is given."""
        for node in ast.walk(self.node):
            if isinstance(node, ast.Call) and (not names or called(node) in names):
                yield node

    def attributes(self, owner: str) -> set[str]:
        """Attributes that are read from the variable `owner`."""
        return {
            node.attr
            for node in ast.walk(self.node)
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Load)
            and isinstance(node.value, ast.Name)
            and node.value.id == owner
        }

    def loads(self) -> set[str]:
        """Names that are read anywhere in the body."""
        return {n.id for n in ast.walk(self.node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


@dataclass(frozen=True)
class Source:
    """A parsed module."""

    text: str
    functions: tuple[Function, ...]

    def segment(self, node: ast.AST) -> str:
        return ast.get_source_segment(self.text, node) or ""

    def replaced(self, *edits: tuple[ast.AST, str]) -> str:
        """The text with the source of each node replaced; nodes must not overlap."""
        lines = [line.encode() for line in self.text.split("\n")]
        spots = [(*_span(node), new.encode()) for node, new in edits]
        for first, start, last, end, new in sorted(spots, reverse=True):
            merged = lines[first][:start] + new + lines[last][end:]
            lines[first : last + 1] = [merged]
        return b"\n".join(lines).decode()

    def patch(self, after: str) -> str | None:
        """The fix that turns this module into `after`; None where nothing changes or no patch is unambiguous."""
        try:
            ast.parse(after)
            return format_fix(diff_fix(self.text, after))
        except (EditError, SyntaxError):
            return None

    def function(self, pattern: str) -> Function | None:
        return next((item for item in self.functions if re.search(pattern, item.name)), None)


def read_source(text: str) -> Source | None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    return Source(text, tuple(Function(node) for node in tree.body if isinstance(node, ast.FunctionDef)))


def called(node: ast.Call) -> str:
    """The last name of what is called."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def literal(node: ast.expr) -> object:
    """The value of a literal (a negative number included), else None."""
    try:
        value: object = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return None
    return value


def code_suspicion(
    source: Source, weight: float, category: FailureCategory, field: str, after: str, why: str
) -> Iterator[Suspicion]:
    """Turn preprocessing.py into `after`; nothing where no patch does that."""
    fix = source.patch(after)
    if fix is not None:
        yield Suspicion(weight, category, CODE, field, fix, why)


def _span(node: ast.AST) -> tuple[int, int, int, int]:
    """First line and column, last line and column, from 0, columns in bytes."""
    first, start = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
    last, end = getattr(node, "end_lineno", first), getattr(node, "end_col_offset", start)
    return first - 1, start, (last or first) - 1, end or start
