"""What reset shows must not tell the answer."""

from __future__ import annotations

import json

import pytest

from mlops_debugger.bank import Bank, Scenario, starter_bank_path
from mlops_debugger.evaluation.probe import Target, probe, reset_observation
from mlops_debugger.faults import faults
from mlops_debugger.seeds import generator


@pytest.fixture(scope="module")
def scenarios() -> list[Scenario]:
    return list(Bank(starter_bank_path()).scenarios())


@pytest.mark.slow
@pytest.mark.parametrize("target", ["fault", "category", "control"])
def test_reset_is_at_chance_given_the_project(target: Target, scenarios: list[Scenario]) -> None:
    result = probe(scenarios, "surroundings", target, permutations=24)
    if result.p_value <= 0.05:  # which happens once in twenty: then a closer look
        result = probe(scenarios, "surroundings", target, permutations=99)
    assert result.p_value > 0.05 / 3, result


@pytest.mark.slow
def test_the_probe_sees_a_leak_when_there_is_one(scenarios: list[Scenario]) -> None:
    """Positive control: a size that follows the category is found."""
    leaky = []
    for scenario in scenarios:
        if scenario.is_control:
            continue
        metas = list(scenario.artifact_meta)
        lines = 100 + len(scenario.answers[0].categories[0])
        metas[0] = metas[0].model_copy(update={"size_hint": f"{lines} lines"})
        leaky.append(scenario.model_copy(update={"artifact_meta": tuple(metas)}))
    result = probe(leaky, "surroundings", "category", permutations=9)
    assert result.p_value == 0.1, "above every shuffle"
    assert result.lift > 0.15


def test_reset_shows_the_same_words_for_every_scenario(scenarios: list[Scenario]) -> None:
    shown = [reset_observation(scenario) for scenario in scenarios]
    assert len({item.task_description for item in shown}) == 1
    assert len(shown[0].task_description.encode()) <= 2048
    assert {tuple(meta.name for meta in item.available_artifacts) for item in shown} == {
        tuple(meta.name for meta in shown[0].available_artifacts)
    }
    assert {tuple(item.run_summary) for item in shown} == {tuple(shown[0].run_summary)}
    for scenario, item in zip(scenarios, shown, strict=True):
        text = json.dumps(item.model_dump())
        assert not scenario.fault or scenario.fault not in text
        assert scenario.scenario_id not in text
        assert not scenario.gold_fix or scenario.gold_fix not in text


def test_no_artifact_or_finding_names_a_fault(scenarios: list[Scenario]) -> None:
    sample = generator("sample").choice(len(scenarios), size=60, replace=False)
    for index in sample:
        text = json.dumps([scenarios[index].artifacts, scenarios[index].findings])
        assert not [name for name in faults() if name in text]
