"""OpenEnv's harness rollouts: what is played, what is written, and that a trainer can learn from it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_debugger.adapters._tools import chat_tools, tool_schemas
from mlops_debugger.adapters.rollouts import (
    EpisodeFactory,
    agent_model,
    collect,
    endpoint_model,
    episodes,
    write_sft,
)
from mlops_debugger.bank import Bank
from mlops_debugger.contract import ACTION_TYPES, MLOpsAction
from mlops_debugger.environment import Session
from mlops_debugger.errors import EvaluationError
from mlops_debugger.grading import TrialRequest, TrialResult, Trials

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from scripted_endpoint import SCRIPT, scripted_endpoint

CONTROLS = {"split": "test", "task_id": "mixed", "controls": True}


def untrained(request: TrialRequest) -> TrialResult:
    """A machine that cannot train."""
    return TrialResult("infrastructure", (), "no machine", request.touches)


@pytest.fixture(scope="module")
def trials() -> Iterator[Trials]:
    with Trials() as opened:
        yield opened


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_action_is_a_tool_with_its_fields() -> None:
    assert tuple(tool["name"] for tool in tool_schemas()) == ACTION_TYPES
    for tool in tool_schemas():
        properties = tool["parameters"]["properties"]
        assert tool["description"] and all(part["description"] for part in properties.values())
        assert properties.keys() <= MLOpsAction.model_fields.keys()


def test_a_scripted_model_plays_through_the_harness(tmp_path: Path, bank_path: Path) -> None:
    """Each script ends with "no fault": right on healthy runs."""
    factory = EpisodeFactory(trainer=untrained)
    tasks = [{**CONTROLS, "index": index} for index in range(2)]
    with scripted_endpoint() as url:
        done = collect(factory, endpoint_model(url, "scripted"), tasks, tmp_path)
        again = collect(factory, endpoint_model(url, "scripted"), tasks, tmp_path)
    assert (done.played, done.failed, done.learnable, done.mean_reward) == (2, 0, 2, 1.0)
    assert (again.played, again.skipped, again.learnable) == (0, 2, 2)
    session = Session(Bank(bank_path))
    for task, record, example in zip(
        tasks, lines(tmp_path / "results.jsonl"), lines(tmp_path / "sft.jsonl"), strict=True
    ):
        first = session.reset(**task)
        assert first.run_id in record["messages"][1]["content"] and record["reward"] == 1.0 and record["done"]
        assert [entry["tool_name"] for entry in record["tool_trace"]] == [name for name, _ in SCRIPT]
        assert record["messages"][-1]["role"] == "tool" and "accepted: true" in record["messages"][-1]["content"]
        assert example["messages"] == record["messages"][:-1] and "accepted" not in json.dumps(example["messages"])
        assert json.loads(example["tools"]) == chat_tools() and example["reward"] == 1.0


def test_bad_calls_cost_a_step_and_end_nothing() -> None:
    session = EpisodeFactory(trainer=untrained).create({"seed": 1})
    for name, arguments, says in (
        ("reset", {}, "there is no tool"),
        ("read_logs", {"colour": "red"}, "no argument 'colour'"),
        ("run_sanity_check", {"sanity_check_type": 7}, "sanity_check_type"),
    ):
        result = session.call_tool(name, arguments)
        assert says in result.data and not result.done and result.metadata["reward"] == 0.0
    assert session.play.observation.step_count == 3


def test_episodes_that_could_not_be_scored_are_kept_apart(tmp_path: Path) -> None:
    factory = EpisodeFactory(trainer=untrained)
    tasks = episodes(1, "test", controls=False)
    done = collect(factory, agent_model(factory, "oracle"), tasks, tmp_path, min_reward=0.0)
    (record,) = lines(tmp_path / "results.jsonl")
    assert record["verify_metrics"]["unscored"] == ["fix"] and record["reward"] == pytest.approx(0.55)
    assert done.learnable == 0 and (tmp_path / "sft.jsonl").read_text() == ""


def test_agents_that_need_what_no_rollout_has_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"expected agent to be one of .*rules"):
        agent_model(EpisodeFactory(trainer=untrained), "nearest_neighbour")


@pytest.mark.slow
def test_the_oracle_is_trained_and_right(tmp_path: Path, trials: Trials) -> None:
    factory = EpisodeFactory(trainer=trials.run)
    tasks = episodes(1, "test", "easy", controls=False)
    done = collect(factory, agent_model(factory, "oracle"), tasks, tmp_path)
    (record,) = lines(tmp_path / "results.jsonl")
    assert done.mean_reward == 1.0 and set(record["verify_metrics"]["rows"].values()) == {1.0}


def test_the_rules_agent_sees_no_answer(tmp_path: Path, bank_path: Path) -> None:
    """Nothing of the answer that is not in the artifacts stands in what is written."""
    factory = EpisodeFactory(trainer=untrained)
    tasks = episodes(6, "test", controls=False)
    collect(factory, agent_model(factory, "rules"), tasks, tmp_path)
    session = Session(Bank(bank_path))
    for task, record in zip(tasks, lines(tmp_path / "results.jsonl"), strict=True):
        session.reset(**task)
        assert session.state().bug_type not in json.dumps(record)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_trainer_learns_from_the_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One step of supervised fine-tuning with TRL, on the tiny model of the example."""
    trl = pytest.importorskip("trl", reason="the extra trl is not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets
    import trl_grpo

    factory = EpisodeFactory(trainer=untrained)
    collect(factory, agent_model(factory, "oracle"), [{**CONTROLS, "index": index} for index in range(4)], tmp_path)
    assert write_sft(tmp_path / "results.jsonl", tmp_path / "sft.jsonl", lambda record: True) == 4
    words = trl_grpo.tokenizer()
    rows = datasets.Dataset.from_json(str(tmp_path / "sft.jsonl"), cache_dir=str(tmp_path / "cache"))
    rendered = words.apply_chat_template(rows[0]["messages"], tools=json.loads(rows[0]["tools"]), tokenize=False)
    assert '{"name": "submit_diagnosis", "arguments": {"diagnosis": "No fault found."}}' in rendered
    arguments = trl.SFTConfig(
        output_dir=str(tmp_path / "out"), max_steps=1, per_device_train_batch_size=2, max_length=8_000, bf16=False,
        use_cpu=True, report_to="none", save_strategy="no", logging_steps=1, disable_tqdm=True, packing=False,
    )  # fmt: skip
    trainer = trl.SFTTrainer(trl_grpo.model(words), args=arguments, train_dataset=rows, processing_class=words)
    trainer.train()
    assert 0.0 < trainer.state.log_history[0]["loss"] < 20.0
