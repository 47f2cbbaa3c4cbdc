"""A project's scenarios and healthy runs side by side: how far each lies, by action, from what each cause shows."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops_debugger.bank.records import Scenario
from mlops_debugger.forge.observations import CODE, CONFIG, Seen, seen

FloatArray = NDArray[np.float64]

_INSIDE = 2.5
"""Robust standard deviations from the healthy median within which a figure says nothing."""
_MOST = 5.0
"""The largest deviation, reached some thirty standard deviations outside: beyond it everything is just far away."""
_COVERAGE = 0.6
"""A figure that fewer of the healthy runs have is no figure but a mark of its presence."""
_NOISE = 0.35
"""The least spread of a deviation within a cause, in doublings."""
_WORD = 2.0
"""A word in the configuration that healthy runs do not have is as far outside as a number of three spreads."""
_SHRINK = 1.0
"""So many healthy runs are mixed into what a fault's scenarios typically show."""
_POOLED = 4.0
"""So many scenarios is the project's pooled spread within a fault worth beside the fault's own."""
_OWN = 0.9
"""The share of runs that lie within the usual distance from their own cause."""
_PSEUDO = (2.0,) * 5
"""Own distances that are taken for granted, so that few scenarios give no extreme."""


@dataclass(frozen=True)
class Panel:
    """Scenarios in order (`names`, `truths`: the site or None) and the deviations of all runs by action.

    `deviations` has runs × features, scenarios first, then healthy twins; `groups` names each run's fault, None for
    healthy runs; `sites` maps a fault to its site.
    """

    names: tuple[str, ...]
    truths: tuple[str | None, ...]
    groups: tuple[str | None, ...]
    sites: Mapping[str | None, str | None]
    deviations: Mapping[str, FloatArray]

    @classmethod
    def of(cls, scenarios: Sequence[Scenario]) -> Panel:
        """Read the scenarios of one project, which are in an order of their own, and their twins."""
        broken = [scenario for scenario in scenarios if not scenario.is_control]
        runs = [seen(scenario.artifacts, scenario.findings) for scenario in scenarios]
        runs += [seen(scenario.twin_artifacts, scenario.twin_findings) for scenario in broken]
        groups = (*(scenario.fault for scenario in scenarios), *(None for _ in broken))
        twins = {scenario.scenario_id: len(scenarios) + place for place, scenario in enumerate(broken)}
        own = [twins.get(scenario.scenario_id) for scenario in scenarios] + [None] * len(broken)
        return cls(
            tuple(scenario.scenario_id for scenario in scenarios),
            tuple(scenario.site for scenario in scenarios),
            groups,
            {scenario.fault: scenario.site for scenario in scenarios} | {None: None},
            deviations(runs, [group is None for group in groups], own),
        )

    @property
    def causes(self) -> list[str | None]:
        """The sites, and None where there are healthy runs."""
        found = {self.sites[group] for group in self.groups}
        return sorted(found, key=lambda site: (site is None, site or ""))

    def distances(self, action: str) -> FloatArray:
        """Scenarios × causes: how many times as far from what the cause shows as a run usually lies from its own.

        0 where the cause has no other scenario to compare with. A cause of several faults is as near as its nearest.
        """
        values = self.deviations[action]
        count = len(self.names)
        faults = sorted({group for group in self.groups if group is not None})
        pooled = _pooled(values, self.groups, faults)
        raw: dict[str | None, FloatArray] = {}
        own = np.full(count, np.nan)
        for fault in faults:
            members = np.array([group == fault for group in self.groups])
            raw[fault] = _from_fault(values, members, pooled)[:count]
            own[members[:count]] = raw[fault][members[:count]]
        usual = _usual(own)
        scaled = {fault: distance / usual for fault, distance in raw.items()}
        healthy = np.array([group is None for group in self.groups])
        if healthy.any():
            mean, spread = values[healthy].mean(axis=0), values[healthy].var(axis=0) + _NOISE**2
            distance = _largest((values - mean) / np.sqrt(spread))
            scaled[None] = distance[:count] / _usual(distance[healthy])
        table = np.zeros((count, len(self.causes)))
        for column, cause in enumerate(self.causes):
            near = [distance for fault, distance in scaled.items() if self.sites[fault] == cause]
            table[:, column] = np.nan_to_num(np.fmin.reduce(near), nan=0.0)
        return table


