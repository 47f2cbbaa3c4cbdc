"""YAML with the words and numbers of YAML 1.2 (its core schema), without aliases."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import yaml

MAX_DEPTH = 100

_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_INT = re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$")
_FLOAT = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)


class _Loader(yaml.CSafeLoader):
    """Reads 1e-3 as a number and leaves yes, 1:30 and 2026-03-14 as words, as YAML 1.2 does."""


def _int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text, base)


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", _NULL, ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
_Loader.add_constructor("tag:yaml.org,2002:int", _int)


def load_yaml(text: str, *, most: float = math.inf) -> Any:
    """Parse YAML with the numbers of YAML 1.2 and without aliases; raises `yaml.YAMLError`, whatever the text.

    `most` is how many values and keys it may hold.
    """
    try:
        _refuse_bombs(text, most)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, MemoryError) as error:
        raise yaml.YAMLError(f"a value cannot be read ({type(error).__name__})") from None


def means_the_same_in_yaml_1_1(text: str) -> bool:
    """Whether a reader of YAML 1.1, which most trainers have, finds the same values; raises `yaml.YAMLError`."""
    try:
        old = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        return False
    return bool(_typed(old) == _typed(load_yaml(text)))


def _typed(value: Any) -> Any:
    """The value with the type of everything in it: 1, 1.0 and True are not the same to a trainer."""
    if isinstance(value, dict):
        return [(_typed(key), _typed(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [_typed(item) for item in value]
    return type(value).__name__, repr(value)


def _refuse_bombs(text: str, most: float) -> None:
    """A few hundred bytes of nested aliases stand for more values than memory holds, and composing nodes recurses."""
    depth = count = 0
    for event in yaml.parse(text, Loader=_Loader):
        count += isinstance(event, yaml.NodeEvent)
        if count > most:
            raise yaml.YAMLError(f"expected at most {most:.0f} values and keys, found more")
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not supported here: write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.YAMLError(f"values may be nested {MAX_DEPTH} deep")


class _Dumper(yaml.CSafeDumper):
    """Writes lists on one line, so that a value never changes the number of lines.

    Words are quoted where a reader of YAML 1.1 or of YAML 1.2 would take them for something else.
    """


def _flow_list(dumper: _Dumper, data: list[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)


def _one_line(dumper: _Dumper, data: str) -> yaml.Node:
    style = None if data.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(list, _flow_list)
_Dumper.add_representer(str, _one_line)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def dump_yaml(data: Mapping[str, Any]) -> str:
    """Write a mapping as block YAML, order kept, lists on one line."""
    return yaml.dump(
        dict(data), Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=1_000_000
    )


def dump_flow(value: Any) -> str:
    """Write one value on one line."""
    text: str = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=1_000_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")
