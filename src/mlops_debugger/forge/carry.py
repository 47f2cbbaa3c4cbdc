"""Carrying the scenarios of a bank over into a larger one, after a look at whether they still hold.

A scenario holds where planting it again gives the stored sources, card, gold fix and answer, and where training a few
of its project's scenarios again gives the stored artifacts and findings, byte for byte.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from mlops_debugger.bank import Bank
from mlops_debugger.bank.records import Scenario
from mlops_debugger.edits import CODE, CONFIG
from mlops_debugger.errors import ForgeError
from mlops_debugger.faults import faults
from mlops_debugger.forge.healthy import run_artifacts, view_of
from mlops_debugger.forge.journal import Journal
from mlops_debugger.forge.plant import Planted, plant
from mlops_debugger.forge.prove import Prover
from mlops_debugger.forge.summary import CONTROL, Carried
from mlops_debugger.forge.unit import Try, base_seed_of, look
from mlops_debugger.projects import projects
from mlops_debugger.runs.pool import TrainerPool

SPENT = "runs without a try"
"""What the journal calls training runs that a bank counts and no kept try does."""
LOOKED_AT = 3
"""Scenarios of every project that are trained again."""
_MANY = 20_000
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
            same = [(s, planted) for s in scenarios if (planted := _planted_again(s)) is not None]
            told.dropped[f"{project}: another plant now"] += len(scenarios) - len(same)
            sample = same[:: max(1, len(same) // LOOKED_AT)][:LOOKED_AT]
            if all(_trained_again(s, planted, pool) for s, planted in sample):
                holding |= {s.base_seed: s for s, _ in same}
            else:
                told.dropped[f"{project}: other artifacts or findings now"] += len(same)
    told.kept = len(holding)
    spent = int(bank.manifest["runs"])
    for outcome in tries_behind(bank, journal.head("seed_base")):
        spent -= outcome.runs
        if outcome.reason is not None:
            journal.add(outcome)
        else:
            base_seed = base_seed_of(journal.head("seed_base"), outcome.project, outcome.fault, outcome.index)
            if base_seed in holding:
                journal.add(outcome.model_copy(update={"draft": holding[base_seed]}))
    journal.note(SPENT, str(spent))
    return told


def _planted_again(scenario: Scenario) -> Planted | None:
    """The scenario planted anew, or None where that gives something else than what the bank has."""
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
        and scenario.answers[:1] == ((planted.answer,) if planted.answer else ())
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
