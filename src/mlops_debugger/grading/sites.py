"""Which names point at a site: computed from the edit, never written by hand."""

from __future__ import annotations

import ast
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_debugger.edits import flatten

_COMMON = 3
"""A name that stands on more lines than this counts only with its function in front."""
_MAX_ANSWER = 2_000
"""Characters of an answer that are read: beyond that somebody is not naming a field."""

HALF = 0.5


def normal(name: str) -> str:
    """A name without case, quotes, call brackets, value, index, file prefix and fancy separators."""
    text = name.strip().lower().strip("`'\"*")
    text = re.sub(r"(?<=[\w\]])\(.*$", "", text)
    text = re.sub(r"\s*(?<![=!<>~])=\s*\S+$", "", text)
    text = re.sub(r"^(config\.yaml|preprocessing\.py)\s*(::|:|/|\.|#|->|>)?\s*", "", text)
    text = re.sub(r"\s*(::|->|=>|/|>)\s*", ".", text)
    text = re.sub(r"\[-?\d*(:-?\d*)?\]", "", text)
    text = re.sub(r"\[['\"]?([\w.]+)['\"]?\]", r".\1", text)
    text = re.sub(r"(?<=\w)\.\d+$", "", text)
    text = re.sub(r"^(config|cfg|preprocessing)\.(?=\w)", "", text)
    return re.sub(r"[\s\-]+", "_", text.strip(" .:`'\"[](){}"))


def squeezed(name: str) -> str:
    """A normal name without any separator: what two spellings of it share."""
    return re.sub(r"[\s_.\-]+", "", name)


def config_names(config: Mapping[str, Any], path: str, canonical: str, others: Iterable[str] = ()) -> dict[str, float]:
    """Accepted names of a config key: its path and every tail of it that no other key shares, in both dialects.

    `others` are all canonical keys: a tail of the canonical name must not belong to another one either.
    """
    leaves = {leaf for leaf, _ in flatten(config)} - {path}
    names = {}
    for full, rivals in ((path, leaves), (canonical, leaves | (set(others) - {canonical}))):
        parts = full.split(".")
        for start in range(len(parts)):
            tail = ".".join(parts[start:])
            if not any(leaf == tail or leaf.endswith(f".{tail}") for leaf in rivals):
                names[normal(tail)] = 1.0
    return names


def code_names(broken: str, healthy: str) -> dict[str, float]:
    """Accepted names of a code site: what the changed lines of either version name, and their function for half.

    A statement or call that goes over several lines is named by its target and by what is called, too.
    """
    changed_old, changed_new = _changed_lines(broken, healthy)
    names: dict[str, float] = {}
    for text, lines in ((broken, changed_old), (healthy, changed_new)):
        tree = ast.parse(text)
        mentions = list(_mentions(tree, ()))
        spread = Counter(name for name, _ in {(item.name, item.line) for item in (*mentions, *_definitions(tree))})
        around = set(_around(tree, lines))
        for mention in mentions:
            if (mention.line not in lines and mention not in around) or not re.search(r"[a-z]", mention.name):
                continue
            if len(mention.name) < 2:
                continue
            for start in range(len(mention.scope)):
                names[".".join([*mention.scope[start:], mention.name])] = 1.0
            if spread[mention.name] <= _COMMON:
                names[mention.name] = 1.0
        for scope in _scopes_at(tree, lines, ()):
            for start in range(len(scope)):
                names.setdefault(".".join(scope[start:]), HALF)
    return names


@dataclass(frozen=True)
class _Mention:
    """A normal name, the line that it stands on, and the classes and functions around it, outer ones first."""

    name: str
    line: int
    scope: tuple[str, ...]


_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _changed_lines(old: str, new: str) -> tuple[set[int], set[int]]:
    matcher = difflib.SequenceMatcher(a=old.split("\n"), b=new.split("\n"), autojunk=False)
    before: set[int] = set()
    after: set[int] = set()
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag != "equal":
            before.update(range(a0 + 1, a1 + 1))
            after.update(range(b0 + 1, b1 + 1))
    return before, after


def _mentions(node: ast.AST, scope: tuple[str, ...]) -> Iterator[_Mention]:
    """Every name below a node."""
    for child in ast.iter_child_nodes(node):
        for name, line in _names(child):
            yield _Mention(normal(name), line, scope)
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue  # a docstring is prose
        inner = (*scope, normal(child.name)) if isinstance(child, _Scope) else scope
        yield from _mentions(child, inner)