def _pooled(values: FloatArray, groups: Sequence[str | None], faults: Sequence[str]) -> FloatArray:
    """Variance within faults, feature by feature; never less than among healthy runs."""
    squares, freedom = np.zeros(values.shape[1]), 0
    labels = np.array([group or "" for group in groups])
    for fault in faults:
        here = values[labels == fault]
        squares += ((here - here.mean(axis=0)) ** 2).sum(axis=0)
        freedom += len(here) - 1
    healthy = values[labels == ""]
    usual = healthy.var(axis=0) if len(healthy) else np.zeros(values.shape[1])
    return np.maximum(squares / max(freedom, 1), usual)


def _from_fault(values: FloatArray, members: NDArray[np.bool_], pooled: FloatArray) -> FloatArray:
    """Distance of every run from a fault's other scenarios; NaN where there is none."""
    here = values[members]
    total, squares = here.sum(axis=0), (here**2).sum(axis=0)
    mine = members[:, None].astype(np.float64)
    count = members.sum() - mine
    first = (total - mine * values) / np.maximum(count, 1)
    inner = np.maximum(squares - mine * values**2 - count * first**2, 0.0)
    typical = first * count / (count + _SHRINK)
    spread = (_POOLED * pooled + inner) / (_POOLED + np.maximum(count - 1, 0)) + _NOISE**2
    spread = spread * (1 + 1 / (count + _SHRINK))
    distance = _largest((values - typical) / np.sqrt(spread))
    distance[count[:, 0] == 0] = np.nan
    return distance


def _largest(scores: FloatArray) -> FloatArray:
    """The feature that speaks loudest decides: features of one action say much the same."""
    return np.abs(scores).max(axis=1) if scores.shape[1] else np.zeros(len(scores))


def _usual(own: FloatArray) -> float:
    known = own[np.isfinite(own)]
    return max(1.0, float(np.quantile([*known, *_PSEUDO], _OWN)))


# ------------------------------------------------------------------ deviations from the healthy runs


def deviations(runs: Sequence[Seen], healthy: Sequence[bool], twins: Sequence[int | None]) -> dict[str, FloatArray]:
    """By action, runs × features, in doublings outside of what healthy runs show. `twins` has each run's own twin."""
    fit = np.array(healthy, dtype=np.bool_)
    if not fit.any():
        fit = np.ones(len(runs), dtype=np.bool_)
    found = {}
    for action in runs[0].figures:
        figures, usual, rare = _matrix([run.figures[action] for run in runs], fit)
        marks = [dict(run.marks[action]) for run in runs]
        for mark, run in zip(marks, runs, strict=True):
            mark |= {f"has {name}": 1.0 for name in rare.intersection(run.figures[action])}
            mark["absent"] = _absent(run.figures[action], usual)
        blocks = [_figures(figures, fit), _marks(marks, fit) * (_WORD if action == CONFIG else 1.0)]
        if action == CONFIG:
            blocks.append(_settings(_matrix([run.settings for run in runs], fit)[0], fit))
        if action == CODE:
            blocks.append(_code([run.code for run in runs], fit, twins))
        found[action] = np.concatenate(blocks, axis=1)
    return found


def _matrix(rows: Sequence[Mapping[str, float]], fit: NDArray[np.bool_]) -> tuple[FloatArray, list[str], set[str]]:
    """Figures that most healthy runs have (NaN: not there), their names, and the names of the others."""
    counts = Counter(
        name for row, usual in zip(rows, fit, strict=True) if usual for name in row if math.isfinite(row[name])
    )
    kept = sorted(name for name, count in counts.items() if count >= _COVERAGE * fit.sum())
    table = np.array([[row.get(name, math.nan) for name in kept] for row in rows]).reshape(len(rows), len(kept))
    # What is there but no number lies far outside; what is not there is counted once, as a mark.
    for place, row in enumerate(rows):
        for column, name in enumerate(kept):
            if name in row and not math.isfinite(row[name]):
                table[place, column] = math.inf
    return table, kept, {name for row in rows for name in row} - set(kept)


def _absent(row: Mapping[str, float], usual: Sequence[str]) -> float:
    """2 where a run shows none of the usual figures, 0 where it shows all."""
    return 2.0 * sum(name not in row for name in usual) / len(usual) if usual else 0.0


def _logged(table: FloatArray, fit: NDArray[np.bool_]) -> FloatArray:
    """log2 where the healthy runs are all above 0, so that a tenth is as far as tenfold."""
    with np.errstate(invalid="ignore", divide="ignore"):
        low = np.nanmin(np.where(np.isfinite(table[fit]), table[fit], np.nan), axis=0)
        scaled: FloatArray = np.where(low > 0, np.log2(np.maximum(table, np.maximum(low, 1e-12) * 1e-6)), table)
    return scaled


