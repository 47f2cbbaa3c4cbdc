"""Building a bank: many tries side by side, a journal that survives anything, tiers and splits at the end."""

from __future__ import annotations

import contextlib
import datetime as dt
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from mlops_debugger.bank.records import Scenario, Split, Tier
from mlops_debugger.bank.store import Bank, BankWriter
from mlops_debugger.errors import ForgeError
from mlops_debugger.faults import faults
from mlops_debugger.forge.difficulty import Rating, rate
from mlops_debugger.forge.journal import Journal
from mlops_debugger.forge.summary import Summary
from mlops_debugger.forge.unit import DOES_NOT_FIT, Try, attempt
from mlops_debugger.projects import projects
from mlops_debugger.runs.pool import TrainerPool
from mlops_debugger.seeds import derive

CONTROL_SHARE = 0.11
HELD_OUT_SITES = ("scheduler.warmup_steps", "evaluation_scaling")
"""Sites whose faults occur in the test split alone."""
MAX_TRIES = 3
"""Rejected tries per wanted scenario before a fault on a project is given up."""
HOPELESS = 5
"""Rejected tries in a row, from the first one on, that end it sooner."""
MISFITS = 60
"""Variations per wanted scenario that the fault does not fit, after which it is given up too."""


@dataclass(frozen=True)
class Order:
    """What to forge. `scenarios` counts controls too; empty `faults` or `projects` mean all."""

    out: Path
    scenarios: int
    seed_base: str
    faults: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    workers: int = 1
    command: str = ""


@dataclass
class _Pair:
    project: str
    fault: str | None
    wanted: int
    proven: int = 0
    tried: int = 0
    rejected: int = 0
    misfits: int = 0
    busy: bool = False

    @property
    def open(self) -> bool:
        if self.busy or self.proven >= self.wanted or self.misfits >= MISFITS * self.wanted:
            return False
        return self.rejected < HOPELESS if not self.proven else self.rejected < MAX_TRIES * self.wanted


@dataclass(frozen=True)
class Progress:
    """Where a build stands, after every try."""

    proven: int
    wanted: int
    tried: int
    last: Try


