"""One try: plant, prove, look, and either a draft of a scenario or the reason why not. Runs in a forging process."""

from __future__ import annotations

import functools
import json
import time
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlops_debugger.bank.records import Scenario, SeedProof
from mlops_debugger.checks import RunView, checks
from mlops_debugger.contract import ARTIFACTS, ArtifactMeta
from mlops_debugger.environment.log import parse_log
from mlops_debugger.errors import ForgeError
from mlops_debugger.faults import faults
from mlops_debugger.forge.healthy import HealthyBand, band_of, run_artifacts, view_of
from mlops_debugger.forge.plant import Planted, plant
from mlops_debugger.forge.prove import CounterEdit, Proof, Prover, Rejected
from mlops_debugger.projects import projects
from mlops_debugger.runs.pool import RunResult, TrainerPool
from mlops_debugger.seeds import derive, generator

DESCRIPTIONS = {
    "config.yaml": "training configuration: hyperparameters, model architecture, optimizer",
    "train.log": "training log: epochs, losses, learning rate, gradient norm, warnings",
    "dataset_stats.json": "split sizes, class distribution, feature statistics",
    "preprocessing.py": "source of the data pipeline: training side and evaluation side",
    "eval_results.json": "validation and test metrics of the evaluated checkpoint",
    "model_card.json": "what was agreed on before the run: purpose, metric, split policy, ranges",
}

DOES_NOT_FIT = "does not fit"
COUNTERED = 6
"""Every fault on every project meets its counter edits on its first try and on every sixth one after it. Where one
cures, all other tries meet the edits at that site, too: what is accepted of one scenario is accepted of the next."""


class Try(BaseModel):
    """What the journal keeps of one try: a draft, or why there is none, what it cost, and what counter edits did.

    `counters` is empty where none were tried, and in journals that are older than the field. `countered_at` are sites
    whose counter edits were tried for curing other tries of the same fault and project.
    """

    model_config = ConfigDict(frozen=True)

    project: str
    fault: str | None
    index: int
    reason: str | None
    detail: str = ""
    draft: Scenario | None = None
    runs: int = 0
    cpu: float = 0.0
    counters: tuple[CounterEdit, ...] = ()
    countered_at: tuple[str, ...] = ()


def base_seed_of(seed_base: str, project: str, fault: str | None, index: int) -> int:
    """Every scenario has a base seed of its own, so that no two share a healthy twin."""
    return derive(seed_base, "scenario", project, fault or "(control)", index)


def attempt(
    project_id: str,
    fault_id: str | None,
    index: int,
    *,
    seed_base: str,
    secret: str,
    pool: TrainerPool,
    sites: tuple[str, ...] = (),
) -> Try:
    """Try to make one scenario; counter edits at `sites` are tried even where it is not its turn."""
    started = time.process_time()
    base_seed = base_seed_of(seed_base, project_id, fault_id, index)
    project = projects()[project_id]

    def rejected(outcome: Rejected, runs: int = 0) -> Try:
        return Try(
            project=project_id,
            fault=fault_id,
            index=index,
            reason=outcome.reason,
            detail=outcome.detail,
            runs=runs,
            cpu=time.process_time() - started,
            counters=outcome.counters,
            countered_at=sites,
        )

    planted = plant(project, fault_id, base_seed)
    if planted is None:
        return rejected(Rejected(DOES_NOT_FIT))
    run_seeds = tuple(derive(secret, base_seed, "run", k) for k in range(3))
    run_id = f"run-{derive(secret, base_seed, 'run id') % 16**10:010x}"
    prover = Prover(planted, run_seeds, run_id, started_at_of(base_seed), pool)
    band = band_of(project_id)
    if fault_id is None:
        proof = _control(prover)
    else:
        outcome = prover.prove(band.sigma, everywhere=index % COUNTERED == 0, sites=sites)
        if isinstance(outcome, Rejected):
            return rejected(outcome, prover.runs)
        proof = outcome
    draft = draft_of(planted, proof, band, base_seed, run_id, prover.started_at, secret)
    return Try(
        project=project_id,
        fault=fault_id,
        index=index,
        reason=None,
        draft=draft,
        runs=prover.runs,
        cpu=time.process_time() - started,
        counters=proof.counters,
        countered_at=sites,
    )


def _control(prover: Prover) -> Proof:
    """A control is one healthy run; it has no twin and nothing to prove."""
    result, figures = prover.train(prover.planted.healthy, 0)
    if figures.crashed:
        raise ForgeError(
            f"project {prover.planted.project.id}: a healthy control {result.status}: {result.console[-300:]}"
        )
    seeds = (SeedProof(healthy=figures, broken=figures, harm=0.0),)
    return Proof(seeds, result, result, prover.data[0], (), prover.runs, prover.run_seeds)


