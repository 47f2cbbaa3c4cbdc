"""What the rules know of a run: its artifacts and findings, parsed, and ways to look things up in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml

from mlops_debugger.agents._log import with_pairs
from mlops_debugger.agents._source import Source, read_source
from mlops_debugger.agents._suspicion import Suspicion
from mlops_debugger.contract import FailureCategory
from mlops_debugger.edits import CONFIG, ConfigEdit, Fix, Value, flatten, format_fix, load_yaml

_PAIR = re.compile(r"(?<!\S)([A-Za-z_]\w*)=(\S+)")
_EPOCH = re.compile(r"epoch=(\d{1,9})/(\d{1,9})\b")
LOWER_IS_BETTER = re.compile(r"loss|error|mae|mse|rmse|mape|perplexity")


@dataclass(frozen=True)
class Leaf:
    """A config value: its dotted path, the last part of it, and the part before."""

    path: str
    value: Value

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2].lower()

    @property
    def section(self) -> str:
        return self.path.rpartition(".")[0].lower()

    @property
    def number(self) -> float | None:
        """The value as a number; None for anything else, booleans included."""
        return float(self.value) if isinstance(self.value, int | float) and not isinstance(self.value, bool) else None


@dataclass(frozen=True)
class Dossier:
    """Texts by artifact name (absent where the run wrote none) and findings by check."""

    artifacts: Mapping[str, str]
    findings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        try:
            config = load_yaml(self.artifacts.get(CONFIG, ""))
        except yaml.YAMLError:
            return ()
        return tuple(Leaf(path, value) for path, value in flatten(config)) if isinstance(config, dict) else ()

    def find(self, names: str, sections: str = "") -> Iterator[Leaf]:
        """Leaves whose name, and whose section if one is asked for, match these patterns."""
        for leaf in self.leaves:
            if re.fullmatch(names, leaf.name) and re.search(sections, leaf.section):
                yield leaf

    def first(self, names: str, sections: str = "") -> Leaf | None:
        return next(self.find(names, sections), None)

    @cached_property
    def source(self) -> Source | None:
        """preprocessing.py, or None where it is not Python."""
        return read_source(self.artifacts.get("preprocessing.py", ""))

    @cached_property
    def stats(self) -> dict[str, Any]:
        return _json(self.artifacts.get("dataset_stats.json", ""))

    @cached_property
    def results(self) -> dict[str, Any]:
        return _json(self.artifacts.get("eval_results.json", ""))

    @cached_property
    def card(self) -> dict[str, Any]:
        return _json(self.artifacts.get("model_card.json", ""))

    @cached_property
    def card_text(self) -> str:
        """Everything that the card says, in lower case."""
        return " ".join(f"{path} {value}" for path, value in walk(self.card)).lower()

    def card_values(self, names: str) -> Iterator[tuple[str, Any]]:
        """What the card holds under keys that match: (path, value), mappings included."""
        for path, value in walk(self.card, inner=True):
            if re.fullmatch(names, path.rpartition(".")[2].lower()):
                yield path, value

    @cached_property
    def log(self) -> str:
        """train.log, its epochs as key=value pairs with the same names whatever the team's layout is."""
        return with_pairs(self.artifacts.get("train.log", ""))

    @cached_property
    def epochs(self) -> tuple[Mapping[str, float], ...]:
        """The figures of every logged epoch; a log may sum an epoch up in several lines."""
        rows: dict[str, dict[str, float]] = {}
        for line in self.log.splitlines():
            if match := _EPOCH.search(line):
                row = rows.setdefault(match[1], {})
                row |= {key: value for key, text in _PAIR.findall(line) if (value := _float(text)) is not None}
        return tuple(rows.values())

    @cached_property
    def planned_epochs(self) -> int:
        match = _EPOCH.search(self.log)
        if match:
            return int(match[2])
        leaf = self.first(r"(max_|num_|n_)?epochs")
        return int(leaf.number) if leaf and leaf.number else 0

    @cached_property
    def total_steps(self) -> float:
        """Optimiser steps of the whole run, as its log counts them; 0 where it does not."""
        steps = [row["step"] for row in self.epochs if "step" in row]
        return steps[-1] / len(steps) * max(self.planned_epochs, len(steps)) if steps else 0.0

    def verdict(self, check: str) -> str:
        return str(self.findings.get(check, {}).get("verdict", "not_applicable"))


def config_suspicion(
    weight: float, category: FailureCategory, leaf: Leaf, value: Value, why: str
) -> Iterator[Suspicion]:
    """Set this leaf to that value; nothing where it has it already."""
    if value != leaf.value:
        fix = format_fix(Fix(config=(ConfigEdit(leaf.path, value),)))
        yield Suspicion(weight, category, CONFIG, leaf.path, fix, why)


def walk(tree: object, prefix: str = "", *, inner: bool = False) -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of every leaf of nested mappings; `inner` gives the mappings too."""
    if not isinstance(tree, Mapping):
        return
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if inner or not isinstance(value, Mapping):
            yield path, value
        yield from walk(value, f"{path}.", inner=inner)


def words(text: str) -> list[str]:
    """Identifiers in a text."""
    return re.findall(r"[A-Za-z_]\w*", text)


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _float(text: str) -> float | None:
    try:
        return float(text.rstrip(",;"))
    except ValueError:
        return None
