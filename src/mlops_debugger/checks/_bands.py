"""Healthy bands, and how a check's measurements become a finding.

`bands.json` has `floors`: check → statistic → [warn, fail, healthy end, scale], textbook bounds that hold everywhere,
with a fifth entry where the statistic ends somewhere and its end is a finding (an input that equals a later target);
and `healthy`: "task/kind" or "task/kind/size" → check → statistic → [warn, fail], bounds that healthy runs of that
kind made wider. `benchmarks/calibrate_checks.py` writes the second part.
"""

from __future__ import annotations

import functools
import json
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from mlops_debugger.checks import Finding, RunView, Verdict, not_applicable
from mlops_debugger.checks._common import HUGE, Measure, is_regression, rows_of, text
from mlops_debugger.errors import CatalogError

BANDS = Path(__file__).with_name("bands.json")
ANY = "any"
_SIZES = ((600, "small"), (2500, "medium"))
_TINY = 1e-12

Part = Callable[[RunView], Iterable[Measure]]


@dataclass(frozen=True)
class Band:
    """The healthy range of one statistic.

    `healthy` is the value of a perfectly healthy run: values are worse the farther they lie from it on the side of
    `fail`. On a `log` scale it only tells the side. An `exact` statistic counts contradictions: 0 is the one healthy
    value and no sample size blurs it, so it decides before all others.
    """

    warn: float
    fail: float
    healthy: float
    scale: str
    reach: float | None = None

    @property
    def upward(self) -> bool:
        return self.fail >= self.healthy

    def excess(self, value: float, bound: float) -> float:
        """How far the value is on its way from the healthy end to the bound: beyond 1 it is outside."""
        if self.scale == "log":
            ratio = math.log10(max(value, _TINY)) - math.log10(max(bound, _TINY))
            return 1.0 + (ratio if self.upward else -ratio)
        span = bound - self.healthy
        if span:
            return (value - self.healthy) / span
        return 0.0 if value == bound else 1.0 + abs(value - bound)

    @property
    def range(self) -> str:
        """What healthy runs keep to, in words."""
        return f"at {'most' if self.upward else 'least'} {self.warn:.4g}"

    def verdict(self, value: float) -> Verdict:
        if self.excess(value, self.fail) > 1.0:
            return "fail"
        return "warn" if self.excess(value, self.warn) > 1.0 else "pass"


@functools.cache
def _table() -> Mapping[str, Mapping[str, Mapping[str, Mapping[str, list[float]]]]]:
    table: Mapping[str, Mapping[str, Mapping[str, Mapping[str, list[float]]]]] = json.loads(BANDS.read_text("utf-8"))
    return table


def healthy() -> dict[str, Mapping[str, Mapping[str, list[float]]]]:
    """The bands that healthy runs made wider, by key."""
    return dict(_table()["healthy"])


@functools.cache
def floors(check: str) -> dict[str, Band]:
    """Textbook bands of a check by statistic."""
    found = json.loads(BANDS.read_text("utf-8"))["floors"].get(check)
    if not found:
        raise CatalogError(f"{BANDS.name}: expected floors of {check}, found none")
    return {
        name: Band(float(warn), float(fail), float(healthy), str(scale), *map(float, reach))
        for name, (warn, fail, healthy, scale, *reach) in found.items()
    }


def keys(view: RunView) -> tuple[str, ...]:
    """Where to look for the run's bands, the closest first."""
    task = "regression" if is_regression(view) else "classification"
    kind, rows = text(view, "kind"), rows_of(view, "train")
    size = next((name for bound, name in _SIZES if rows < bound), "large")
    return (f"{task}/{kind}/{size}", f"{task}/{kind}", ANY)


def band(check: str, statistic: str, where: Sequence[str]) -> Band:
    """The band of a statistic under the first of the keys that was calibrated."""
    floor = floors(check).get(statistic)
    if floor is None:
        raise CatalogError(f"{BANDS.name}: expected a floor for {check}.{statistic}, found none: add one")
    for key in where:
        if key in _table()["healthy"]:
            bounds = _table()["healthy"][key].get(check, {}).get(statistic)
            return floor if bounds is None else Band(bounds[0], bounds[1], floor.healthy, floor.scale)
    return floor


@functools.cache
def _threads() -> ThreadpoolController:
    """One thread: equal numbers on every machine, and small problems are faster without a second one."""
    return ThreadpoolController()


def measure(view: RunView, parts: Sequence[Part]) -> tuple[list[Measure], list[str]]:
    """Everything that can be measured, and the parts that could not.

    A part that meets numbers it cannot compute on (overflow, too few distinct rows for a fold, arrays of unlike
    lengths) is left out and named; other errors are ours and pass.
    """
    found: list[Measure] = []
    left_out: list[str] = []
    with warnings.catch_warnings(), np.errstate(all="ignore"), _threads().limit(limits=1):
        warnings.simplefilter("ignore")
        for part in parts:
            try:
                found.extend(part(view))
            except (ArithmeticError, ValueError, IndexError):
                left_out.append(getattr(part, "__name__", "part").strip("_"))
    return [m for m in found if not math.isnan(m.value)], left_out


def statistics(check: str, found: Sequence[Measure]) -> dict[str, float]:
    """Every statistic by name, as it would be held against its band: what chance explains is the healthy end."""
    known = floors(check)
    return {m.name: _cut(m.value) if m.significant else known[m.name].healthy for m in found}


def judge(check: str, view: RunView, parts: Sequence[Part], missing: str) -> Finding:
    """Measure, and hold what was measured against the bands of the run's kind."""
    found, left_out = measure(view, parts)
    return decide(check, keys(view), found, left_out) if found else not_applicable(missing)


def decide(check: str, where: Sequence[str], found: Sequence[Measure], left_out: Sequence[str] = ()) -> Finding:
    """The finding; the decisive measure is the one farthest beyond its bound."""
    rated = sorted((_Rated.of(check, m, where) for m in found), key=lambda r: r.order, reverse=True)
    first = rated[0]
    others = [r for r in rated[1:] if r.verdict in ("warn", "fail")]
    if first.verdict == "pass":
        summary = (
            f"All {len(rated)} statistics are within their healthy range; the closest to its end: {first.measure.says}"
        )
    else:
        summary = first.measure.says
    compared = first.measure.compared or "the run's own record"
    if left_out:
        compared += f" (not computable: {', '.join(left_out)})"
    worst = first.measure.worst[: 5 - min(len(others), 2)] + tuple((r.measure.name, r.value) for r in others)
    return Finding(
        first.verdict,
        first.measure.name,
        first.value,
        first.bound,
        first.measure.n,
        summary,
        worst[:5],
        compared,
        first.healthy,
        first.measure.p,
        tuple(r.measure.says for r in others),
    )


@dataclass(frozen=True)
class _Rated:
    measure: Measure
    value: float
    verdict: Verdict
    bound: float
    healthy: str
    order: tuple[int, bool, float]

    @classmethod
    def of(cls, check: str, found: Measure, where: Sequence[str]) -> _Rated:
        limits = band(check, found.name, where)
        value = _cut(found.value)
        verdict = limits.verdict(value) if found.significant else "pass"
        bound = limits.fail if verdict == "fail" else limits.warn
        excess = limits.excess(value, bound) if found.significant else 0.0
        rank = {"pass": 0, "warn": 1, "fail": 2}[verdict]
        return cls(found, value, verdict, bound, limits.range, (rank, rank > 0 and limits.scale == "exact", excess))


def _cut(value: float) -> float:
    return max(-HUGE, min(HUGE, float(value)))