def started_at_of(base_seed: int) -> str:
    """When the synthetic clock says that the run started: a working day and hour that no run outlasts."""
    rng = generator(base_seed, "clock")
    month, day, hour = rng.integers(1, 7), rng.integers(1, 28), rng.integers(7, 19)
    return f"2026-{month:02d}-{day:02d}T{hour:02d}:{rng.integers(60):02d}:{rng.integers(60):02d}"


@functools.cache
def _check_functions() -> dict[str, Any]:
    return {name: check.run for name, check in checks().items()}


def look(view: RunView) -> dict[str, dict[str, Any]]:
    """All eight findings of a run."""
    return {name: run(view).as_dict() for name, run in _check_functions().items()}


def draft_of(
    planted: Planted, proof: Proof, band: HealthyBand, base_seed: int, run_id: str, started_at: str, secret: str
) -> Scenario:
    """A scenario but for its tier and split, which come from the whole bank; the checks look at both runs here."""
    healthy = run_artifacts(planted, dict(planted.healthy), proof.data, proof.healthy)
    broken = run_artifacts(planted, dict(planted.broken), proof.data, proof.broken) if planted.fault_id else healthy
    healthy_findings = look(view_of(healthy, proof.healthy))
    findings = look(view_of(broken, proof.broken)) if planted.fault_id else healthy_findings
    fault = faults()[planted.fault_id] if planted.fault_id else None
    return Scenario(
        scenario_id=f"s-{derive(secret, base_seed, 'scenario id', planted.fault_id or '') % 16**12:012x}",
        run_id=run_id,
        project=planted.project.id,
        fault=planted.fault_id,
        site=fault.site if fault else None,
        base_seed=base_seed,
        split="train",
        tier="medium",
        difficulty=0.0,
        difficulty_parts={},
        silent=bool(fault) and is_silent(proof, healthy, broken, band),
        run_summary=summary(planted, proof.broken if fault else proof.healthy),
        artifact_meta=artifact_meta(broken, started_at, base_seed),
        artifacts=broken,
        findings=findings,
        twin_artifacts=healthy if fault else {},
        twin_findings=healthy_findings if fault else {},
        answers=(planted.answer, *proof.others) if planted.answer else (),
        gold_fix=planted.gold_fix,
        sentence=fault.sentence if fault else "",
        gold_touches=planted.gold_touches,
        data=dict(planted.variation.data),
        spellings=dict(planted.variation.spellings),
        run_seeds=proof.run_seeds,
        started_at=started_at,
        sigma=band.sigma,
        proofs=proof.seeds if fault else (),
    )


def is_silent(proof: Proof, healthy: dict[str, str], broken: dict[str, str], band: HealthyBand) -> bool:
    """No crash, no warning beyond the usual, and a reported test skill such as healthy runs have."""
    figures = proof.seeds[0].broken
    if figures.crashed or parse_log(broken["train.log"]).warnings > parse_log(healthy["train.log"]).warnings:
        return False
    return band.reported_low <= figures.reported["test"] <= band.reported_high


def summary(planted: Planted, result: RunResult) -> dict[str, Any]:
    """What reset shows of the run: the same keys for every scenario."""
    losses = result.record.arrays.get("epoch.train_loss")
    last = float(losses[-1]) if losses is not None and len(losses) else None
    status = result.record.meta.get("ended", "completed") if not result.crashed else result.status
    return {
        "model": planted.project.model,
        "dataset": planted.project.dataset,
        "final_loss": None if last is None else float(f"{last:.4g}"),
        "training_status": str(status),
    }


def artifact_meta(artifacts: dict[str, str], started_at: str, base_seed: int) -> tuple[ArtifactMeta, ...]:
    """Names, sizes and days. Days, not minutes: when a run ended would tell how much it trained."""
    rng = generator(base_seed, "modified")
    day, month = int(started_at[8:10]), started_at[:8]
    before = {
        name: f"{month}{max(1, day - int(rng.integers(0, 4))):02d}"
        for name in ("config.yaml", "preprocessing.py", "model_card.json")
    }
    metas = []
    for name in ARTIFACTS:
        text = artifacts[name]
        if not text:
            size = "not written"
        elif name.endswith(".json"):
            size = f"{len(json.loads(text))} fields"
        else:
            size = f"{len(text.splitlines())} lines"
        metas.append(
            ArtifactMeta(
                name=name,
                description=DESCRIPTIONS[name],
                size_hint=size,
                last_modified=before.get(name, started_at[:10]),
            )
        )
    return tuple(metas)
