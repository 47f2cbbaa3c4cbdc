"""The Inspect AI task: run by its own machinery with a mock model, and by its command line with an endpoint."""

from __future__ import annotations

import gc
import json
import math
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

inspect_ai = pytest.importorskip("inspect_ai", reason="the extra inspect is not installed")

from inspect_ai.log import EvalLog, read_eval_log  # noqa: E402
from inspect_ai.model import ModelOutput, ModelUsage, get_model  # noqa: E402

from mlops_debugger.adapters import inspect_task  # noqa: E402
from mlops_debugger.adapters._play import Play  # noqa: E402
from mlops_debugger.adapters._tools import tool_schemas  # noqa: E402
from mlops_debugger.agents.oracle import gold  # noqa: E402
from mlops_debugger.contract import ACTION_TYPES  # noqa: E402
from mlops_debugger.grading import TrialRequest, TrialResult, Trials  # noqa: E402

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "examples"))
from scripted_endpoint import scripted_endpoint  # noqa: E402

pytestmark = [
    # Inspect AI's own: of its retries, and streams between its tasks that it leaves to the collector.
    pytest.mark.filterwarnings("ignore:The 'initial' parameter is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed .MemoryObject:ResourceWarning"),
]


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What is left to the collector is collected here, not in somebody else's test."""
    yield
    gc.collect()


def evaluate(folder: Path, script: Any, **task: Any) -> EvalLog:
    """Evaluate with a mock model that gives, from messages and tools, a tool's name and arguments, or words."""

    def reply(messages: Any, tools: Any, choice: Any, config: Any) -> ModelOutput:
        said = script(messages, tools)
        output = (
            ModelOutput.from_content("mockllm", said)
            if isinstance(said, str)
            else ModelOutput.for_tool_call("mockllm", *said)
        )
        output.usage = ModelUsage()  # the mock's own count needs a vocabulary from the network
        return output

    model = get_model("mockllm/model", custom_outputs=reply, memoize=False)
    (log,) = inspect_ai.eval(
        inspect_task.mlops_debugger(**task), model=model, limit=2, display="none", log_dir=str(folder), score=True
    )
    assert log.status == "success", log.error
    return log


def metrics(log: EvalLog) -> dict[str, dict[str, float]]:
    assert log.results is not None
    return {score.name: {name: value.value for name, value in score.metrics.items()} for score in log.results.scores}


def turn(messages: Any) -> int:
    return sum(message.role == "assistant" for message in messages)


def test_a_mock_model_plays_a_split(tmp_path: Path) -> None:
    seen: list[Any] = []

    def script(messages: Any, tools: Any) -> Any:
        seen.append(tools)
        return [
            ("read_logs", {"log_filter": "epoch:1-2"}),
            "let me think",
            ("run_sanity_check", {"sanity_check_type": "data_leakage"}),
            ("submit_diagnosis", {"diagnosis": "No fault found."}),
        ][turn(messages)]

    log = evaluate(tmp_path, script, controls=True)
    assert metrics(log)["score"]["mean"] == metrics(log)["score"]["healthy"] == 1.0
    assert all(metrics(log)[row] == {"mean": 1.0} for row in ("category", "file", "field", "fix"))
    assert log.samples is not None
    for sample in log.samples:
        told = [message.text for message in sample.messages]
        assert "filter: epoch:1-2" in told[2] and "a reply without a tool call" in told[4] and "verdict: " in told[6]
        assert sample.store["Outcome:steps"] == 4 and sample.store["Outcome:done"] is True
        assert sample.target == "" and sample.scores is not None
    for own, read in zip(tool_schemas(), seen[0], strict=True):
        assert (own["name"], own["description"]) == (read.name, " ".join(read.description.split()))
        assert own["parameters"].get("required", []) == read.parameters.required
        for name, told_of in own["parameters"]["properties"].items():
            assert [x for x in read.parameters.properties[name].enum or () if x] == told_of.get("enum", [])
    assert tuple(tool.name for tool in seen[0]) == ACTION_TYPES and inspect_task._PLAYS == {}


def test_words_alone_run_out_of_steps_and_score_nothing(tmp_path: Path) -> None:
    log = evaluate(tmp_path, lambda messages, tools: "hm", max_steps=3, controls=False)
    assert metrics(log)["score"]["mean"] == metrics(log)["score"]["faults"] == 0.0
    assert log.samples is not None and {sample.store["Outcome:steps"] for sample in log.samples} == {3}


def right(messages: Any, tools: Any) -> Any:
    """The oracle's answer: the sample is recognised by what it was told first."""
    for index in range(2):
        play = Play()
        if play.reset(split="test", task_id="mixed", index=index, controls=False) == messages[0].text:
            given = gold(play.state()).model_dump(exclude={"action_type", "metadata"}, exclude_none=True)
            return "submit_diagnosis", given
    raise AssertionError("an unknown sample")


def test_what_could_not_be_scored_is_not_averaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def untrained(self: Trials, request: TrialRequest) -> TrialResult:
        return TrialResult("infrastructure", (), "no machine", request.touches)

    monkeypatch.setattr(Trials, "run", untrained)
    log = evaluate(tmp_path, right, controls=False)
    assert log.samples is not None
    for sample in log.samples:
        assert sample.scores is not None
        score = sample.scores["rubric"]
        assert isinstance(score.value, dict) and score.metadata is not None
        assert math.isnan(float(score.value["fix"])) and math.isnan(float(score.value["score"]))
        assert score.value["field"] == 1.0 and score.metadata["unscored"] == ["fix"]
    assert metrics(log)["field"]["mean"] == 1.0


@pytest.mark.slow
def test_right_answers_are_trained_and_score_one(tmp_path: Path) -> None:
    log = evaluate(tmp_path, right, controls=False)
    assert metrics(log)["score"]["mean"] == metrics(log)["score"]["faults"] == 1.0


@pytest.mark.slow
def test_the_command_line_evaluates_a_model_by_name(tmp_path: Path) -> None:
    """`inspect eval` with a model behind an OpenAI-compatible endpoint."""
    with scripted_endpoint() as url:
        done = subprocess.run(
            [
                Path(sysconfig.get_path("scripts")) / "inspect",
                *("eval", "src/mlops_debugger/adapters/inspect_task.py", "--model", "openai-api/local/scripted"),
                *(
                    "--limit",
                    "3",
                    "-T",
                    "split=test",
                    "--display",
                    "none",
                    "--log-dir",
                    tmp_path,
                    "--log-format",
                    "json",
                ),
            ],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "LOCAL_BASE_URL": url, "LOCAL_API_KEY": "none"},
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*.json")
    log = read_eval_log(str(path))
    assert log.status == "success" and len(log.samples or []) == 3
    assert json.loads(path.read_text())["eval"]["task"].endswith("mlops_debugger")
