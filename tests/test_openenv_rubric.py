"""The rubric: named rows with their last scores, honest where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openenv.core.rubrics import Rubric
from scenarios import GOLD_FIX, figures, scenario

from mlops_debugger.bank import Bank, BankWriter
from mlops_debugger.environment.driver import Settings
from mlops_debugger.errors import EpisodeError
from mlops_debugger.grading import TrialRequest, TrialResult
from mlops_debugger.grading.rubric import WEIGHTS
from mlops_debugger.openenv.environment import MLOpsEnvironment
from mlops_debugger.openenv.models import MLOpsObservation, WireAction
from mlops_debugger.openenv.rubric import DiagnosisRubric

RIGHT = {
    "action_type": "submit_diagnosis",
    "failure_category": "config_error",
    "root_cause_file": "config.yaml",
    "root_cause_field": "optimizer.learning_rate",
    "proposed_fix": GOLD_FIX,
}


async def cured(request: TrialRequest) -> TrialResult:
    return TrialResult(status="completed", figures=(figures(0.8),) * 3, touches=1, detail="")


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    BankWriter(tmp_path / "bank.sqlite").write([scenario("s0"), scenario("s1", control=True)], {})
    opened = Bank(tmp_path / "bank.sqlite")
    yield opened
    opened.close()


def rows(environment: MLOpsEnvironment) -> dict[str, tuple[str, float | None]]:
    assert isinstance(environment.rubric, DiagnosisRubric)
    return {name: (row.status, row.last_score) for name, row in environment.rubric.rows.items()}


def begin(environment: MLOpsEnvironment, *, control: bool = False) -> None:
    for seed in range(100):
        asyncio.run(environment.reset_async(seed=seed))
        if (environment._session.state().bug_type == "") == control:
            return


def act(environment: MLOpsEnvironment, **action: Any) -> MLOpsObservation:
    return asyncio.run(environment.step_async(WireAction.model_validate(action)))


def test_rows_are_named_children_of_an_openenv_rubric(bank: Bank) -> None:
    rubric = MLOpsEnvironment(bank).rubric
    assert isinstance(rubric, Rubric) and isinstance(rubric, DiagnosisRubric)
    assert [name for name, _ in rubric.named_rubrics()] == ["category", "file", "field", "fix"]
    assert {name: row.weight for name, row in rubric.rows.items()} == WEIGHTS == rubric.weights
    assert rubric.get_rubric("fix") is rubric.rows["fix"]
    assert rubric.state_dict() == {"weights": WEIGHTS}
    rubric.load_state_dict(rubric.state_dict())
    with pytest.raises(EpisodeError, match="fixed"):
        rubric.load_state_dict({"weights": {**WEIGHTS, "fix": 1.0}})


def test_rows_have_scores_after_a_diagnosis_and_not_before(bank: Bank) -> None:
    environment = MLOpsEnvironment(bank, cured)
    begin(environment)
    seen: list[tuple[str, float]] = []
    assert environment.rubric is not None
    for name, row in environment.rubric.named_rubrics():
        row.register_forward_hook(lambda _, action, observation, score, name=name: seen.append((name, score)))
    pending = dict.fromkeys(WEIGHTS, ("pending", None))
    for action in ({"action_type": "read_config"}, {"action_type": "dance"}, {**RIGHT, "root_cause_file": None}):
        act(environment, **action)
        assert rows(environment) == pending and environment.rubric.last_score is None
    observation = act(environment, **RIGHT)
    assert observation.reward == 1.0 == environment.rubric.last_score
    assert rows(environment) == dict.fromkeys(WEIGHTS, ("scored", 1.0))
    assert seen == [(name, 1.0) for name in WEIGHTS]
    act(environment, action_type="read_config")  # refused: the episode is over
    assert rows(environment) == dict.fromkeys(WEIGHTS, ("scored", 1.0))
    begin(environment)
    assert rows(environment) == pending and environment.rubric.last_score is None


def test_a_wrong_diagnosis_scores_zero_and_a_control_all_rows(bank: Bank) -> None:
    environment = MLOpsEnvironment(bank, cured)
    begin(environment)
    act(environment, action_type="submit_diagnosis", diagnosis="nothing is wrong")
    assert rows(environment) == dict.fromkeys(WEIGHTS, ("scored", 0.0))
    begin(environment, control=True)
    act(environment, action_type="submit_diagnosis", diagnosis="nothing is wrong")
    assert rows(environment) == dict.fromkeys(WEIGHTS, ("scored", 1.0))


def test_an_unscored_row_is_no_zero(bank: Bank) -> None:
    environment = MLOpsEnvironment(bank)
    begin(environment)
    observation = act(environment, **RIGHT)
    assert rows(environment) == {**dict.fromkeys(WEIGHTS, ("scored", 1.0)), "fix": ("unscored", None)}
    assert environment.rubric is not None and environment.rubric.last_score == observation.reward == 0.55
    with pytest.raises(EpisodeError, match=r"fix.*unscored"):
        environment.rubric.get_rubric("fix")(None, observation)


def test_withheld_rows_stay_withheld(bank: Bank) -> None:
    environment = MLOpsEnvironment(bank, cured, Settings(show_rows=False))
    begin(environment)
    act(environment, **RIGHT)
    assert rows(environment) == dict.fromkeys(WEIGHTS, ("withheld", None))
    assert environment.rubric is not None and environment.rubric.last_score == 1.0


def test_no_diagnosis_is_told_apart_from_a_wrong_one(bank: Bank) -> None:
    environment = MLOpsEnvironment(bank, settings=Settings(max_steps=1))
    begin(environment)
    act(environment, action_type="read_config")
    assert rows(environment) == dict.fromkeys(WEIGHTS, ("undiagnosed", None))
    assert environment.rubric is not None and environment.rubric.last_score == 0.0


def test_a_reset_while_a_trial_runs_leaves_the_new_episode_alone(bank: Bank) -> None:
    released = asyncio.Event()

    async def slow(request: TrialRequest) -> TrialResult:
        await released.wait()
        return await cured(request)

    environment = MLOpsEnvironment(bank, slow)
    begin(environment)
    seed = environment._session.state().seed

    async def play() -> MLOpsObservation:
        waiting = asyncio.create_task(environment.step_async(WireAction.model_validate(RIGHT)))
        await asyncio.sleep(0)
        await environment.reset_async(seed=seed)
        released.set()
        return await waiting

    assert asyncio.run(play()).reward == 1.0
    assert rows(environment) == dict.fromkeys(WEIGHTS, ("pending", None))
    assert environment.state.step_count == 0


def test_the_rubric_reads_what_a_client_gets(bank: Bank) -> None:
    """It is a pure reading of the observation, so a trainer may use it at the other end of the wire as well."""
    environment = MLOpsEnvironment(bank, cured)
    begin(environment)
    observation = act(environment, **RIGHT)
    rubric = DiagnosisRubric()
    assert rubric(None, MLOpsObservation.model_validate(observation.model_dump())) == 1.0
    assert {name: row.last_score for name, row in rubric.rows.items()} == dict.fromkeys(WEIGHTS, 1.0)
