"""Proving: both twins on three seeds, harm, and the moves that must not cure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from mlops_debugger.bank.records import Answer, Figures, SeedProof
from mlops_debugger.contract import FailureCategory
from mlops_debugger.edits import CONFIG, Value, dump_yaml, load_yaml, set_path
from mlops_debugger.faults import Config, faults
from mlops_debugger.forge.plant import Planted, canonical_config, config_answer
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
    """A counter edit that was tried on a broken run, by canonical key.

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
        *,
        counters: bool = True,
    ) -> None:
        self.planted = planted
        self.counters = counters
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

    def prove(self, sigma: float) -> Proof | Rejected:
        """Harm on every seed, then specificity; the first failure decides."""
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
        others, tried = self._cures(tuple(seeds), sigma) if self.counters else ((), ())
        if len(others) >= MAX_ANSWERS:
            return Rejected(NOT_SPECIFIC, ", ".join(answer.field for answer in others), tried)
        return Proof(tuple(seeds), first[0], first[1], self.data[0], others, self.runs, self.run_seeds, tried)

    def _cures(self, seeds: tuple[SeedProof, ...], sigma: float) -> tuple[tuple[Answer, ...], tuple[CounterEdit, ...]]:
        """The answers that counter edits turned out to be, and what every one of them did."""
        project = self.planted.project
        own = self.planted.answer.field if self.planted.answer else ""
        found: dict[str, Answer] = {}
        tried: list[CounterEdit] = []
        config = canonical_config(project, self.planted.broken)
        for key, value in counter_moves(self.planted.fault_id, config):
            path = project.dialect.get(key)
            if path is None or path == own or key in found or config[key] == value:
                continue
            edited = load_yaml(self.planted.broken[CONFIG])
            set_path(edited, path, value)
            sources = {**self.planted.broken, CONFIG: dump_yaml(edited)}
            left, cured = self._left(sources, seeds, sigma)
            tried.append(CounterEdit(key=key, value=value, left=left, cured=cured))
            if cured:
                found[key] = config_answer(project, self.planted.broken[CONFIG], key, (category_of(key),))
        return tuple(found.values()), tuple(tried)

    def _left(
        self, sources: Mapping[str, str], seeds: tuple[SeedProof, ...], sigma: float
    ) -> tuple[tuple[float, ...], bool]:
        """The share of the proven harm that edited sources leave, up to the first seed that they do not cure."""
        left: list[float] = []
        for index, proof in enumerate(seeds):
            figures = self.train(sources, index)[1]
            left.append(round(harm(figures, proof.healthy) / proof.harm, 4))
            if seed_verdict(figures, proof, sigma) < 1.0:
                return tuple(left), False
        return tuple(left), True


def category_of(key: str) -> FailureCategory:
    """The category of an edit at a canonical config key: it follows the edited line."""
    if key.startswith("model.") and key != "model.dropout":
        return "architecture_bug"
    if key.startswith("data.") and "label" not in key:
        return "data_leakage"
    if key.startswith("evaluation."):
        return "evaluation_bug"
    if key.startswith(("features.", "tokenizer.")):
        return "preprocessing_bug"
    return "config_error"


def counter_moves(fault_id: str | None, config: Config) -> Iterator[tuple[str, Value]]:
    """The fault's own counter edits, then boosters that anybody would try."""
    if fault_id is not None:
        for move in faults()[fault_id].look_alikes:
            if move.key in config:
                value = move.value(config)
                if value is not None:
                    yield move.key, value
    rate = config["optimizer.learning_rate"]
    epochs = config["training.epochs"]
    if isinstance(rate, int | float) and isinstance(epochs, int):
        yield "training.epochs", 2 * epochs
        yield "optimizer.learning_rate", 3 * rate
        yield "optimizer.learning_rate", rate / 3
    yield "optimizer.name", "adam" if config["optimizer.name"] != "adam" else "adamw"
    widths = config.get("model.hidden_dims")
    if isinstance(widths, list) and widths:
        yield "model.hidden_dims", [max(1, int(width * 1.5)) if isinstance(width, int) else width for width in widths]
