"""Dotted paths into a config."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from mlops_debugger.edits._fix import Value
from mlops_debugger.errors import FixApplyError


def flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted path, value) of every leaf, lists being leaves."""
    for key, value in config.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{path}.")
        else:
            yield path, value


def resolve_path(config: Mapping[str, Any], path: str, canonical: Mapping[str, str]) -> str:
    """The dialect's path of a leaf that `path` names canonically or in the dialect; raises `FixApplyError`."""
    leaves = dict(flatten(config))
    head, _, index = path.rpartition(".")
    for candidate, suffix in ((path, ""), (head, f".{index}")):
        if suffix and not index.isdigit():
            continue
        for name in (candidate, canonical.get(candidate, "")):
            if name in leaves and (not suffix or isinstance(leaves[name], list)):
                return name + suffix
    near = difflib.get_close_matches(path, [*leaves, *canonical], n=3, cutoff=0.4)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise FixApplyError(f"config.yaml has no key {path!r}{hint}")


def set_path(config: dict[str, Any], path: str, value: Value) -> None:
    """Set an existing leaf (or element of a list leaf) in place."""
    *parents, leaf = path.split(".")
    node: Any = config
    for key in parents:
        if not isinstance(node, Mapping) or key not in node:
            raise FixApplyError(f"{path} cannot be set: {key!r} is not a section of config.yaml")
        node = node[key]
    if isinstance(node, list):
        position = int(leaf)
        if position >= len(node):
            raise FixApplyError(f"{'.'.join(parents)} has {len(node)} elements, found index {position}")
        node[position] = value
    else:
        node[leaf] = value
