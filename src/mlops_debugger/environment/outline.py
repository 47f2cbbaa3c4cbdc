"""preprocessing.py by name: where each function, class and constant stands."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from mlops_debugger.bank.store import KEPT


@dataclass(frozen=True)
class Definition:
    """A named piece of source; `lines` are its first and last line, counted from 1."""

    kind: str
    lines: tuple[int, int]
    source: str


@functools.lru_cache(maxsize=KEPT)
def outline(text: str) -> dict[str, Definition] | str:
    """Definitions by dotted name (`Class.method`, `outer.inner`), or why the text cannot be read.

    Shared between episodes, so it is for reading alone.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        return f"preprocessing.py is not valid Python (line {getattr(error, 'lineno', None)}): read it whole"
    source = text.split("\n")
    return {
        name: Definition(kind, (first, last), "\n".join(source[first - 1 : last]))
        for name, kind, first, last in _definitions(tree, "", constants=True)
    }


def _definitions(node: ast.AST, prefix: str, *, constants: bool) -> Iterator[tuple[str, str, int, int]]:
    """Constants count in modules and classes; what a function assigns is a variable, part of its source."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            kind = "class" if isinstance(child, ast.ClassDef) else "function"
            first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
            yield f"{prefix}{child.name}", kind, first, child.end_lineno or child.lineno
            yield from _definitions(child, f"{prefix}{child.name}.", constants=kind == "class")
        elif constants and isinstance(child, ast.Assign | ast.AnnAssign):
            targets = child.targets if isinstance(child, ast.Assign) else [child.target]
            for target in targets:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        yield f"{prefix}{name.id}", "constant", child.lineno, child.end_lineno or child.lineno
        elif isinstance(child, ast.stmt):
            yield from _definitions(child, prefix, constants=constants)
