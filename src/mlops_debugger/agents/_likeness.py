"""How alike two runs are, by what config, log, results and findings have in common; rare things weigh more."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlops_debugger.agents._dossier import Dossier, walk

Trait = tuple[str, str]
"""Where something was seen (config, log, results, findings), and what."""

_NAMED = re.compile(r"([A-Za-z_][\w.]*)[\"']?\s*[=:]\s*([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w.])")
_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_LARGEST = 1e300
"""Figures beyond it (a log may hold more digits than a number can) have no quantiles."""


class Likeness:
    """Compares runs with remembered ones by the cosine of their traits, summed over the places where they were seen.

    Numbers count as alike when they fall between the same quantiles of the remembered runs.
    """

    def __init__(self, remembered: Sequence[Dossier]) -> None:
        values: dict[Trait, list[float]] = defaultdict(list)
        for run in remembered:
            for trait, value in _numbers(run):
                values[trait].append(value)
        self._ranges: dict[Trait, NDArray[np.float64]] = {
            trait: np.unique(np.quantile(found, _QUANTILES)) for trait, found in values.items()
        }
        self._count = len(remembered)
        found = [self._traits(run) for run in remembered]
        self._spread = Counter(trait for traits in found for trait in traits)
        self._vectors = [self._vector(traits) for traits in found]

    def of(self, run: Dossier) -> list[float]:
        """How alike this run is to each of the remembered ones, in their order."""
        mine = self._vector(self._traits(run))
        return [sum(weight * other.get(trait, 0.0) for trait, weight in mine.items()) for other in self._vectors]

    def _traits(self, run: Dossier) -> set[Trait]:
        binned = {
            (place, f"{name} in {np.digitize(value, self._ranges[place, name])}")
            for (place, name), value in _numbers(run)
            if (place, name) in self._ranges
        }
        return binned | set(_words(run))

    def _vector(self, traits: set[Trait]) -> dict[Trait, float]:
        """Weights of length 1 in every place; what all the remembered runs share has none."""
        weights = {trait: math.log((1 + self._count) / (0.5 + self._spread[trait])) for trait in traits}
        length: dict[str, float] = defaultdict(float)
        for (place, _), weight in weights.items():
            length[place] += weight * weight
        return {trait: weight / math.sqrt(length[trait[0]] or 1.0) for trait, weight in weights.items()}


def _words(run: Dossier) -> Iterator[Trait]:
    for leaf in run.leaves:
        yield "config", f"{leaf.path} = {leaf.value}"
    for check, finding in run.findings.items():
        verdict = finding.get("verdict")
        yield "findings", f"{check} {verdict}"
        if verdict in ("warn", "fail"):
            yield "findings", f"{check} {verdict} {finding.get('statistic')}"


def _numbers(run: Dossier) -> Iterator[tuple[Trait, float]]:
    for leaf in run.leaves:
        if leaf.number is not None and abs(leaf.number) < _LARGEST:
            yield ("config", leaf.path), leaf.number
    series: dict[str, list[float]] = defaultdict(list)
    for name, text in _NAMED.findall(run.log):
        if abs(value := float(text)) < _LARGEST:
            series[name].append(value)
    for name, values in series.items():
        for what, value in (("first", values[0]), ("last", values[-1]), ("min", min(values)), ("max", max(values))):
            yield ("log", f"{name} {what}"), value
    yield from _figures("results", run.results)
    for check, finding in run.findings.items():
        statistic = finding.get("statistic")
        worst = finding.get("worst")
        named = {str(item.get("name")): item.get("value") for item in worst or () if isinstance(item, Mapping)}
        yield from _figures("findings", {f"{check} {statistic}": {**named, "value": finding.get("value")}})


def _figures(place: str, tree: Mapping[str, object]) -> Iterator[tuple[Trait, float]]:
    for path, value in walk(tree):
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST:
            yield (place, path), float(value)
