"""YAML with the numbers and words of YAML 1.2, without aliases."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

MAX_DEPTH = 100


class _Loader(yaml.CSafeLoader):
    """Reads 1e-3 as a number and leaves yes/no/on/off as words, as YAML 1.2 does."""


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] not in ("tag:yaml.org,2002:float", "tag:yaml.org,2002:bool")]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF)|[0-9]*\.[0-9]+[eE][-+]?[0-9]+)$|^\.(?:nan|NaN|NAN)$"
    ),
    list("-+0123456789."),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def load_yaml(text: str) -> Any:
    """Parse YAML with the numbers of YAML 1.2 and without aliases; raises `yaml.YAMLError`, whatever the text."""
    try:
        _refuse_bombs(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError) as error:
        raise yaml.YAMLError(f"a value cannot be read ({type(error).__name__})") from None


def _refuse_bombs(text: str) -> None:
    """A few hundred bytes of nested aliases stand for more values than memory holds, and composing nodes recurses."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not supported here: write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.YAMLError(f"values may be nested {MAX_DEPTH} deep")


class _Dumper(yaml.CSafeDumper):
    """Writes lists of scalars on one line, so that a value never changes the number of lines."""


def _flow_list(dumper: _Dumper, data: list[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)


_Dumper.add_representer(list, _flow_list)


def dump_yaml(data: Mapping[str, Any]) -> str:
    """Write a mapping as block YAML, order kept, lists of scalars on one line."""
    return yaml.dump(
        dict(data), Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=10_000
    )


def dump_flow(value: Any) -> str:
    """Write one value on one line."""
    text: str = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")