def _figures(table: FloatArray, fit: NDArray[np.bool_]) -> FloatArray:
    if not table.shape[1]:
        return table
    table = _logged(table, fit)
    known = np.where(np.isfinite(table[fit]), table[fit], np.nan)
    low, middle, high = np.nanquantile(known, (0.05, 0.5, 0.95), axis=0)
    width = np.nanmedian(np.abs(known - middle), axis=0) * 1.4826
    scale = np.maximum(np.maximum(width, (high - low) / 3.29), 0.02 + 0.01 * np.abs(middle))
    with np.errstate(invalid="ignore"):
        score = (table - middle) / scale
        outside = np.sign(score) * np.log2(1 + np.maximum(0.0, np.abs(score) - _INSIDE))
    deviation: FloatArray = np.nan_to_num(np.clip(outside, -_MOST, _MOST), nan=0.0)
    return deviation


def _settings(table: FloatArray, fit: NDArray[np.bool_]) -> FloatArray:
    """Doublings outside of the healthy runs' range, in units of their spread or of one doubling, whichever is more."""
    if not table.shape[1]:
        return table
    table = _logged(table, fit)
    known = table[fit]
    low, high = np.nanmin(known, axis=0), np.nanmax(known, axis=0)
    scale = np.maximum(np.nanstd(known, axis=0), 0.5)
    outside = (np.maximum(0.0, table - high) - np.maximum(0.0, low - table)) / scale
    deviation: FloatArray = np.clip(np.sign(outside) * np.log2(1 + np.abs(outside)), -_MOST, _MOST)
    return np.nan_to_num(deviation, nan=0.0)


def _marks(rows: Sequence[Mapping[str, float]], fit: NDArray[np.bool_]) -> FloatArray:
    counts = Counter(name for row in rows for name in row)
    kept = sorted(name for name, count in counts.items() if count > 1)
    column = {name: place for place, name in enumerate(kept)}
    table = np.zeros((len(rows), len(kept)))
    for place, row in enumerate(rows):
        for name in row.keys() & column.keys():
            table[place, column[name]] = row[name]
    return table - np.median(table[fit], axis=0) if kept else table


# ------------------------------------------------------------------ lines of code


def _code(
    runs: Sequence[Mapping[str, tuple[str, ...]]], fit: NDArray[np.bool_], twins: Sequence[int | None]
) -> FloatArray:
    """Runs × functions: how unlike all other healthy runs' lines its lines are, against how unlike those are.

    A line that nobody else has but that is as near to a known one as spellings are to each other looks like one more
    spelling: 1. Only what is much further off stands out.
    """
    names = sorted({name for run in runs for name in run})
    holders: dict[str, dict[str, set[int]]] = {name: defaultdict(set) for name in names}
    for place in np.flatnonzero(fit).tolist():
        for name, lines in runs[place].items():
            for line in lines:
                holders[name][line].add(place)
    unlike = _unlike()
    scales = {name: _variety(holders[name], int(fit.sum()), unlike) for name in names}
    usual = float(np.median([scale for scale in scales.values() if scale] or [0.3]))
    table = np.zeros((len(runs), len(names)))
    for place, run in enumerate(runs):
        excluded = {place, twins[place]}
        for name, lines in run.items():
            strange = [line for line in lines if not holders[name].get(line, set()) - excluded]
            if strange:
                known = [line for line, who in holders[name].items() if who - excluded]
                total = sum(min((unlike(line, other) for other in known), default=1.0) for line in strange)
                table[place, names.index(name)] = math.log2(1 + total / (scales[name] or usual))
    return table


def _variety(holders: Mapping[str, set[int]], count: int, unlike: Callable[[str, str], float]) -> float:
    """How unlike its nearest neighbour a line is that some healthy runs have and others not; 0 where there is none."""
    varying = [line for line, who in holders.items() if len(who) < count]
    nearest = [min((unlike(line, other) for other in holders if other != line), default=0.0) for line in varying]
    return float(np.median([value for value in nearest if value] or [0.0]))


def _unlike() -> Callable[[str, str], float]:
    """1 minus the share of words and signs that two lines have in common in order, remembered."""
    cache: dict[tuple[str, str], float] = {}
    words: dict[str, list[str]] = {}

    def measure(one: str, other: str) -> float:
        key = (one, other)
        if key not in cache:
            for line in key:
                if line not in words:
                    words[line] = re.findall(r"\w+|[^\w\s]", line)
            cache[key] = 1.0 - difflib.SequenceMatcher(None, words[one], words[other], autojunk=False).ratio()
        return cache[key]

    return measure
