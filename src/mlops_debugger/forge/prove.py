"""Proving: both twins on three seeds, harm, and the moves that must not cure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from mlops_debugger.bank.records import Answer, Figures, SeedProof
from mlops_debugger.edits import CONFIG, Value
from mlops_debugger.forge.counters import counters
from mlops_debugger.forge.plant import Planted
from mlops_debugger.grading.rubric import guards, seed_verdict
from mlops_debugger.grading.trial import seeded_config
from mlops_debugger.projects import Data
from mlops_debugger.runs.measure import harm, measure
from mlops_debugger.runs.pool import RunResult, TrainerPool

SEEDS = 3
NO_HARM, NOT_SPECIFIC = "no harm", "not specific"
HEALTHY_FAILED, HEALTHY_GUARDED = "healthy run failed", "healthy run breaks a guard"
"""Reasons for a rejection."""
MAX_ANSWERS = 3


class CounterEdit(BaseModel):
    """A counter edit that was tried on a broken run, by canonical key and value, or slot and look-alike.

    `left` is the share of the proven harm that it left, seed by seed: the first seed that it does not cure ends it.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    value: Value
    left: tuple[float, ...]
    cured: bool


@dataclass(frozen=True)
class Rejected:
    """A try that did not become a scenario; `reason` is one of a few words that the summary counts."""

    reason: str
    detail: str = ""
    counters: tuple[CounterEdit, ...] = ()


@dataclass(frozen=True)
class Proof:
    """Both twins on every seed. `healthy` and `broken` are the runs of the scenario's own seed."""

    seeds: tuple[SeedProof, ...]
    healthy: RunResult
    broken: RunResult
    data: Data
    others: tuple[Answer, ...]
    runs: int
    run_seeds: tuple[int, ...]
    counters: tuple[CounterEdit, ...] = ()


def unspecific(others: tuple[Answer, ...], tried: tuple[CounterEdit, ...]) -> Rejected | None:
    """The rejection of a broken run that too many other edits cure."""
    if len(others) < MAX_ANSWERS:
        return None
    return Rejected(NOT_SPECIFIC, ", ".join(answer.field for answer in others), tried)


def proof_bar(sigma: float) -> float:
    """The least harm that counts as proven."""
    return max(0.05, 6 * sigma)


class Prover:
    """Runs one planted scenario; counts the runs that it needed."""

    def __init__(
        self,
        planted: Planted,
        run_seeds: tuple[int, ...],
        run_id: str,
        started_at: str,
        pool: TrainerPool,
    ) -> None:
        self.planted = planted
        self.run_seeds = run_seeds
        self.run_id = run_id
        self.started_at = started_at
        self.pool = pool
        self.runs = 0
        self.data: dict[int, Data] = {}

    def train(self, sources: Mapping[str, str], index: int) -> tuple[RunResult, Figures]:
        """Train `sources` on run seed `index`."""
        project = self.planted.project
        if index not in self.data:
            self.data[index] = project.generate(self.run_seeds[index], self.planted.variation.data)
        config = seeded_config(sources[CONFIG], project, self.run_seeds, index)
        result = self.pool.run(
            {**sources, CONFIG: config}, self.data[index], run_id=self.run_id, started_at=self.started_at
        )
        self.runs += 1
        return result, measure(project, self.data[index], result)

    def prove(self, sigma: float, *, everywhere: bool = True, sites: Collection[str] = ()) -> Proof | Rejected:
        """Harm on every seed, then specificity (which counter edits: see `counters`); the first failure decides."""
        seeds: list[SeedProof] = []
        first: tuple[RunResult, RunResult] | None = None
        for index in range(SEEDS):
            healthy_run, healthy = self.train(self.planted.healthy, index)
            if healthy.crashed or not healthy.finite:
                return Rejected(HEALTHY_FAILED, healthy_run.console[-300:])
            if guards(healthy, healthy):
                return Rejected(HEALTHY_GUARDED, "; ".join(guards(healthy, healthy)))
            broken_run, broken = self.train(self.planted.broken, index)
            seeds.append(SeedProof(healthy=healthy, broken=broken, harm=harm(broken, healthy)))
            if seeds[-1].harm < proof_bar(sigma):
                return Rejected(NO_HARM, f"{seeds[-1].harm:.3f} on seed {index}, bar {proof_bar(sigma):.3f}")
            if first is None:
                first = (healthy_run, broken_run)
        if first is None:
            return Rejected("no seeds")
        others, tried = self.cures(tuple(seeds), sigma, everywhere=everywhere, sites=sites)
        if rejected := unspecific(others, tried):
            return rejected
        return Proof(tuple(seeds), first[0], first[1], self.data[0], others, self.runs, self.run_seeds, tried)

    def cures(
        self, seeds: tuple[SeedProof, ...], sigma: float, *, everywhere: bool, sites: Collection[str]
    ) -> tuple[tuple[Answer, ...], tuple[CounterEdit, ...]]:
        """The answers that counter edits turned out to be, and what every one of them did."""
        found: dict[str, Answer] = {}
        tried: list[CounterEdit] = []
        for counter in counters(self.planted, self.run_seeds[0], everywhere=everywhere, sites=sites):
            if counter.site in found:
                continue
            left, cured = self._left(counter.sources, seeds, sigma)
            if not left:
                continue
            tried.append(CounterEdit(key=counter.site, value=counter.value, left=left, cured=cured))
            if cured:
                found[counter.site] = counter.answer
        return tuple(found.values()), tuple(tried)

    def _left(
        self, sources: Mapping[str, str], seeds: tuple[SeedProof, ...], sigma: float
    ) -> tuple[tuple[float, ...], bool]:
        """The share of the proven harm that edited sources leave, up to the first seed that they do not cure.

        Empty where the edit changes nothing: that an edit without effect does not cure says nothing.
        """
        left: list[float] = []
        for index, proof in enumerate(seeds):
            figures = self.train(sources, index)[1]
            if figures.measure_like(proof.broken):
                return (), False
            left.append(round(harm(figures, proof.healthy) / proof.harm, 4))
            if seed_verdict(figures, proof, sigma) < 1.0:
                return tuple(left), False
        return tuple(left), True
