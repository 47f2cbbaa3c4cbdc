"""The Gymnasium environment: its checker is content, and it plays what a session plays, alone and vectorised."""

from __future__ import annotations

import functools
import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium", reason="the extra gymnasium is not installed")

from gymnasium.utils.env_checker import check_env  # noqa: E402
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv  # noqa: E402

from mlops_debugger.adapters.gymnasium_env import CHOICES, ENVIRONMENT_ID, DebuggerEnv, decode, encode  # noqa: E402
from mlops_debugger.agents.oracle import gold  # noqa: E402
from mlops_debugger.bank import Bank  # noqa: E402
from mlops_debugger.contract import MLOpsAction  # noqa: E402
from mlops_debugger.environment import Session, read_action  # noqa: E402
from mlops_debugger.grading import TrialRequest, TrialResult  # noqa: E402

NO_FAULT = MLOpsAction(action_type="submit_diagnosis", diagnosis="No fault found.")
LOOK = MLOpsAction(action_type="read_logs", log_filter="epoch:1-2")


def healed(request: TrialRequest) -> TrialResult:
    """A trial that finds the twins' own figures: what the gold fix gives. Trials that train stand in the slow test."""
    return TrialResult("completed", tuple(proof.healthy for proof in request.scenario.proofs), "", request.touches)


def test_the_checker_is_content_without_a_warning() -> None:
    check_env(gymnasium.make(ENVIRONMENT_ID, render_mode="ansi").unwrapped)


def test_an_action_goes_there_and_back() -> None:
    space = DebuggerEnv().action_space
    answer = MLOpsAction(
        action_type="submit_diagnosis",
        failure_category="config_error",
        root_cause_file="config.yaml",
        root_cause_field="optimizer.learning_rate",
        diagnosis="Größer als üblich – 10×",
        proposed_fix="config.yaml: optimizer.learning_rate = 0.001\npreprocessing.py:\n- a\n+ b",
    )
    for action in (
        answer,
        NO_FAULT,
        LOOK,
        MLOpsAction(action_type="run_sanity_check", sanity_check_type="data_leakage"),
    ):
        element = encode(action)
        assert space.contains(element) and read_action(decode(element)) == action
    assert all(decode(space.sample())["action_type"] in CHOICES["action_type"] for _ in range(20))


@pytest.mark.parametrize("controls", [False, True])
def test_it_plays_what_a_session_plays(controls: bool, bank_path: Path) -> None:
    env = gymnasium.make(ENVIRONMENT_ID, controls=controls, trainer=healed)
    session = Session(Bank(bank_path), healed)
    observation, info = env.reset(seed=3, options={"split": "test", "index": 1})
    first = session.reset(seed=0, split="test", index=1, controls=controls)
    assert info["observation"] == first and first.run_id in observation["text"] and observation["step"] == 0
    answer = gold(session.state())
    for action in (LOOK, answer):
        observation, reward, terminated, truncated, info = env.step(encode(action))
        expected = session.step(action)
        assert info["observation"] == expected and not truncated
        assert (reward, terminated) == (expected.reward, expected.done)
    assert reward == 1.0 and info["score"] == 1.0 and info["unscored"] == ""
    assert "error" in env.unwrapped._play.act(LOOK)


def test_equal_seeds_give_equal_episodes_and_bad_input_costs_a_step() -> None:
    env = gymnasium.make(ENVIRONMENT_ID)
    runs = [env.reset(seed=seed)[1]["run_id"] for seed in (1, 1, 2, 3)]
    assert runs[0] == runs[1] and len(set(runs)) > 1
    nothing = encode(MLOpsAction(action_type="run_sanity_check"))
    observation, reward, terminated, _, _ = env.step(nothing)
    assert (observation["step"], reward, terminated) == (1, 0.0, False) and "needs sanity_check_type" in observation[
        "text"
    ]


def test_out_of_steps_terminates_with_nothing() -> None:
    env = gymnasium.make(ENVIRONMENT_ID, max_steps=2)
    env.reset(seed=1)
    assert env.step(encode(LOOK))[1:4] == (0.0, False, False)
    _, reward, terminated, truncated, info = env.step(encode(LOOK))
    assert (reward, terminated, truncated, info["score"]) == (0.0, True, False, 0.0)


def test_without_a_trial_the_fix_row_is_told_as_unscored(bank_path: Path) -> None:
    def broken(request: TrialRequest) -> TrialResult:
        return TrialResult("infrastructure", (), "no machine", request.touches)

    env = gymnasium.make(ENVIRONMENT_ID, controls=False, trainer=broken)
    env.reset(seed=5)
    _, reward, terminated, _, info = env.step(encode(gold(env.unwrapped._play.state())))
    assert terminated and info["unscored"] == "fix" and np.isnan(info["rows"]["fix"]) and reward == pytest.approx(0.55)


# Gymnasium reads texts from shared memory once, when the vector is made: without it they arrive.
@pytest.mark.parametrize("kind", [SyncVectorEnv, functools.partial(AsyncVectorEnv, shared_memory=False)])
def test_vectorised_environments_play_apart(kind: Callable[..., SyncVectorEnv | AsyncVectorEnv]) -> None:
    single = gymnasium.make(ENVIRONMENT_ID, split="test")
    envs = kind([lambda: gymnasium.make(ENVIRONMENT_ID, split="test")] * 3)
    try:
        observations, infos = envs.reset(seed=[4, 5, 6])
        runs = [single.reset(seed=seed)[1]["run_id"] for seed in (4, 5, 6)]
        assert list(infos["run_id"]) == runs and all(
            run in text for run, text in zip(runs, observations["text"], strict=True)
        )
        ends = [LOOK, NO_FAULT, LOOK]
        observations, rewards, terminated, truncated, infos = envs.step(together(envs.action_space, ends))
        assert list(terminated) == [False, True, False] and not truncated.any()
        assert set(rewards) <= {0.0, 1.0} and list(observations["step"]) == [1, 1, 1]
        assert infos["score"][1] == rewards[1]
        again = envs.step(together(envs.action_space, [LOOK] * 3))  # the one that ended is reset by this
        assert not again[2].any() and list(again[0]["step"]) == [2, 0, 2]
    finally:
        envs.close()


def test_the_example_plays() -> None:
    done = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "gymnasium_random.py"))["main"](steps=10)
    assert all(0.0 <= score <= 1.0 for score in done)


@pytest.mark.slow
def test_a_gold_fix_is_trained_and_scores_one() -> None:
    env = gymnasium.make(ENVIRONMENT_ID, controls=False, task_id="easy")
    env.reset(seed=11)
    _, reward, terminated, _, info = env.step(encode(gold(env.unwrapped._play.state())))
    assert terminated and reward == 1.0 and set(info["rows"].values()) == {1.0} and info["unscored"] == ""


def together(space: gymnasium.spaces.Dict, actions: list[MLOpsAction]) -> dict[str, object]:
    """Actions of several environments as an element of the batched space."""
    elements = [encode(action) for action in actions]
    return {
        name: np.array([element[name] for element in elements])
        if isinstance(part, gymnasium.spaces.MultiDiscrete)
        else tuple(element[name] for element in elements)
        for name, part in space.items()
    }
