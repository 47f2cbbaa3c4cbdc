"""The bank's claims, by training: a sample of scenarios that is another one every day is proven again."""

from __future__ import annotations

import datetime as dt

import pytest

from mlops_debugger.bank import Bank, Scenario, starter_bank_path
from mlops_debugger.forge.plant import plant
from mlops_debugger.forge.prove import Prover, proof_bar
from mlops_debugger.projects import projects
from mlops_debugger.runs.measure import harm
from mlops_debugger.runs.pool import TrainerPool
from mlops_debugger.seeds import derive

SAMPLE = 12
NEAR = 0.75
"""Another processor may move a run a little: this share of the bar has to be reached again."""


def todays_sample() -> list[Scenario]:
    """Scenarios of as many different faults, drawn by the day."""
    bank = Bank(starter_bank_path())
    day = dt.datetime.now(dt.UTC).date().isoformat()
    drawn = sorted(bank.entries, key=lambda entry: derive("proofs", day, entry.scenario_id))
    first_of = {entry.fault: entry.scenario_id for entry in reversed(drawn) if entry.fault}
    chosen = [bank.get(scenario_id) for scenario_id in sorted(first_of.values(), key=lambda i: derive(day, i))[:SAMPLE]]
    bank.close()
    return chosen


@pytest.mark.slow
def test_a_daily_sample_of_scenarios_proves_again() -> None:
    weak = {}
    with TrainerPool(1) as pool:
        for scenario in todays_sample():
            planted = plant(projects()[scenario.project], scenario.fault, scenario.base_seed)
            assert planted is not None
            prover = Prover(planted, scenario.run_seeds, scenario.run_id, scenario.started_at, pool)
            for index, stored in enumerate(scenario.proofs):
                healthy = prover.train(planted.healthy, index)[1]
                broken = prover.train(planted.broken, index)[1]
                found = harm(broken, healthy)
                if found < NEAR * proof_bar(scenario.sigma):
                    weak[scenario.fault, scenario.project, index] = (found, stored.harm)
    assert not weak
