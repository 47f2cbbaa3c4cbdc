"""Finds projects, faults, checks and agents: one file (or folder) each, the file name is the id, no list to edit."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from mlops_debugger.errors import CatalogError

T = TypeVar("T")
_ID = re.compile(r"^[a-z][a-z0-9_]*$")


def discover(package: str, binding: str, kind: type[T], *, exclude: frozenset[str] = frozenset()) -> dict[str, T]:
    """Import every item of `package` and return id → the object that the item binds to `binding`, ids sorted.

    An item is a module `<id>.py`, or a folder `<id>/` with a module `<binding.lower()>.py`. Raises `CatalogError` when
    an item binds nothing, or something that is not a `kind`.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise CatalogError(f"expected a package {package}, found none")
    root = Path(next(iter(spec.submodule_search_locations)))
    found: dict[str, T] = {}
    for name, module_name in _items(root, package, binding):
        if name in exclude:
            continue
        if not _ID.match(name):
            raise CatalogError(
                f"{package}: expected a snake_case file name, found {name!r}: rename it, the name is the id"
            )
        module = importlib.import_module(module_name)
        item = getattr(module, binding, None)
        if not isinstance(item, kind):
            raise CatalogError(
                f"{module_name}: expected it to bind {binding} to a {kind.__name__}, found {type(item).__name__}"
            )
        found[name] = item
    return found


def _items(root: Path, package: str, binding: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(root.iterdir()):
        if entry.name.startswith(("_", ".")):
            continue
        if entry.suffix == ".py" and entry.is_file():
            yield entry.stem, f"{package}.{entry.stem}"
        elif entry.is_dir() and (entry / f"{binding.lower()}.py").is_file():
            yield entry.name, f"{package}.{entry.name}.{binding.lower()}"


def get(items: dict[str, T], name: str, what: str) -> T:
    """Look one item up by id; raises `CatalogError` that lists what there is."""
    try:
        return items[name]
    except KeyError:
        raise CatalogError(f"no {what} named {name!r}: there are {', '.join(items)}") from None
