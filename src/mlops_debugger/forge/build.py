"""Building a bank: many tries side by side, a journal that survives anything, tiers and splits at the end."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from mlops_debugger.bank.records import Scenario
from mlops_debugger.bank.store import Bank, BankWriter
from mlops_debugger.errors import ForgeError
from mlops_debugger.forge.carry import SPENT, carry_over, look_again
from mlops_debugger.forge.finish import finish, held_out
from mlops_debugger.forge.journal import Journal
from mlops_debugger.forge.plan import Order, Pair, plan
from mlops_debugger.forge.settle import settle
from mlops_debugger.forge.summary import Summary
from mlops_debugger.forge.unit import Try, attempt
from mlops_debugger.forge.workers import crew, dismiss, trainer


@dataclass(frozen=True)
class Progress:
    """Where a build stands, after every try."""

    proven: int
    wanted: int
    tried: int
    last: Try


def _attempt(project: str, fault: str | None, index: int, seed_base: str, secret: str, sites: tuple[str, ...]) -> Try:
    return attempt(project, fault, index, seed_base=seed_base, secret=secret, pool=trainer(), sites=sites)


def _settle(outcome: Try, sites: tuple[str, ...]) -> Try:
    return settle(outcome, sites, trainer())


def build(
    order: Order, report: Callable[[Progress], None], looking: Callable[[int, int], None] = lambda done, of: None
) -> Summary:
    """Forge a bank; the same order resumes where an earlier one stopped. Raises `ForgeError`.

    `report` is called after every try and whenever one is settled, `looking` after every scenario of an extended bank
    that was looked at again, with how many there are. The bank is written when every pair is done, unless nothing at
    all was proven; the journal stays beside it.
    """
    summary = Summary()
    journal = _journal(order, summary, looking)
    pairs = {(pair.project, pair.fault): pair for pair in plan(order)}
    wanted = sum(pair.wanted for pair in pairs.values())

    def book(outcome: Try) -> None:
        pair = pairs.get((outcome.project, outcome.fault))
        if pair is not None:
            pair.book(outcome)
        report(Progress(sum(p.proven for p in pairs.values()), wanted, sum(p.tried for p in pairs.values()), outcome))

    for outcome in journal.tries():
        book(outcome)
    if any(pair.waits for pair in pairs.values()):
        _forge_open(order, journal, pairs, book)
    scenarios, tries = [], []
    for outcome in journal.tries():
        summary.add(outcome)
        tries.append(outcome.model_copy(update={"draft": None}).model_dump_json())
        if outcome.draft is not None and (outcome.project, outcome.fault) in pairs:
            scenarios.append(outcome.draft)
    if scenarios:
        BankWriter(order.out).write(finish(_trim(scenarios, pairs)), _manifest(order, journal, summary), tries)
    journal.close()
    return summary


def _journal(order: Order, summary: Summary, looking: Callable[[int, int], None]) -> Journal:
    """The journal of the order; a new one that extends a bank begins with what still holds of it."""
    path = order.out.with_name(order.out.name + ".journal")
    if order.extend is None or path.exists():
        return Journal(path, order.seed_base)
    bank = Bank(order.extend)
    if bank.manifest["seed_base"] != order.seed_base:
        raise ForgeError(
            f"{order.extend} was forged with --seed-base {bank.manifest['seed_base']}, found {order.seed_base}: "
            "a bank is extended with its own"
        )
    # Under another name until it is whole: an interrupted start must not look like a journal to go on with.
    fresh = path.with_name(path.name + ".new")
    if not order.look_again:
        fresh.unlink(missing_ok=True)
    journal = Journal(fresh, order.seed_base, str(bank.manifest["secret"]))
    if order.look_again:
        summary.carried = look_again(bank, journal, order.workers, looking)
    else:
        summary.carried = carry_over(bank, journal)
    journal.close()
    bank.close()
    fresh.rename(path)
    return Journal(path, order.seed_base)


def _forge_open(
    order: Order, journal: Journal, pairs: dict[tuple[str, str | None], Pair], book: Callable[[Try], None]
) -> None:
    secret = journal.head("secret")
    executor = crew(order.workers)
    running: dict[Future[Try], Pair] = {}
    try:
        while True:
            for pair in sorted((p for p in pairs.values() if p.waits), key=lambda p: p.proven / p.wanted):
                if len(running) >= order.workers:
                    break
                if (unsettled := pair.unsettled) is not None:
                    index, lacking = unsettled
                    future = executor.submit(_settle, journal.get(pair.project, pair.fault, index), lacking)
                else:
                    cures = tuple(sorted(pair.cures))
                    future = executor.submit(
                        _attempt, pair.project, pair.fault, pair.tried, order.seed_base, secret, cures
                    )
                pair.busy = True
                running[future] = pair
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
        dismiss(executor, busy=bool(running))


def _trim(scenarios: Sequence[Scenario], pairs: dict[tuple[str, str | None], Pair]) -> list[Scenario]:
    """At most as many scenarios of each pair as were wanted, in the order in which they were tried."""
    counts: Counter[tuple[str, str | None]] = Counter()
    kept = []
    for scenario in scenarios:
        key = (scenario.project, scenario.fault)
        counts[key] += 1
        if counts[key] <= pairs[key].wanted:
            kept.append(scenario)
    return kept


def _manifest(order: Order, journal: Journal, summary: Summary) -> dict[str, object]:
    return {
        "version": journal.head("version"),
        "created": dt.datetime.now(dt.UTC).date().isoformat(),
        "command": order.command,
        "seed_base": order.seed_base,
        "secret": journal.head("secret"),
        **held_out(),
        "runs": summary.runs + int(journal.head(SPENT) or 0),
        "tries": summary.rows(),
    }
