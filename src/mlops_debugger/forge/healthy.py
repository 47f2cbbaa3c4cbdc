"""Healthy runs: the spread of harm between them (σ), the band of their reports, and views for calibrating checks."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlops_debugger.bank.records import Figures
from mlops_debugger.checks import RunView
from mlops_debugger.contract import ARTIFACTS
from mlops_debugger.edits import CODE, CONFIG
from mlops_debugger.errors import ForgeError
from mlops_debugger.forge.plant import Planted, plant
from mlops_debugger.projects import Data, Project, projects
from mlops_debugger.runs.measure import SPLITS, measure, with_live
from mlops_debugger.runs.pool import RunResult, TrainerPool
from mlops_debugger.runs.workspace import with_seeds
from mlops_debugger.seeds import derive

STARTED_AT = "2026-02-02T08:00:00"


class HealthyBand(BaseModel):
    """What healthy runs of a project look like. `sigma` and the band are in skill; times in CPU seconds of one run."""

    model_config = ConfigDict(frozen=True)

    project: str
    runs: int
    pairs: int
    sigma: float
    skill_mean: float
    skill_sd: float
    gap_mean: float
    reported_low: float
    reported_high: float
    seconds_median: float
    seconds_max: float
    loss_low: float
    loss_high: float


@functools.cache
def healthy_bands() -> dict[str, HealthyBand]:
    """The bands that ship with the package, measured by `mlops-debugger calibrate`."""
    text = (resources.files("mlops_debugger") / "forge" / "healthy.json").read_text("utf-8")
    return {name: HealthyBand.model_validate(band) for name, band in json.loads(text)["projects"].items()}


def band_of(project: str) -> HealthyBand:
    """The band of one project; raises `ForgeError` where none was measured."""
    try:
        return healthy_bands()[project]
    except KeyError:
        raise ForgeError(
            f"no healthy band for project {project}: run 'mlops-debugger calibrate --projects {project}' first"
        ) from None


def run_artifacts(planted: Planted, sources: dict[str, str], data: Data, result: RunResult) -> dict[str, str]:
    """The six artifacts of a run, in the contract's order; those that the run did not write are empty."""
    outputs = with_live(planted.project, data, result)
    texts = {**outputs, CONFIG: sources[CONFIG], CODE: sources[CODE], "model_card.json": planted.card}
    return {name: texts.get(name, "") for name in ARTIFACTS}


def view_of(artifacts: dict[str, str], result: RunResult) -> RunView:
    """What a check sees of a run."""
    return RunView({name: text for name, text in artifacts.items() if text}, result.record.arrays, result.record.meta)


def _repeats(project: Project, base_seed: int, pool: TrainerPool, runs: int) -> tuple[list[Figures], RunView]:
    planted = plant(project, None, base_seed)
    if planted is None:
        raise ForgeError(f"project {project.id}: a control could not be rendered")
    data = project.generate(derive(base_seed, "data"), planted.variation.data)
    figures, view = [], None
    for index in range(runs):
        config = planted.healthy[CONFIG]
        if index:
            config = with_seeds(config, project, {"training.seed": derive(base_seed, "again") % 9_999 + 1})
        result = pool.run({**planted.healthy, CONFIG: config}, data, run_id="r-healthy", started_at=STARTED_AT)
        if result.crashed:
            raise ForgeError(
                f"project {project.id}, base seed {base_seed}: a healthy run {result.status}: {result.console[-500:]}"
            )
        figures.append(measure(project, data, result))
        if view is None:
            view = view_of(run_artifacts(planted, dict(planted.healthy), data, result), result)
    if view is None:
        raise ForgeError("no run was carried out")
    return figures, view


def healthy_views(
    *, count: int, seed_base: str = "healthy", workers: int = 2, only: tuple[str, ...] = ()
) -> Iterator[tuple[str, RunView]]:
    """`count` healthy runs of every project, as checks see them."""
    for project, _, view in _healthy(count, seed_base, workers, only, runs=1):
        yield project, view


def _healthy(
    count: int, seed_base: str, workers: int, only: tuple[str, ...], runs: int = 2
) -> Iterator[tuple[str, list[Figures], RunView]]:
    chosen = [project for name, project in projects().items() if not only or name in only]
    with TrainerPool(workers) as pool, ThreadPoolExecutor(workers) as threads:
        jobs = [(project, derive(seed_base, project.id, index)) for index in range(count) for project in chosen]
        for start in range(0, len(jobs), 4 * workers):
            part = jobs[start : start + 4 * workers]
            outcomes = threads.map(lambda job: _repeats(job[0], job[1], pool, runs), part)
            for (project, _), (figures, view) in zip(part, outcomes, strict=True):
                yield project.id, figures, view


def _spread(first: Figures, second: Figures) -> float:
    gaps = [abs((first.reported[s] - first.actual) - (second.reported[s] - second.actual)) for s in SPLITS]
    return max(abs(first.actual - second.actual), *gaps)


def calibrate(
    *, count: int, seed_base: str, workers: int, only: tuple[str, ...] = ()
) -> Iterator[HealthyBand | tuple[str, RunView]]:
    """Measure `count` pairs per project: yields each view as it comes, then one band per project."""
    pairs: dict[str, list[list[Figures]]] = {}
    losses: dict[str, list[float]] = {}
    for project, figures, view in _healthy(count, seed_base, workers, only):
        pairs.setdefault(project, []).append(figures)
        losses.setdefault(project, []).append(float(view.arrays["epoch.train_loss"][-1]))
        yield project, view
    for project, measured in pairs.items():
        runs = [figures for pair in measured for figures in pair]
        reported = [figures.reported["test"] for figures in runs]
        seconds = [figures.seconds for figures in runs]
        spreads = [_spread(first, second) for first, second in measured]
        yield HealthyBand(
            project=project,
            runs=len(runs),
            pairs=len(measured),
            # Harm compares two runs, so the spread of a difference is what counts, not that of one run.
            sigma=round(float(np.sqrt(np.mean(np.square(spreads)))), 5),
            skill_mean=round(float(np.mean([f.actual for f in runs])), 4),
            skill_sd=round(float(np.std([f.actual for f in runs])), 4),
            gap_mean=round(float(np.mean([abs(f.reported["test"] - f.actual) for f in runs])), 4),
            reported_low=round(float(np.quantile(reported, 0.05)), 4),
            reported_high=round(float(np.quantile(reported, 0.95)), 4),
            seconds_median=round(float(np.median(seconds)), 3),
            seconds_max=round(float(np.max(seconds)), 3),
            loss_low=round(float(np.quantile(losses[project], 0.02)), 4),
            loss_high=round(float(np.quantile(losses[project], 0.98)), 4),
        )