def _names(node: ast.AST) -> Iterator[tuple[str, int]]:
    """(name, line) of what a node itself names; an attribute stands where its own word stands."""
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.Name):
        yield node.id, line
    elif isinstance(node, ast.Attribute):
        chain = _chain(node)
        for start in range(len(chain)):
            yield ".".join(chain[start:]), node.end_lineno or line
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        chain = _chain(node)
        yield from ((".".join(chain[start:]), node.slice.end_lineno or line) for start in range(len(chain) - 1))
    elif isinstance(node, ast.Call):
        chain = _chain(node.func)
        for keyword in node.keywords:
            for start in range(len(chain) if keyword.arg else 0):
                yield ".".join([*chain[start:], str(keyword.arg)]), keyword.lineno
    elif isinstance(node, ast.keyword | ast.arg):
        if node.arg:
            yield node.arg, line
    elif isinstance(node, ast.alias):
        yield from ((name, line) for name in (node.name, node.asname) if name)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[\w .\-]{1,40}", node.value):
        yield node.value, line


def _definitions(tree: ast.AST) -> Iterator[_Mention]:
    """Where functions and classes get their names: those lines count when a name is too common to point anywhere."""
    for node in ast.walk(tree):
        if isinstance(node, _Scope):
            yield _Mention(normal(node.name), node.lineno, ())


def _chain(node: ast.expr) -> list[str]:
    """The dotted name of an expression, through calls and subscripts; the last part of it where it starts otherwise."""
    if isinstance(node, ast.Attribute):
        return [*_chain(node.value), node.attr]
    if isinstance(node, ast.Call):
        return _chain(node.func)
    if isinstance(node, ast.Subscript):
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return [*_chain(node.value), *([key] if isinstance(key, str) and re.fullmatch(r"\w+", key) else [])]
    return [node.id] if isinstance(node, ast.Name) else []


def _around(tree: ast.AST, lines: set[int], scope: tuple[str, ...] = ()) -> Iterator[_Mention]:
    """Targets of assignments, and the innermost calls, that go over a changed line."""
    for node in ast.iter_child_nodes(tree):
        inner = (*scope, normal(node.name)) if isinstance(node, _Scope) else scope
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and _covers(node, lines):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for part in (target, *ast.walk(target)):
                    yield from (_Mention(normal(name), line, inner) for name, line in _names(part))
        if isinstance(node, ast.stmt) and not isinstance(node, _Scope):
            for call in _innermost_calls(node, lines):
                yield from (_Mention(normal(name), line, inner) for name, line in _names(call.func))
        yield from _around(node, lines, inner)


def _innermost_calls(node: ast.stmt, lines: set[int]) -> Iterator[ast.Call]:
    calls = [child for child in ast.walk(node) if isinstance(child, ast.Call)]
    for line in lines:
        over = [call for call in calls if _covers(call, {line})]
        if over:
            yield min(over, key=lambda call: ((call.end_lineno or 0) - call.lineno, -call.col_offset))


def _covers(node: ast.stmt | ast.expr, lines: set[int]) -> bool:
    return any(node.lineno <= line <= (node.end_lineno or node.lineno) for line in lines)


def _scopes_at(node: ast.AST, lines: set[int], scope: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Functions around the changed lines, each with what is around it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Scope) and _covers(child, lines):
            inner = (*scope, normal(child.name))
            if not isinstance(child, ast.ClassDef):
                yield inner
            yield from _scopes_at(child, lines, inner)
        elif not isinstance(child, _Scope):
            yield from _scopes_at(child, lines, scope)


def worth(answer: str, names: Mapping[str, float]) -> float:
    """How well an answer names the site, in [0, 1]: several names (commas, semicolons, lines) score by precision."""
    accepted: dict[str, float] = {}
    for name, value in names.items():
        accepted[squeezed(name)] = max(value, accepted.get(squeezed(name), 0.0))
    listed = list(dict.fromkeys(_listed(answer)))
    if not listed:
        return 0.0
    scores = [accepted.get(name, 0.0) for name in listed]
    return max(scores) * sum(score > 0 for score in scores) / len(listed)


def _listed(answer: str) -> Iterator[str]:
    """The names of an answer, squeezed. What stands in the brackets of a call or of a value is no name of its own."""
    if len(answer) > _MAX_ANSWER:
        yield answer
        return
    text = answer
    for _ in range(4):
        text = re.sub(r"(?<=[\w\]])\([^()]*\)", "", text)
    text = re.sub(r"=\s*\[[^\[\]]*\]", "=_", text)
    text = re.sub(r"(?<=\w)\[[^\[\]]*[:,][^\[\]]*\]", "", text)
    for part in re.split(r"[,;\n|]+|(?<=\S)\s(?:and|or|&)\s(?=\S)", text):
        if name := squeezed(normal(part)):
            yield name
