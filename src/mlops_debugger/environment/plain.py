"""Plain data, the tree that dotted paths walk: dicts with str keys, lists, str, int, finite float, bool and None."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from mlops_debugger.environment.nearest import closest

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]

MAX_PATH = 200
_MAX_CANDIDATES = 400
_SHOWN = 40
_SUBSCRIPT = re.compile(r"\[\s*(?:(\d{1,9})|\"([^\"\]]*)\"|'([^'\]]*)')\s*\]")


def to_plain(value: object) -> Plain:
    """Parsed YAML or JSON as plain data: keys and dates become text, and so do NaN and infinities, which JSON lacks."""
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def copied(value: Plain) -> Plain:
    """A copy that shares nothing that can be changed."""
    if isinstance(value, dict):
        return {key: copied(item) if isinstance(item, dict | list) else item for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) if isinstance(item, dict | list) else item for item in value]
    return value


def weight(value: Plain) -> int:
    """Roughly the characters that the value takes when it is written."""
    if isinstance(value, dict):
        return sum(len(key) + 4 + weight(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(2 + weight(item) for item in value)
    return len(value) if isinstance(value, str) else 8


def shown(text: str, limit: int = 80) -> str:
    """What somebody sent, quoted for a message: bounded, and safe to encode whatever it holds."""
    return repr(text if len(text) <= limit else text[:limit] + "…")


def normal_path(path: str | None) -> str:
    """The path with list indices as steps: `a.b[0]` and `a.b.0` are one path; "" stands for the whole artifact."""
    if not path:
        return ""
    path = path.strip().removeprefix("$.")
    if "[" in path and len(path) <= MAX_PATH:
        path = _SUBSCRIPT.sub(lambda match: "." + (match[1] or match[2] or match[3] or ""), path).removeprefix(".")
    return path


def walk(tree: Plain, steps: Sequence[str]) -> tuple[Plain, int]:
    """Follow the steps as far as they lead: the value reached and how many steps it took.

    A key may hold dots itself, so the longest run of steps that is a key wins.
    """
    node, used = tree, 0
    while used < len(steps):
        if isinstance(node, dict):
            for end in range(len(steps), used, -1):
                key = ".".join(steps[used:end])
                if key in node:
                    node, used = node[key], end
                    break
            else:
                break
        elif isinstance(node, list) and (index := _index(steps[used])) is not None and index < len(node):
            node, used = node[index], used + 1
        else:
            break
    return node, used


def _index(step: str) -> int | None:
    return int(step) if len(step) <= 9 and step.isascii() and step.isdigit() else None


def paths(tree: Plain, prefix: str = "") -> Iterator[str]:
    """Every dotted path below `tree`, outer ones first within each branch; lists are not entered."""
    if isinstance(tree, dict):
        for key, item in tree.items():
            yield f"{prefix}{key}"
            yield from paths(item, f"{prefix}{key}.")


def explain(artifact: str, tree: Plain, path: str, also: Sequence[str] = ()) -> str:
    """Why `path` leads nowhere, and the nearest paths that do; `also` are names accepted beside the tree's."""
    steps = path.split(".")
    node, used = walk(tree, steps)
    reached = ".".join(steps[:used])
    where = shown(reached) if reached else artifact
    if isinstance(node, list):
        bounds = f"0 to {len(node) - 1}" if node else "it is empty"
        return (
            f"{artifact}: {where} is a list of {len(node)} ({bounds}), found index {shown(steps[used])}: "
            "give a position in that range"
        )
    if not isinstance(node, dict):
        return f"{artifact}: {where} is a single value and has no fields, found {shown(path)}: query {where}"
    candidates = [*itertools.islice(paths(tree), _MAX_CANDIDATES), *also]
    last = steps[-1].casefold()
    near = [name for name in candidates if name.casefold().rpartition(".")[2] == last][:3]
    near += [name for name in closest(path, candidates, count=3, cutoff=0.5) if name not in near]
    nearest = f" Nearest: {', '.join(near[:4])}." if near else ""
    return f"{artifact} has no field {shown(path)}.{nearest} {_inventory(where, node)}"


def _inventory(where: str, node: Mapping[str, Plain]) -> str:
    names = list(node)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{where} holds: {', '.join(names[:_SHOWN])}{more}" if names else f"{where} is empty"
