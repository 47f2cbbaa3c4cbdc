"""What to forge: an order, and how many scenarios of each fault on each project it comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlops_debugger.errors import ForgeError
from mlops_debugger.faults import faults
from mlops_debugger.forge.unit import DOES_NOT_FIT, Try
from mlops_debugger.projects import projects

CONTROL_SHARE = 0.11
MAX_TRIES = 3
"""Rejected tries per wanted scenario before a fault on a project is given up."""
HOPELESS = 5
"""Rejected tries in a row, from the first one on, that end it sooner."""
MISFITS = 60
"""Variations per wanted scenario that the fault does not fit, after which it is given up too."""


@dataclass(frozen=True)
class Order:
    """What to forge. `scenarios` counts controls too; empty `faults` or `projects` mean all.

    `extend` is a bank of the same seed base whose scenarios count where they still hold; with `look_again` every one of
    them is trained again, on its own seed, and keeps its proof with new artifacts and findings.
    """

    out: Path
    scenarios: int
    seed_base: str
    faults: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    workers: int = 1
    command: str = ""
    extend: Path | None = None
    look_again: bool = False


@dataclass
class Pair:
    """A fault (None: healthy controls) on a project: how many are wanted, and what became of its tries.

    `reasons` maps the number of a try to why it was rejected (None: proven), `met` to the sites whose counter edits it
    met, and `counts` a reason to how many have it. `cures` are the sites at which a counter edit cured any of them.
    """

    project: str
    fault: str | None
    wanted: int
    busy: bool = False
    tried: int = 0
    reasons: dict[int, str | None] = field(default_factory=dict)
    met: dict[int, frozenset[str]] = field(default_factory=dict)
    counts: Counter[str | None] = field(default_factory=Counter)
    cures: set[str] = field(default_factory=set)

    def book(self, outcome: Try) -> None:
        """A new try, or one that was settled since it was booked."""
        if outcome.index in self.reasons:
            self.counts[self.reasons[outcome.index]] -= 1
        self.counts[outcome.reason] += 1
        # Below 0 are rejected tries of a bank that kept none of them.
        self.tried = max(self.tried, outcome.index + 1)
        self.reasons[outcome.index] = outcome.reason
        self.met[outcome.index] = frozenset((*outcome.countered_at, *(edit.key for edit in outcome.counters)))
        self.cures |= {edit.key for edit in outcome.counters if edit.cured}

    @property
    def proven(self) -> int:
        return self.counts[None]

    @property
    def open(self) -> bool:
        """Whether another try is worth it."""
        misfits = self.counts[DOES_NOT_FIT]
        if self.proven >= self.wanted or misfits >= MISFITS * self.wanted:
            return False
        rejected = len(self.reasons) - self.proven - misfits
        return rejected < HOPELESS if not self.proven else rejected < MAX_TRIES * self.wanted

    @property
    def unsettled(self) -> tuple[int, tuple[str, ...]] | None:
        """A proven try that has not met the edits at all `cures`, and the sites whose edits it lacks."""
        return next(
            (
                (index, tuple(sorted(self.cures - met)))
                for index, met in self.met.items()
                if self.reasons[index] is None and self.cures - met
            ),
            None,
        )

    @property
    def waits(self) -> bool:
        """Whether there is work on it that nobody does yet."""
        return not self.busy and (self.open or self.unsettled is not None)


def plan(order: Order) -> list[Pair]:
    """Controls by project, then faults: one of each on each project, and categories as equal as that allows."""
    chosen = [name for name in projects() if not order.projects or name in order.projects]
    unknown = [*(set(order.projects) - set(projects())), *(set(order.faults) - set(faults()))]
    if unknown:
        raise ForgeError(
            f"no such project or fault: {', '.join(sorted(unknown))}; there are {', '.join([*projects(), *faults()])}"
        )
    by_category: dict[str, list[tuple[str, str]]] = {}
    for fault_id, fault in faults().items():
        if not order.faults or fault_id in order.faults:
            fitting = [(name, fault_id) for name in chosen if fault.plants_for(projects()[name])]
            by_category.setdefault(fault.category, []).extend(fitting)
    categories = [pairs for pairs in by_category.values() if pairs]
    if not categories:
        raise ForgeError("none of the named faults fits any of the named projects: see 'mlops-debugger catalog'")
    controls = round(CONTROL_SHARE * order.scenarios)
    rows = [Pair(project, None, count) for project, count in zip(chosen, _shares(controls, chosen), strict=True)]
    for pairs, share in zip(categories, _levelled(order.scenarios - controls, categories), strict=True):
        rows += [
            Pair(project, fault, count) for (project, fault), count in zip(pairs, _shares(share, pairs), strict=True)
        ]
    return [row for row in rows if row.wanted]


def _levelled(total: int, among: Sequence[Sequence[object]]) -> list[int]:
    """`total` in parts as equal as can be, none smaller than it has members, as long as the total allows that."""
    shares = [0] * len(among)
    for _ in range(total):
        hungry = [position for position, members in enumerate(among) if shares[position] < len(members)]
        smallest = min(range(len(among)), key=lambda position: (shares[position], position))
        if hungry and total - sum(shares) <= sum(len(among[position]) - shares[position] for position in hungry):
            smallest = min(hungry, key=lambda position: (shares[position], position))
        shares[smallest] += 1
    return shares


def _shares(total: int, among: Sequence[object]) -> list[int]:
    """`total` in nearly equal whole parts, the larger ones first."""
    return [total // len(among) + (position < total % len(among)) for position in range(len(among))]
