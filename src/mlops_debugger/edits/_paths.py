"""Dotted paths into a config, and the typed edits that they address."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlops_debugger.edits._fix import ConfigEdit, Value
from mlops_debugger.errors import FixApplyError

_SHOWN = 12
"""Names that a message lists."""


def flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted path, value) of every leaf; lists and empty sections are leaves."""
    for key, value in config.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{path}.")
        else:
            yield path, value


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


def change(config: dict[str, Any], edit: ConfigEdit, canonical: Mapping[str, str]) -> None:
    """Carry a typed edit out in place; `canonical` maps canonical keys to the project's dialect.

    Raises `FixApplyError` where the path leads nowhere (nowhere else, for `add`), or the value does not fit there.
    """
    candidates = _candidates(edit.path, canonical)
    for path in candidates:
        if (spot := _spot(config, path.split("."))) is not None:
            _carry_out(edit, *spot)
            return
    if edit.kind == "add" and (place := _new_place(config, candidates)) is not None:
        _add(edit, *place)
        return
    for path in candidates:
        _explain_index(config, path)
    raise FixApplyError(_unknown(config, edit, canonical))


def _candidates(path: str, canonical: Mapping[str, str]) -> list[str]:
    """The path itself, then what it is in the dialect, a canonical key being any beginning of it."""
    steps = path.split(".")
    found = [path]
    for end in range(len(steps), 0, -1):
        own = canonical.get(".".join(steps[:end]))
        if own is not None:
            found.append(".".join([own, *steps[end:]]))
    return list(dict.fromkeys(found))


def _spot(node: Any, steps: Sequence[str]) -> tuple[Any, Any] | None:
    """The container and key that the steps lead to; a key may hold dots itself, so the longest match wins."""
    if isinstance(node, list):
        if not _is_index(steps[0]) or int(steps[0]) >= len(node):
            return None
        position = int(steps[0])
        return (node, position) if len(steps) == 1 else _spot(node[position], steps[1:])
    if not isinstance(node, dict):
        return None
    for end in range(len(steps), 0, -1):
        key = ".".join(steps[:end])
        if key in node:
            found = (node, key) if end == len(steps) else _spot(node[key], steps[end:])
            if found is not None:
                return found
    return None


def _is_index(step: str) -> bool:
    return len(step) <= 9 and step.isascii() and step.isdigit()


def _carry_out(edit: ConfigEdit, container: Any, key: Any) -> None:
    if edit.kind == "remove":
        del container[key]
        return
    if edit.kind == "add":
        if isinstance(container, list):
            container.insert(key, edit.value)
            return
        raise FixApplyError(f"config.yaml has {edit.path} already, found 'add': write '{edit.path} = value' to set it")
    held = container[key]
    if isinstance(held, dict) and held and not isinstance(edit.value, dict):
        raise FixApplyError(
            f"{edit.path} is a section ({_listed(held)}): set one of its keys, or give all of them as a mapping"
        )
    container[key] = edit.value


def _new_place(config: dict[str, Any], candidates: Sequence[str]) -> tuple[Any, str] | None:
    """The section (or list) that the last step would be new in; the dialect's place comes before the canonical one."""
    for path in reversed(candidates):
        *parents, last = path.split(".")
        if not parents:
            return config, last
        spot = _spot(config, parents)
        if spot is not None and isinstance(spot[0][spot[1]], dict | list):
            return spot[0][spot[1]], last
    return None


def _add(edit: ConfigEdit, container: Any, last: str) -> None:
    if isinstance(container, dict):
        container[last] = edit.value
    elif _is_index(last) and int(last) == len(container):
        container.append(edit.value)
    else:
        raise FixApplyError(
            f"{edit.path}: the list has {len(container)} elements, expected a position of 0 to {len(container)}, "
            f"found {last[:40]!r}"
        )


def _explain_index(config: dict[str, Any], path: str) -> None:
    """Raise where the path would lead to an element of a list that is shorter than that."""
    *parents, last = path.split(".")
    spot = _spot(config, parents) if parents else None
    if spot is not None and isinstance(held := spot[0][spot[1]], list):
        raise FixApplyError(f"{'.'.join(parents)} has {len(held)} elements, found index {last[:40]}")


def _unknown(config: dict[str, Any], edit: ConfigEdit, canonical: Mapping[str, str]) -> str:
    leaves = [path for path, _ in flatten(config)]
    near = difflib.get_close_matches(edit.path[:200], [*leaves, *canonical], n=3, cutoff=0.4)
    hint = f"; nearest: {', '.join(near)}" if near else f"; it has the sections {_listed(config)}"
    if edit.kind == "add":
        return f"config.yaml has no section for the new key {edit.path[:200]!r}{hint}"
    return f"config.yaml has no key {edit.path[:200]!r}{hint}"


def _listed(section: Mapping[Any, Any]) -> str:
    names = [str(name) for name in section]
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
