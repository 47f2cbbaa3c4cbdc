"""What a verdict costs one client, and what the sandbox costs: docs/sandbox.md quotes the figures.

python benchmarks/trials.py [--verdicts N] [--rounds R] [--workers W] [--bank FILE]
    --verdicts N: N faults of the bank, drawn evenly over projects; each with a right fix (three seeds) and a wrong one
    --rounds R: R runs of every project in the sandbox and in a plain process, in turn
    --workers W: how many runs at once; 2 is one client on 2 cores
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mlops_debugger.bank import Bank, Scenario, starter_bank_path
from mlops_debugger.edits import CODE
from mlops_debugger.forge.plant import variation_of
from mlops_debugger.grading import Diagnosis, TrialRequest, Trials, grade, prepare
from mlops_debugger.projects import projects
from mlops_debugger.runs.pool import TrainerPool
from mlops_debugger.runs.sandbox.pool import SandboxPool
from mlops_debugger.runs.workspace import render
from mlops_debugger.seeds import derive

CLOCK = "2026-02-02T08:00:00"
TICK = os.sysconf("SC_CLK_TCK")


def spread(values: list[float]) -> str:
    return f"median {np.median(values):.2f}, 95th percentile {np.quantile(values, 0.95):.2f}, n {len(values)}"


def chosen(bank: Bank, count: int) -> list[Scenario]:
    """Faults of the bank, the projects in turn."""
    order = sorted(bank.entries, key=lambda entry: derive("benchmark", "trials", entry.scenario_id))
    by_project = {name: [e for e in order if e.project == name and e.fault is not None] for name in projects()}
    turns = [entries[turn] for turn in range(count) for entries in by_project.values() if turn < len(entries)]
    return [bank.get(entry.scenario_id) for entry in turns[:count]]


def right(scenario: Scenario) -> TrialRequest:
    """The gold fix."""
    request = prepare(scenario, Diagnosis("config_error", CODE, "x", scenario.gold_fix))
    if request is None:
        raise SystemExit(f"{scenario.scenario_id}: expected a fix to try, found none")
    return request


def wrong(scenario: Scenario) -> TrialRequest:
    """A change of the code that repairs nothing."""
    code = scenario.artifacts[CODE] + "\nCHECKED = True\n"
    return TrialRequest(scenario, scenario.artifacts["config.yaml"], code, touches_code=True, touches=1)


def verdicts(bank: Bank, count: int, workers: int) -> None:
    """Wall seconds from the request to the verdict, for one client that waits for each."""
    scenarios = chosen(bank, count)
    with Trials(workers=workers) as trials:
        print(trials.policy)
        for scenario in scenarios[: 2 * workers]:  # keepers start when they are first needed
            trials.run(right(scenario))
        everything: list[float] = []
        for name, request in (("right fix, three seeds", right), ("wrong fix, stopped early", wrong)):
            seconds, cpu, passed, seeds = [], [], 0, 0
            for scenario in scenarios:
                trials._cache.clear()
                before, started = cpu_of(os.getpid()), time.perf_counter()
                result = trials.run(request(scenario))
                passed += grade(scenario, Diagnosis("config_error", CODE, "x", "y"), result).rows["fix"] == 1.0
                seconds.append(time.perf_counter() - started)
                cpu.append(cpu_of(os.getpid()) - before)
                seeds += len(result.figures)
            everything += seconds
            print(f"{name}: {spread(seconds)} s; {passed} of {len(seconds)} right; {seeds / len(seconds):.1f} seeds")
            print(f"    CPU of all its processes: {spread(cpu)} s; load of the machine {os.getloadavg()[0]:.1f}")
        print(f"all verdicts: {spread(everything)} s")


def cpu_of(pid: int) -> float:
    """CPU seconds of a process, of what it waited for, and of the processes below it."""
    parents: dict[int, list[int]] = {}
    spent: dict[int, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = folder.joinpath("stat").read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(folder.name))
        spent[int(folder.name)] = sum(int(ticks) for ticks in fields[11:15]) / TICK
    below = [pid]
    for one in below:
        below += parents.get(one, [])
    return sum(spent.get(one, 0.0) for one in below)


def overhead(rounds: int) -> None:
    """The same runs in the sandbox and in a plain process, in turn; who begins alternates."""
    with TrainerPool(1) as plain, SandboxPool(1) as sandbox:
        arms: dict[str, TrainerPool | SandboxPool] = {"plain": plain, "sandbox": sandbox}
        wall: dict[str, dict[str, list[float]]] = {arm: {name: [] for name in projects()} for arm in arms}
        trained = dict.fromkeys(arms, 0.0)
        spent = dict.fromkeys(arms, 0.0)
        for arm in arms:
            _one(arms[arm], "loan_outcomes", 0)
        for number in range(rounds):
            for name in projects():
                for arm in sorted(arms, reverse=bool(number % 2)):
                    pool = arms[arm]
                    (worker,) = pool._all
                    before, own, started = cpu_of(worker.process.pid), time.process_time(), time.perf_counter()
                    trained[arm] += _one(pool, name, number)
                    wall[arm][name].append(time.perf_counter() - started)
                    spent[arm] += cpu_of(worker.process.pid) - before + time.process_time() - own
        for name in projects():
            medians = {arm: float(np.median(wall[arm][name])) for arm in arms}
            print(f"{name}: plain {medians['plain']:.3f} s, sandbox {medians['sandbox']:.3f} s ({_more(medians)})")
        totals = {arm: float(sum(np.median(values) for values in wall[arm].values())) for arm in arms}
        print(
            f"wall, sum of medians: plain {totals['plain']:.2f} s, sandbox {totals['sandbox']:.2f} s ({_more(totals)})"
        )
        for what, figures in (("CPU of the runs alone", trained), ("CPU of everything", spent)):
            print(f"{what}: plain {figures['plain']:.2f} s, sandbox {figures['sandbox']:.2f} s ({_more(figures)})")


def _one(pool: TrainerPool | SandboxPool, name: str, seed: int) -> float:
    project = projects()[name]
    variation = variation_of(project, seed)
    result = pool.run(
        render(project, variation), project.generate(seed, variation.data), run_id="run-0", started_at=CLOCK
    )
    if result.status != "completed":
        raise SystemExit(f"{name}: expected a completed run, found {result.status}: {result.console}")
    return result.cpu


def _more(figures: dict[str, float]) -> str:
    return f"{100 * (figures['sandbox'] / figures['plain'] - 1):+.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--bank", type=Path, default=starter_bank_path())
    options = parser.parse_args()
    parts: list[Callable[[], None]] = []
    if options.rounds:
        parts.append(lambda: overhead(options.rounds))
    if options.verdicts:
        parts.append(lambda: verdicts(Bank(options.bank), options.verdicts, options.workers))
    for part in parts:
        part()


if __name__ == "__main__":
    main()
