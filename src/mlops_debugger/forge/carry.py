"""Carrying the scenarios of a bank over into a larger one, after a look at whether they still hold.

A scenario holds where planting it again gives the stored sources, card, gold fix and answers, and where training a few
of its project's scenarios again gives the stored artifacts and findings, byte for byte. Where runs have come to save
more, or checks to see more, every scenario can be looked at again instead: both twins are trained on its own seed, and
where they measure what its proof says, it keeps that proof and its id with what they write and show now, and with the
names that its sites go by now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from mlops_debugger.bank import Bank
from mlops_debugger.bank.records import Answer, Scenario
from mlops_debugger.edits import CODE, CONFIG
from mlops_debugger.errors import ForgeError
from mlops_debugger.faults import faults
from mlops_debugger.forge.healthy import band_of, run_artifacts, view_of
from mlops_debugger.forge.journal import Journal
from mlops_debugger.forge.plant import Planted, config_answer, plant
from mlops_debugger.forge.prove import Proof, Prover
from mlops_debugger.forge.summary import CONTROL, Carried
from mlops_debugger.forge.unit import Try, base_seed_of, draft_of, look
from mlops_debugger.forge.workers import crew, dismiss, trainer
from mlops_debugger.projects import projects
from mlops_debugger.runs.pool import TrainerPool

SPENT = "runs without a try"
"""What the journal calls training runs that a bank counts and no kept try does."""
LOOKED_AT = 3
"""Scenarios of every project that are trained again."""
_MANY = 20_000
_AHEAD = 4
"""Scenarios that wait for each process, so that none is idle."""
Key = tuple[str, str | None]


def carry_over(bank: Bank, journal: Journal) -> Carried:
    """Put what still holds of a bank into a journal that has nothing yet."""
    told = Carried()
    by_project: dict[str, list[Scenario]] = defaultdict(list)
    for scenario in bank.scenarios():
        by_project[scenario.project].append(scenario)
    holding: dict[int, Scenario] = {}
    with TrainerPool(1) as pool:
        for project, scenarios in by_project.items():
            again = [(s, planted) for s in scenarios if (planted := planted_again(s)) is not None]
            same = [(s, planted) for s, planted in again if answers_now(s, planted) == s.answers]
            told.dropped[f"{project}: another plant now"] += len(scenarios) - len(same)
            sample = same[:: max(1, len(same) // LOOKED_AT)][:LOOKED_AT]
            if all(_trained_again(s, planted, pool) for s, planted in sample):
                holding |= {s.base_seed: s for s, _ in same}
            else:
                told.dropped[f"{project}: other artifacts or findings now"] += len(same)
    told.kept = len(holding)
    for outcome in tries_behind(bank, journal.head("seed_base")):
        if outcome.reason is not None:
            journal.add(outcome)
        else:
            base_seed = base_seed_of(journal.head("seed_base"), outcome.project, outcome.fault, outcome.index)
            if base_seed in holding:
                journal.add(outcome.model_copy(update={"draft": holding[base_seed]}))
    _note_spent(bank, journal)
    return told


def look_again(bank: Bank, journal: Journal, workers: int, looking: Callable[[int, int], None]) -> Carried:
    """Put every scenario of a bank that still measures the same into a journal, which may have some of them already."""
    told = Carried()
    scenarios = {scenario.base_seed: scenario for scenario in bank.scenarios()}
    done = {(outcome.project, outcome.fault, outcome.index) for outcome in journal.tries()}
    waiting: dict[Future[Scenario | None], Try] = {}
    seen = 0
    executor = crew(workers)

    def settle(least: int) -> None:
        nonlocal seen
        while len(waiting) > least:
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                outcome, draft = waiting.pop(future), future.result()
                if draft is None:
                    told.dropped[f"{outcome.project}: another plant or other figures now"] += 1
                else:
                    told.kept += 1
                    journal.add(outcome.model_copy(update={"draft": draft}))
                seen += 1
                looking(seen, len(scenarios))

    try:
        for outcome in tries_behind(bank, journal.head("seed_base")):
            base_seed = base_seed_of(journal.head("seed_base"), outcome.project, outcome.fault, outcome.index)
            if (outcome.project, outcome.fault, outcome.index) in done:
                told.kept += outcome.reason is None
                seen += outcome.reason is None
            elif outcome.reason is not None:
                journal.add(outcome)
            elif base_seed in scenarios:
                settle(_AHEAD * workers)
                waiting[executor.submit(_looked_at, scenarios[base_seed], journal.head("secret"))] = outcome
        settle(0)
    finally:
        dismiss(executor, busy=bool(waiting))
    _note_spent(bank, journal)
    return told


def _note_spent(bank: Bank, journal: Journal) -> None:
    journal.note(SPENT, str(int(bank.manifest["runs"]) - sum(outcome.runs for outcome in journal.tries())))


def _looked_at(scenario: Scenario, secret: str) -> Scenario | None:
    """The scenario as its runs are now; None where it is planted, or measures, otherwise than its proof says."""
    planted = planted_again(scenario)
    if planted is None:
        return None
    prover = Prover(planted, scenario.run_seeds, scenario.run_id, scenario.started_at, trainer())
    broken, figures = prover.train(planted.broken, 0)
    healthy, healthy_figures = prover.train(planted.healthy, 0) if scenario.fault else (broken, figures)
    if scenario.proofs:
        proof = scenario.proofs[0]
        same = figures.measure_like(proof.broken) and healthy_figures.measure_like(proof.healthy)
    else:
        now = run_artifacts(planted, dict(planted.broken), prover.data[0], broken)
        same = now["eval_results.json"] == scenario.artifacts["eval_results.json"]
    if not same:
        return None
    others = answers_now(scenario, planted)[1:]
    proven = Proof(scenario.proofs, healthy, broken, prover.data[0], others, prover.runs, scenario.run_seeds)
    band = band_of(scenario.project)
    return draft_of(planted, proven, band, scenario.base_seed, scenario.run_id, scenario.started_at, secret)


def answers_now(scenario: Scenario, planted: Planted) -> tuple[Answer, ...]:
    """The scenario's answers with the names that their sites go by now; sites in code that cured stay as they are."""
    if planted.answer is None:
        return ()
    keys = {path: key for key, path in planted.project.dialect.items()}
    others = [
        config_answer(planted.project, planted.broken[CONFIG], keys[answer.field], answer.categories)
        if answer.file == CONFIG and answer.field in keys
        else answer
        for answer in scenario.answers[1:]
    ]
    return (planted.answer, *others)


