"""Sets the healthy bands of the checks on healthy runs, and counts their false alarms.

    python benchmarks/calibrate_checks.py --count 45 --seed-base bands --workers 2            writes checks/bands.json
    python benchmarks/calibrate_checks.py --count 45 --seed-base audit --workers 2 --audit    writes benchmarks/checks.json

Broken runs never come in. A band starts at its textbook floor and only ever widens: warn lies a tenth, fail a third
(log scale: factors 1.2 and 1.6) beyond the worst healthy run of its kind. A check has some twenty statistics, so
any quantile that leaves single ones their share of alarms would make whole checks cry wolf. Bands are kept by task
and kind, by size too where a size has runs enough, and pooled for strangers. Audit with another seed base: what it
counts stands in docs/checks.md.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from pages.figures import keep

from mlops_debugger.checks import RunView, _bands, not_applicable
from mlops_debugger.contract import SANITY_CHECKS
from mlops_debugger.forge.healthy import healthy_views

WARN_MARGIN, FAIL_MARGIN = 1.1, 1.35  # of the distance between the healthy end and the worst healthy run
WARN_FACTOR, FAIL_FACTOR = 1.2, 1.6  # the same on a log scale
LEAST_RUNS = 40  # below which a size has no bands of its own


@dataclass(frozen=True)
class Measured:
    """What every check measured on one healthy run, what it found, and how long it took (CPU seconds)."""

    project: str
    keys: tuple[str, ...]
    statistics: Mapping[str, Mapping[str, float]]
    verdicts: Mapping[str, tuple[str, str]]
    seconds: Mapping[str, float]


def measured(item: tuple[str, RunView]) -> Measured:
    """Run every check on one view; a plain function, so that a pool can."""
    project, view = item
    where = _bands.keys(view)
    statistics: dict[str, dict[str, float]] = {}
    verdicts: dict[str, tuple[str, str]] = {}
    seconds: dict[str, float] = {}
    for name in SANITY_CHECKS:
        parts = importlib.import_module(f"mlops_debugger.checks.{name}").PARTS
        started = time.process_time()
        found, left_out = _bands.measure(view, parts)
        seconds[name] = time.process_time() - started
        statistics[name] = _bands.statistics(name, found)
        finding = _bands.decide(name, where, found, left_out) if found else not_applicable("anything")
        verdicts[name] = (finding.verdict, finding.statistic)
    return Measured(project, where, statistics, verdicts, seconds)


def measure_all(views: Iterable[tuple[str, RunView]], workers: int) -> Iterator[Measured]:
    """Measure views as they come, a few at a time, so that they need not all be in memory."""
    source = iter(views)
    with ProcessPoolExecutor(workers) as pool:
        while batch := list(islice(source, workers * 4)):
            yield from pool.map(measured, batch)


def healthy_bands(runs: Iterable[Measured]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Key → check → statistic → [warn, fail]: the bands that had to widen beyond their floors."""
    grouped: dict[str, list[Measured]] = defaultdict(list)
    for run in runs:
        for key in run.keys:
            grouped[key].append(run)
    bands: dict[str, dict[str, dict[str, list[float]]]] = {}
    for key, members in sorted(grouped.items()):
        if key.count("/") == 2 and len(members) < LEAST_RUNS:
            continue
        bands[key] = {}
        for check in SANITY_CHECKS:
            wider = _widened(check, [run.statistics[check] for run in members])
            if wider:
                bands[key][check] = wider
    return bands


def _widened(check: str, runs: list[Mapping[str, float]]) -> dict[str, list[float]]:
    floors = _bands.floors(check)
    wider = {}
    for name in sorted({name for run in runs for name in run}):
        floor, values = floors[name], [run[name] for run in runs if name in run]
        worst = max(values) if floor.upward else min(values)
        warn = _outer(floor, floor.warn, _beyond(floor, worst, WARN_MARGIN, WARN_FACTOR))
        fail = _outer(floor, _outer(floor, floor.fail, warn), _beyond(floor, worst, FAIL_MARGIN, FAIL_FACTOR))
        if [warn, fail] != [floor.warn, floor.fail]:
            wider[name] = [float(f"{value:.4g}") for value in (warn, fail)]
    return wider


def _beyond(floor: _bands.Band, worst: float, margin: float, factor: float) -> float:
    """A margin beyond the worst healthy value; counts of contradictions have none."""
    if floor.scale == "exact":
        return worst
    if floor.scale == "log":
        return worst * factor if floor.upward else worst / factor
    beyond = floor.healthy + margin * (worst - floor.healthy)
    # A bound beyond the last possible value would never be crossed.
    return beyond if floor.reach is None else min(beyond, (worst + floor.reach) / 2)


