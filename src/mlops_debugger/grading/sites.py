"""Which names point at a site: computed from the edit, never written by hand."""

from __future__ import annotations

import ast
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mlops_debugger.edits import flatten

_COMMON = 3
"""A name that stands on more lines than this counts only with its function in front."""

HALF = 0.5


def normal(name: str) -> str:
    """A name without case, quotes, call brackets, file prefix and fancy separators."""
    text = name.strip().lower().strip("`'\"*")
    text = re.sub(r"\(.*$", "", text)
    text = re.sub(r"^(config\.yaml|preprocessing\.py)\s*(::|:|/|\.|#|>)?\s*", "", text)
    text = re.sub(r"\s*(::|->|=>|/|>)\s*", ".", text)
    text = re.sub(r"\[['\"]?([\w]+)['\"]?\]", r".\1", text)
    text = re.sub(r"^(config|cfg|preprocessing)\.(?=\w)", "", text)
    return re.sub(r"[\s\-]+", "_", text.strip(" .:`'\""))


def config_names(config: Mapping[str, Any], path: str, canonical: str) -> dict[str, float]:
    """Accepted names of a config key: its path and every tail of it that no other key shares, in both dialects."""
    leaves = [leaf for leaf, _ in flatten(config)]
    names = {}
    for full in (path, canonical):
        parts = full.split(".")
        for start in range(len(parts)):
            tail = ".".join(parts[start:])
            shared = sum(leaf == tail or leaf.endswith(f".{tail}") for leaf in leaves if leaf != path)
            if not shared:
                names[normal(tail)] = 1.0
    return names


def code_names(broken: str, healthy: str) -> dict[str, float]:
    """Accepted names of a code site: what the changed lines of either version name, and their function for half."""
    changed_old, changed_new = _changed_lines(broken, healthy)
    names: dict[str, float] = {}
    for text, lines in ((broken, changed_old), (healthy, changed_new)):
        tree = ast.parse(text)
        spread = _spread(tree)
        for node, function in _walk(tree):
            start = getattr(node, "lineno", None)
            if start is None or start not in lines:
                continue
            for name in _names(node):
                key = normal(name)
                if len(key) < 2 or not re.search(r"[a-z]", key):
                    continue
                if function:
                    names[f"{normal(function)}.{key}"] = 1.0
                if spread[key] <= _COMMON:
                    names[key] = 1.0
        for function in _functions_at(tree, lines):
            names.setdefault(normal(function), HALF)
    return names


def _changed_lines(old: str, new: str) -> tuple[set[int], set[int]]:
    matcher = difflib.SequenceMatcher(a=old.split("\n"), b=new.split("\n"), autojunk=False)
    before: set[int] = set()
    after: set[int] = set()
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag != "equal":
            before.update(range(a0 + 1, a1 + 1))
            after.update(range(b0 + 1, b1 + 1))
    return before, after


def _walk(node: ast.AST, function: str = "") -> Iterator[tuple[ast.AST, str]]:
    for child in ast.iter_child_nodes(node):
        yield child, function
        inner = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        yield from _walk(child, inner)


def _names(node: ast.AST) -> Iterable[str]:
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        chain = _chain(node)
        return tuple(".".join(chain[start:]) for start in range(len(chain)))
    if isinstance(node, ast.keyword):
        return (node.arg,) if node.arg else ()
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\w+", node.value):
        return (node.value,)
    return ()


def _chain(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Attribute):
        return [*_chain(node.value), node.attr]
    return [node.id] if isinstance(node, ast.Name) else []


def _spread(tree: ast.AST) -> Counter[str]:
    """On how many lines each name stands."""
    places = {(normal(name), getattr(node, "lineno", 0)) for node, _ in _walk(tree) for name in _names(node)}
    return Counter(name for name, _ in places)


def _functions_at(tree: ast.AST, lines: set[int]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(
            node.lineno <= line <= (node.end_lineno or node.lineno) for line in lines
        ):
            yield node.name


def worth(answer: str, names: Mapping[str, float]) -> float:
    """How well an answer names the site, in [0, 1]: several names (commas, semicolons, lines) score by precision."""
    listed = [normal(part) for part in re.split(r"[,;\n|]+|\s(?:and|or|&)\s", answer)]
    listed = list(dict.fromkeys(name for name in listed if name))
    if not listed:
        return 0.0
    scores = [names.get(name, 0.0) for name in listed]
    return max(scores) * sum(score > 0 for score in scores) / len(listed)
