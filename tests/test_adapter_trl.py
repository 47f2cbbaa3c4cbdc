"""TRL's environment class: what TRL finds in it, what a rollout is told and worth, and one real GRPO step."""

from __future__ import annotations

import ast
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

from mlops_debugger.adapters._tools import tool_schemas
from mlops_debugger.adapters.trl_environment import DebuggerEnvironment, configured, rows
from mlops_debugger.agents.oracle import gold
from mlops_debugger.bank import Bank
from mlops_debugger.contract import ACTION_TYPES, ARTIFACTS
from mlops_debugger.environment import Session
from mlops_debugger.errors import EpisodeError
from mlops_debugger.grading import TrialRequest, TrialResult

ROOT = Path(__file__).parents[1]


def untrained(request: TrialRequest) -> TrialResult:
    """A machine that cannot train."""
    return TrialResult("infrastructure", (), "no machine", request.touches)


def public(kind: type) -> set[str]:
    """What TRL offers a model: the public functions of the class."""
    return {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


def test_trl_finds_the_actions_and_nothing_else() -> None:
    assert public(DebuggerEnvironment) - {"reset", "get_reward"} == set(ACTION_TYPES)
    for name in ACTION_TYPES:
        method = getattr(DebuggerEnvironment, name)
        hints = get_type_hints(method)
        parameters = list(inspect.signature(method).parameters)[1:]
        assert set(parameters) | {"return"} == hints.keys()
        doc = inspect.getdoc(method) or ""
        assert "Returns:" in doc and all(f"    {parameter}: " in doc for parameter in parameters)


def test_no_framework_is_imported_with_the_class() -> None:
    """TRL and the trainer's libraries are the caller's: the class alone is light."""
    look = (
        "import sys, mlops_debugger.adapters.trl_environment; "
        "print([name for name in ('trl', 'torch', 'pandas', 'openenv', 'gymnasium', 'inspect_ai') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    told = subprocess.run([sys.executable, "-c", look], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_transformers_reads_the_same_schemas() -> None:
    utils = pytest.importorskip("transformers.utils", reason="the extra trl is not installed")
    environment = DebuggerEnvironment()
    for own in tool_schemas():
        read = utils.get_json_schema(getattr(environment, own["name"]))["function"]
        assert " ".join(read["description"].split()) == own["description"]
        assert read["parameters"]["properties"].keys() == own["parameters"]["properties"].keys()
        assert read["parameters"].get("required", []) == own["parameters"].get("required", [])
        for name, told in own["parameters"]["properties"].items():
            choices = [choice for choice in read["parameters"]["properties"][name].get("enum", ()) if choice]
            assert choices == told.get("enum", [])


def test_a_row_chooses_the_episode_and_other_columns_are_left_alone(bank_path: Path) -> None:
    session = Session(Bank(bank_path))
    (row,) = rows(range(7, 8), task_id="easy")
    first, second = DebuggerEnvironment(trainer=untrained), DebuggerEnvironment(trainer=untrained)
    told = first.reset(**row, answer="42", index=None)
    assert told == second.reset(**row)
    assert session.reset(seed=7, task_id="easy").run_id in told and all(name in told for name in ARTIFACTS)
    held_out = configured(split="test", controls=True)()
    assert session.reset(split="test", index=3, controls=True).run_id in held_out.reset(index=3)
    with pytest.raises(EpisodeError, match="expected index"):
        held_out.reset(index=10**6)


def test_the_reward_is_the_score_at_the_end() -> None:
    environment = DebuggerEnvironment(trainer=untrained)
    environment.reset(split="test", index=0, controls=True)
    assert "matched: 1" in environment.read_logs("epoch:2") and environment.get_reward() == 0.0
    assert "sanity_check_type: expected one of" in environment.run_sanity_check("x")  # type: ignore[arg-type]
    assert "sent back" in (told := environment.submit_diagnosis("bad", "config_error")) or "incomplete" in told
    assert not environment.play.done
    told = environment.submit_diagnosis("No fault found.")
    assert "score: 1.0" in told and environment.get_reward() == 1.0 and environment.play.observation.step_count == 4
    assert "the episode is over" in json.loads(environment.read_config())["error"]
    environment.reset(split="test", index=0, controls=False)
    assert environment.get_reward() == 0.0 and environment.play.rows == {}


def test_what_could_not_be_scored_has_no_reward() -> None:
    environment = DebuggerEnvironment(trainer=untrained)
    environment.reset(split="test", index=0, controls=False)
    environment.play.act(gold(environment.play.state()))
    assert environment.play.done and environment.play.unscored == ["fix"] and environment.get_reward() is None


def test_the_policy_is_never_told_the_answer_or_whether_there_is_one() -> None:
    environment = DebuggerEnvironment(trainer=untrained)
    for controls in (False, True):
        for index in range(12):
            told = environment.reset(split="test", index=index, controls=controls)
            state = environment.play.state()
            assert "control" not in told and (not state.gold_fix or state.gold_fix not in told)
            assert not state.bug_type or state.bug_type not in told
    description = environment.reset(seed=1).partition("RUN ")[0]
    assert {environment.reset(seed=seed).partition("RUN ")[0] for seed in range(10)} == {description}


@pytest.mark.slow
def test_the_example_takes_a_grpo_step(tmp_path: Path) -> None:
    """In a process of its own, since it sets TRL's variables; tools are called, and rewards differ within the group."""
    pytest.importorskip("trl", reason="the extra trl is not installed")
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "trl_grpo.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    logged = ast.literal_eval(done.stdout.splitlines()[-1])
    assert logged["tools/call_frequency"] > 0 and logged["tools/failure_frequency"] == 0
    assert 0.0 < logged["reward"] < 1.0 and logged["reward_std"] > 0 and logged["grad_norm"] > 0