def _outer(floor: _bands.Band, one: float, other: float) -> float:
    return max(one, other) if floor.upward else min(one, other)


def write(bands: Mapping[str, Mapping[str, Mapping[str, list[float]]]], note: Mapping[str, object]) -> None:
    """Replace the healthy part of bands.json, floors untouched."""
    table = json.loads(_bands.BANDS.read_text("utf-8"))
    table["healthy"], table["runs"] = bands, note
    text = json.dumps(table, indent=1)
    text = re.sub(r"\[\s+([^\[\]]*?)\s+\]", lambda m: "[" + re.sub(r"\s*\n\s*", " ", m.group(1)) + "]", text)
    _bands.BANDS.write_text(text + "\n", "utf-8")


def report(runs: list[Measured]) -> str:
    """Verdicts by check, what alarmed, and CPU seconds."""
    lines = [f"{len(runs)} healthy runs: {dict(Counter(run.project for run in runs))}"]
    for name in SANITY_CHECKS:
        verdicts = Counter(run.verdicts[name][0] for run in runs)
        alarms = Counter(
            f"{run.project}:{run.verdicts[name][1]}" for run in runs if run.verdicts[name][0] in ("warn", "fail")
        )
        seconds = np.array([run.seconds[name] for run in runs])
        shares = "  ".join(f"{verdict} {verdicts[verdict] / len(runs):6.1%}" for verdict in ("fail", "warn", "pass"))
        lines.append(f"{name:22s} {shares}  CPU median {np.median(seconds):.2f} s, largest {seconds.max():.2f} s")
        lines.extend(f"    {count:3d} × {what}" for what, count in alarms.most_common(4))
    return "\n".join(lines)


def audited(runs: list[Measured], seed_base: str) -> dict[str, object]:
    """What benchmarks/checks.json keeps of an audit: verdicts by check, alarms by project, CPU seconds of a whole run."""
    verdicts = {name: dict(Counter(run.verdicts[name][0] for run in runs)) for name in SANITY_CHECKS}
    by_project: dict[str, dict[str, list[int]]] = {}
    for project in sorted({run.project for run in runs}):
        mine = [run.verdicts for run in runs if run.project == project]
        counted = {name: [sum(v[name][0] == word for v in mine) for word in ("fail", "warn")] for name in SANITY_CHECKS}
        by_project[project] = {"runs": [len(mine)], **counted}
    seconds = [sum(run.seconds.values()) for run in runs]
    cpu = {"median": round(float(np.median(seconds)), 3), "most": round(float(np.max(seconds)), 3)}
    return {"runs": len(runs), "seed_base": seed_base, "verdicts": verdicts, "by_project": by_project, "seconds": cpu}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=45, help="healthy runs of every project")
    parser.add_argument("--seed-base", default="bands")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--projects", default="", help="these alone, separated by commas; bands of other kinds stay")
    parser.add_argument("--audit", action="store_true", help="count alarms under the present bands, set none")
    options = parser.parse_args()
    only = tuple(name for name in options.projects.split(",") if name)
    views = healthy_views(count=options.count, seed_base=options.seed_base, workers=options.workers, only=only)
    runs = []
    for run in measure_all(views, options.workers):
        runs.append(run)
        print(f"\r{len(runs)} runs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    if options.audit:
        print(report(runs))
        keep("healthy", audited(runs, options.seed_base))
    else:
        bands = healthy_bands(runs)
        if only:
            # A kind is known by its whole population: name every project of a kind, or none. Strangers' bands stay.
            bands = {**_bands.healthy(), **{key: found for key, found in bands.items() if key != _bands.ANY}}
        for key, by_check in bands.items():
            print(f"{key}: " + ", ".join(f"{check} {len(wider)} wider" for check, wider in by_check.items()))
        measured_now = {
            key: [count, options.seed_base] for key, count in Counter(k for r in runs for k in r.keys).items()
        }
        earlier = json.loads(_bands.BANDS.read_text("utf-8"))["runs"] if only else {}
        # Healthy runs and seed base by key; those of strangers stay where single projects are measured.
        write(bands, {**earlier, **measured_now, **({_bands.ANY: earlier[_bands.ANY]} if only else {})})
        print(f"wrote {_bands.BANDS.name}; audit with another seed base")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