def planted_again(scenario: Scenario) -> Planted | None:
    """The scenario planted anew, or None where that gives other texts than the bank has."""
    if scenario.project not in projects() or (scenario.fault is not None and scenario.fault not in faults()):
        return None
    try:
        planted = plant(projects()[scenario.project], scenario.fault, scenario.base_seed)
    except ForgeError:
        return None  # the fault has left this project
    if planted is None:
        return None
    same = (
        all(scenario.artifacts[name] == planted.broken[name] for name in (CONFIG, CODE))
        and scenario.artifacts["model_card.json"] == planted.card
        and scenario.gold_fix == planted.gold_fix
        and scenario.site == (faults()[scenario.fault].site if scenario.fault else None)
    )
    return planted if same else None


def _trained_again(scenario: Scenario, planted: Planted, pool: TrainerPool) -> bool:
    """Whether the scenario's own run still writes what the bank has, and the checks say the same of it."""
    prover = Prover(planted, scenario.run_seeds, scenario.run_id, scenario.started_at, pool)
    result, _ = prover.train(planted.broken, 0)
    artifacts = run_artifacts(planted, dict(planted.broken), prover.data[0], result)
    return artifacts == scenario.artifacts and look(view_of(artifacts, result)) == scenario.findings


def tries_behind(bank: Bank, seed_base: str) -> Iterator[Try]:
    """The tries behind a bank, without drafts. Banks that kept none know of rejected ones how many there were."""
    kept = [Try.model_validate_json(text) for text in bank.tries()]
    if kept:
        yield from kept
        return
    for (project, fault), indices in _numbers(bank, seed_base).items():
        for index in indices:
            yield Try(project=project, fault=fault, index=index, reason=None)
    rows: list[Mapping[str, Any]] = bank.manifest["tries"]
    for row in rows:
        reasons = [reason for reason, count in row["rejected"].items() for _ in range(count)]
        fault = None if row["fault"] == CONTROL else row["fault"]
        for number, reason in enumerate(reasons, start=1):
            yield Try(project=row["project"], fault=fault, index=-number, reason=reason)


def _numbers(bank: Bank, seed_base: str) -> dict[Key, list[int]]:
    """The try that every scenario was, found by its base seed."""
    wanted: dict[Key, set[int]] = defaultdict(set)
    for scenario in bank.scenarios():
        wanted[scenario.project, scenario.fault].add(scenario.base_seed)
    found: dict[Key, list[int]] = {}
    for (project, fault), seeds in wanted.items():
        indices = []
        for index in range(_MANY):
            if base_seed_of(seed_base, project, fault, index) in seeds:
                indices.append(index)
                if len(indices) == len(seeds):
                    break
        found[project, fault] = indices
    return found