def plan(order: Order) -> list[_Pair]:
    """How many scenarios each fault on each project gets, controls first."""
    chosen = [name for name in projects() if not order.projects or name in order.projects]
    unknown = [*(set(order.projects) - set(projects())), *(set(order.faults) - set(faults()))]
    if unknown:
        raise ForgeError(
            f"no such project or fault: {', '.join(sorted(unknown))}; there are {', '.join([*projects(), *faults()])}"
        )
    pairs = [
        (project, fault_id)
        for fault_id, fault in faults().items()
        for project in chosen
        if (not order.faults or fault_id in order.faults) and fault.plants_for(projects()[project])
    ]
    if not pairs:
        raise ForgeError("none of the named faults fits any of the named projects: see 'mlops-debugger catalog'")
    controls = round(CONTROL_SHARE * order.scenarios)
    broken = order.scenarios - controls
    rows = [
        _Pair(project, None, controls // len(chosen) + (i < controls % len(chosen))) for i, project in enumerate(chosen)
    ]
    rows += [
        _Pair(project, fault, broken // len(pairs) + (i < broken % len(pairs)))
        for i, (project, fault) in enumerate(pairs)
    ]
    return [row for row in rows if row.wanted]


_POOL: TrainerPool | None = None


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: kill -9 gives a parent no time to say so."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _start_worker() -> None:
    global _POOL
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    _POOL = TrainerPool(1)


def _work(project: str, fault: str | None, index: int, seed_base: str, secret: str) -> Try:
    if _POOL is None:
        raise ForgeError("a forging process was used before it was started")
    return attempt(project, fault, index, seed_base=seed_base, secret=secret, pool=_POOL)


def build(order: Order, report: Callable[[Progress], None]) -> Summary:
    """Forge a bank; the same order resumes where an earlier one stopped. Raises `ForgeError`.

    `report` is called after every try. The bank is written when every pair is done, unless nothing at all was proven;
    the journal stays beside it.
    """
    journal = Journal(order.out.with_name(order.out.name + ".journal"), order.seed_base)
    summary = Summary()
    pairs = {(pair.project, pair.fault): pair for pair in plan(order)}
    wanted = sum(pair.wanted for pair in pairs.values())

    def book(outcome: Try) -> None:
        summary.add(outcome)
        pair = pairs.get((outcome.project, outcome.fault))
        if pair is not None:
            pair.tried = max(pair.tried, outcome.index + 1)
            pair.proven += outcome.reason is None
            pair.misfits += outcome.reason == DOES_NOT_FIT
            pair.rejected += outcome.reason not in (None, DOES_NOT_FIT)
        report(Progress(sum(p.proven for p in pairs.values()), wanted, sum(p.tried for p in pairs.values()), outcome))

    for outcome in journal.tries():
        book(outcome)
    if any(pair.open for pair in pairs.values()):
        _forge_open(order, journal, pairs, book)
    scenarios = [
        outcome.draft
        for outcome in journal.tries()
        if outcome.draft is not None and (outcome.project, outcome.fault) in pairs
    ]
    if scenarios:
        BankWriter(order.out).write(finish(_trim(scenarios, pairs)), _manifest(order, journal, summary))
    journal.close()
    return summary


def _forge_open(
    order: Order, journal: Journal, pairs: dict[tuple[str, str | None], _Pair], book: Callable[[Try], None]
) -> None:
    secret = journal.head("secret")
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(order.workers, mp_context=context, initializer=_start_worker)
    running: dict[Future[Try], _Pair] = {}
    try:
        while True:
            for pair in sorted((p for p in pairs.values() if p.open), key=lambda p: p.proven / p.wanted):
                if len(running) >= order.workers:
                    break
                pair.busy = True
                running[executor.submit(_work, pair.project, pair.fault, pair.tried, order.seed_base, secret)] = pair
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                pair = running.pop(future)
                pair.busy = False
                outcome = future.result()
                journal.add(outcome)
                book(outcome)
    finally:
        for process in list((executor._processes or {}).values()):
            with contextlib.suppress(OSError):
                os.kill(process.pid or 0, signal.SIGTERM) if running else None
        executor.shutdown(wait=not running, cancel_futures=True)


def _trim(scenarios: Sequence[Scenario], pairs: dict[tuple[str, str | None], _Pair]) -> list[Scenario]:
    """At most as many scenarios of each pair as were wanted, in the order in which they were tried."""
    counts: Counter[tuple[str, str | None]] = Counter()
    kept = []
    for scenario in scenarios:
        key = (scenario.project, scenario.fault)
        counts[key] += 1
        if counts[key] <= pairs[key].wanted:
            kept.append(scenario)
    return kept


def split_of(project: str, base_seed: int, site: str | None) -> Split:
    """By hash of project and base seed; held-out sites are in test alone."""
    if site in HELD_OUT_SITES:
        return "test"
    share = derive("split", project, base_seed) % 1000
    return "train" if share < 700 else "validation" if share < 850 else "test"


TIERS: tuple[Tier, ...] = ("easy", "medium", "hard")


def finish(drafts: Sequence[Scenario], ratings: Mapping[str, Rating] | None = None) -> list[Scenario]:
    """Difficulty, tiers and splits, all from the drafts alone: a bank that exists can be finished anew.

    Tiers are thirds by difficulty within each category, and within the controls: every tier has the same mixture, so a
    tier's score never tells how an agent does on one category. `ratings` are those of `rate`, where they are known.
    """
    ratings = rate(drafts) if ratings is None else ratings
    kinds: dict[str, list[Scenario]] = defaultdict(list)
    for draft in drafts:
        rating = ratings[draft.scenario_id]
        rated = draft.model_copy(update={"difficulty": rating.difficulty, "difficulty_parts": rating.parts})
        kinds[draft.answers[0].categories[0] if draft.answers else ""].append(rated)
    result: list[Scenario] = []
    for place, kind in enumerate(sorted(kinds)):
        members = sorted(kinds[kind], key=lambda scenario: (scenario.difficulty, scenario.scenario_id))
        for scenario, tier in zip(members, _thirds(len(members), place), strict=True):
            split = split_of(scenario.project, scenario.base_seed, scenario.site)
            result.append(scenario.model_copy(update={"tier": tier, "split": split}))
    return result


def rate_anew(bank: Bank, out: Path) -> None:
    """Write a bank again with difficulty, tiers and splits computed anew from its scenarios; nothing is trained."""
    BankWriter(out).write(finish(list(bank.scenarios())), bank.manifest)


def _thirds(count: int, turn: int) -> list[Tier]:
    """Tiers of `count` ordered scenarios; whose third is larger, where it does not divide, goes round by `turn`."""
    sizes = [count // 3] * 3
    for extra in range(count % 3):
        sizes[(turn + extra) % 3] += 1
    return [tier for tier, size in zip(TIERS, sizes, strict=True) for _ in range(size)]


def _manifest(order: Order, journal: Journal, summary: Summary) -> dict[str, object]:
    return {
        "version": journal.head("version"),
        "created": dt.datetime.now(dt.UTC).date().isoformat(),
        "command": order.command,
        "seed_base": order.seed_base,
        "secret": journal.head("secret"),
        "held_out_sites": list(HELD_OUT_SITES),
        "runs": summary.runs,
        "tries": summary.rows(),
    }
