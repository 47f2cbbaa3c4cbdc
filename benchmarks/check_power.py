"""Which checks see which fault: every fault on 20 broken runs or more.

    python benchmarks/check_power.py --runs 20 --workers 2

The broken runs of the starter bank count first; what a fault lacks is planted and trained anew, in turn on every project
that it fits, with seeds of its own and whether or not harm was proven. Interrupting loses what is under way: the runs
stand in reports/check_power.jsonl, and the same command goes on. Writes benchmarks/checks.json for docs/checks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from pages.figures import keep

from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.contract import SANITY_CHECKS
from mlops_debugger.faults import faults
from mlops_debugger.forge.healthy import STARTED_AT, run_artifacts, view_of
from mlops_debugger.forge.plant import plant
from mlops_debugger.forge.unit import base_seed_of, look
from mlops_debugger.projects import projects
from mlops_debugger.runs.pool import TrainerPool
from mlops_debugger.seeds import derive

SEED_BASE = "power"
KEPT = Path("reports") / "check_power.jsonl"
MISFITS = 40
"""Variations in a row that a fault does not fit, after which a project is left out."""
Verdicts = dict[str, str]

_pools: list[TrainerPool] = []


def start() -> None:
    """Start the trainer of a measuring process."""
    _pools.append(TrainerPool(1))


def broken_run(project_id: str, fault: str, index: int) -> Verdicts | None:
    """Verdicts on one broken run; None where the fault does not fit the variation."""
    project = projects()[project_id]
    base_seed = base_seed_of(SEED_BASE, project_id, fault, index)
    planted = plant(project, fault, base_seed)
    if planted is None:
        return None
    data = project.generate(derive(base_seed, "data"), planted.variation.data)
    result = _pools[0].run(planted.broken, data, run_id="r-broken", started_at=STARTED_AT)
    findings = look(view_of(run_artifacts(planted, dict(planted.broken), data, result), result))
    return {name: str(finding["verdict"]) for name, finding in findings.items()}


def more_runs(project_ids: list[str], fault: str, wanted: int) -> list[Verdicts]:
    """Verdicts on `wanted` further broken runs, in turn over the projects."""
    found: list[Verdicts] = []
    index = dict.fromkeys(project_ids, 0)
    misses: Counter[str] = Counter()
    while len(found) < wanted and index:
        for project_id in list(index):
            if len(found) == wanted:
                break
            verdicts = broken_run(project_id, fault, index[project_id])
            index[project_id] += 1
            if verdicts is not None:
                found.append(verdicts)
                misses[project_id] = 0
                continue
            misses[project_id] += 1
            if misses[project_id] >= MISFITS:
                del index[project_id]
    return found


def of_bank() -> dict[str, list[Verdicts]]:
    """Verdicts on the broken runs of the starter bank, by fault."""
    found: dict[str, list[Verdicts]] = defaultdict(list)
    for scenario in Bank(starter_bank_path()).scenarios():
        if scenario.fault is not None:
            found[scenario.fault].append({name: str(scenario.findings[name]["verdict"]) for name in SANITY_CHECKS})
    return found


def resumed() -> Iterator[tuple[str, list[Verdicts]]]:
    """What an interrupted measurement has, by fault."""
    if KEPT.is_file():
        for line in KEPT.read_text("utf-8").splitlines():
            item = json.loads(line)
            yield item["fault"], item["verdicts"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="broken runs of every fault, at least")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    bank, extra = of_bank(), dict(resumed())
    KEPT.parent.mkdir(exist_ok=True)
    with ProcessPoolExecutor(options.workers, initializer=start) as pool, KEPT.open("a", encoding="utf-8") as log:
        jobs = {}
        for name, fault in faults().items():
            missing = options.runs - len(bank[name])
            if missing > 0 and len(extra.get(name, [])) < missing:
                fitting = [project for project in projects() if fault.plants_for(projects()[project])]
                jobs[pool.submit(more_runs, fitting, name, missing)] = name
        for done, job in enumerate(as_completed(jobs), start=1):
            extra[jobs[job]] = job.result()
            log.write(json.dumps({"fault": jobs[job], "verdicts": job.result()}) + "\n")
            log.flush()
            print(f"\r{done}/{len(jobs)} faults", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    power = {}
    for name in faults():
        runs = [*bank[name], *extra.get(name, [])]
        counted = {check: Counter(run[check] for run in runs) for check in SANITY_CHECKS}
        power[name] = {"runs": len(runs), "of_bank": len(bank[name])} | {
            check: [counts["fail"], counts["warn"]] for check, counts in counted.items()
        }
    keep("power", power)
    print(f"{sum(item['runs'] for item in power.values())} broken runs; written for docs/checks.md")


if __name__ == "__main__":
    main()
