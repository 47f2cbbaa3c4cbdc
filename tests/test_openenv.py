"""The OpenEnv adapter, over a real server on 127.0.0.1 and real WebSockets."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from openenv.core.generic_client import GenericEnvClient
from pydantic import ValidationError
from websockets.sync.client import connect

from mlops_debugger import contract
from mlops_debugger.bank import Bank
from mlops_debugger.environment import Selector
from mlops_debugger.errors import BankError, EpisodeError, RunError
from mlops_debugger.grading import TrialRequest, TrialResult
from mlops_debugger.openenv.app import create_server_app, local_server, server_config
from mlops_debugger.openenv.client import MLOpsClient
from mlops_debugger.openenv.environment import MLOpsEnvironment
from mlops_debugger.openenv.models import SEALED, MLOpsAction, MLOpsObservation, MLOpsState, WireAction
from mlops_debugger.openenv.service import Service
from mlops_debugger.openenv.trials import AsyncTrials
from mlops_debugger.runs.sandbox.probe import probe

ROOT = Path(__file__).parents[1]
KEY = "a-key-for-the-harness-alone"
ANSWER_FIELDS = ("bug_type", "bug_category", "bug_file", "bug_field", "gold_fix")
READ = MLOpsAction(action_type="read_config")
NO_FAULT = MLOpsAction(action_type="submit_diagnosis", diagnosis="nothing is wrong")


@pytest.fixture(scope="module")
def url(bank_path: Path) -> Iterator[str]:
    with local_server(create_server_app(bank_path, harness_key=KEY)) as address:
        yield address


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    with MLOpsClient(url).sync() as session:
        yield session


@pytest.fixture(scope="module")
def bank(bank_path: Path) -> Iterator[Bank]:
    opened = Bank(bank_path)
    yield opened
    opened.close()


# --- the wire models


def test_wire_models_are_the_contract_and_openenvs() -> None:
    from openenv.core.env_server.types import Action, Observation, State

    for wire, plain, base in (
        (MLOpsAction, contract.MLOpsAction, Action),
        (MLOpsObservation, contract.MLOpsObservation, Observation),
        (MLOpsState, contract.MLOpsState, State),
    ):
        assert issubclass(wire, plain) and issubclass(wire, base)
        assert set(wire.model_fields) == set(plain.model_fields)
        for name, field in plain.model_fields.items():
            assert wire.model_fields[name].annotation == field.annotation, name
            assert wire.model_fields[name].is_required() == field.is_required(), name
    with pytest.raises(ValidationError):
        MLOpsAction.model_validate({"action_type": "dance"})


def test_published_action_schema_is_the_contracts() -> None:
    published, plain = WireAction.model_json_schema(), contract.MLOpsAction.model_json_schema()
    assert published["title"] == "MLOpsAction"
    assert published["properties"]["action_type"]["enum"] == list(contract.ACTION_TYPES)
    assert {name: sorted(map(str, value)) for name, value in published["properties"].items()} == {
        name: sorted(map(str, value)) for name, value in plain["properties"].items()
    }


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"action_type": "dance"}, "submit_diagnosis"),
        ({}, "action_type"),
        ({"action_type": ["read_config"]}, "action_type"),
        ({"action_type": "read_config", "colour": "red"}, "colour"),
        ({"action_type": "read_logs", "log_filter": 5}, "log_filter"),
        ({"action_type": "run_sanity_check", "sanity_check_type": "vibes"}, "sanity_check_type"),
        ({"action_type": "read_config", "metadata": 3}, "metadata"),
        ({"action_type": "list_tools", "type": "list_tools"}, "action_type"),
        ({"action_type": "x" * 100_000}, "action_type"),
    ],
)
def test_bad_actions_are_answered_and_cost_a_step(client: Any, bad: dict[str, Any], said: str) -> None:
    client.reset(seed=1)
    for step in (1, 2):
        result = client._run(client.async_client._send_and_receive({"type": "step", "data": bad}))
        observation = result["data"]["observation"]
        assert said in observation["last_action_result"]["error"]
        assert len(observation["last_action_result"]["error"]) < 2000
        assert (observation["step_count"], result["data"]["reward"], result["data"]["done"]) == (step, 0.0, False)
    assert client.step(READ).observation.artifacts_read == ["config.yaml"]


def test_a_bad_diagnosis_is_sent_back_over_the_wire(client: Any) -> None:
    client.reset(seed=1)
    result = client.step(MLOpsAction(action_type="submit_diagnosis", failure_category="config_error"))
    assert not result.done
    assert "root_cause_file" in result.observation.last_action_result["error"]


# --- episodes


def test_typed_client_plays_an_episode(client: Any, bank: Bank) -> None:
    result = client.reset(seed=11, task_id="mixed", episode_id="mine")
    assert isinstance(result.observation, MLOpsObservation)
    assert [meta.name for meta in result.observation.available_artifacts] == list(contract.ARTIFACTS)
    assert (result.done, result.reward) == (False, 0.0)
    result = client.step(READ)
    assert result.observation.artifacts_read == ["config.yaml"]
    assert client.state().episode_id == "mine"
    control = bank.select(split="train", controls=True)
    result = client.step(NO_FAULT)
    assert result.done
    scenario = Selector(bank).select(seed=11)
    assert result.reward == float(scenario in {entry.scenario_id for entry in control})
    assert client.state().current_score == result.reward


def test_generic_client_plays_an_episode(url: str) -> None:
    with GenericEnvClient(url).sync() as session:
        result = session.reset(seed=11)
        while not result.done:
            result = session.step({"action_type": "read_logs", "log_filter": "error"})
        assert result.observation["step_count"] == result.observation["max_steps"] == 30
        assert result.reward == 0.0
        assert session.reset(seed=11).observation["step_count"] == 0


def test_same_seed_same_scenario_in_another_session(url: str) -> None:
    seen = []
    for _ in range(2):
        with MLOpsClient(url).sync() as session:
            seen.append(session.reset(seed=5, task_id="mixed").observation.run_id)
    assert seen[0] == seen[1]


def test_finished_episode_refuses_to_step(client: Any) -> None:
    client.reset(seed=3)
    score = client.step(NO_FAULT).reward
    again = client.step(READ)
    assert again.done and again.reward == 0.0
    assert "reset" in again.observation.last_action_result["error"]
    assert again.observation.step_count == 1
    assert client.state().current_score == score
    assert not client.reset(seed=4).done


def test_step_before_reset_is_told(client: Any) -> None:
    result = client.step(READ)
    assert result.done
    assert "reset" in result.observation.last_action_result["error"]


def test_closed_environment_refuses(bank: Bank) -> None:
    async def play() -> None:
        environment = MLOpsEnvironment(bank)
        await environment.reset_async(seed=1)
        environment.close()
        refused = await environment.step_async(READ)
        assert refused.done and "closed" in refused.last_action_result["error"]
        assert environment.state.task_id == ""
        with pytest.raises(EpisodeError, match="closed"):
            await environment.reset_async(seed=1)

    asyncio.run(play())


def test_synchronous_callers_may_play_too(bank: Bank) -> None:
    environment = MLOpsEnvironment(bank)
    assert environment.reset(seed=2).step_count == 0
    assert environment.step(READ).step_count == 1


def test_what_a_caller_in_this_process_does_to_an_observation_stays_there(bank: Bank) -> None:
    """A server shares the containers with its episode, since it sends and drops them; what it sends is the same."""
    check = MLOpsAction(action_type="run_sanity_check", sanity_check_type="feature_statistics")
    environment = MLOpsEnvironment(bank)
    served = MLOpsEnvironment(bank, service=Service(), drawn=False)

    def spoil(observation: MLOpsObservation) -> None:
        for container in (*observation.last_action_result.values(), *vars(observation).values()):
            if isinstance(container, dict | list):
                container.clear()

    for action in (None, check, READ, check):
        mine = environment.reset(seed=3) if action is None else environment.step(action)
        sent = served.reset(seed=3) if action is None else served.step(action)
        assert mine.model_dump_json() == sent.model_dump_json()
        for dropped in (None, {"reward", "done"}, {"available_artifacts"}, {"no_such_field"}):
            assert json.dumps(mine.model_dump(exclude=dropped)) == json.dumps(sent.model_dump(exclude=dropped))
        spoil(mine)
    assert sent.last_action_result["verdict"] and sent.artifacts_read == ["config.yaml"]
    assert environment.reset(seed=3).model_dump() == served.reset(seed=3).model_dump()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": "seven"}, "seed"),
        ({"seed": -1}, "seed"),
        ({"task_id": "impossible"}, "task_id"),
        ({"task_id": 4}, "task_id"),
        ({"split": "holdout"}, "split"),
        ({"split": 3}, "split"),
        ({"split": "train/impossible"}, "task_id"),
        ({"split": "train/easy", "task_id": "hard"}, "leave one out"),
        ({"split": "train", "index": 10**6}, "index"),
        ({"split": "train", "index": "0"}, "index"),
        ({"episode_id": "x" * 300}, "episode_id"),
        ({"controls": True}, "harness key"),
    ],
)
def test_bad_resets_are_told_and_the_episode_goes_on(url: str, options: dict[str, Any], said: str) -> None:
    with MLOpsClient(url).sync() as session:
        session.reset(seed=1)
        session.step(READ)
        with pytest.raises(RuntimeError, match=said):
            session.reset(**options)
        assert session.step(READ).observation.step_count == 2


def test_reset_ignores_what_it_does_not_know(client: Any) -> None:
    assert client.reset(seed=1, prompt="a row of somebody's data", kwargs={}).observation.step_count == 0


def test_sessions_are_independent_and_bounded(bank_path: Path) -> None:
    with local_server(create_server_app(bank_path, max_sessions=2)) as address:
        with MLOpsClient(address).sync() as one, MLOpsClient(address).sync() as two:
            one.reset(seed=1)
            two.reset(seed=2)
            one.step(READ)
            assert two.step(READ).observation.step_count == 1
            with pytest.raises(RuntimeError, match="CAPACITY_REACHED"), MLOpsClient(address).sync() as three:
                three.reset(seed=3)
        with MLOpsClient(address).sync() as after:
            assert after.reset(seed=3).observation.step_count == 0


def test_many_sessions_at_once(url: str) -> None:
    def play(seed: int) -> int:
        with MLOpsClient(url).sync() as session:
            session.reset(seed=seed)
            for action in ("read_logs", "read_config", "check_dataset_stats"):
                session.step(MLOpsAction(action_type=action))
            return int(session.state().step_count)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(play, range(16))) == [3] * 16


# --- what the network may see


def words_of_the_answer(bank: Bank, scenario_id: str) -> set[str]:
    scenario = bank.get(scenario_id)
    words = {scenario.fault or "", scenario.site or "", scenario.gold_fix, scenario.sentence, scenario.scenario_id}
    return {word for word in words if word}


def faulty(bank: Bank, file: str = "config.yaml") -> tuple[int, str]:
    """A seed that draws a scenario whose fault is in `file`, and the scenario."""
    selector = Selector(bank)
    drawn = ((seed, selector.select(seed=seed)) for seed in range(500))
    return next((seed, name) for seed, name in drawn if any(a.file == file for a in bank.get(name).answers[:1]))


@pytest.mark.parametrize("key", [None, "", "wrong", KEY + "x", KEY[:-1]])
def test_state_is_sealed_without_the_key(url: str, bank: Bank, key: str | None) -> None:
    seed, name = faulty(bank)
    with MLOpsClient(url, harness_key=key).sync() as session:
        session.reset(seed=seed)
        state = session.state()
        assert {getattr(state, field) for field in ANSWER_FIELDS} == {SEALED}
        assert set(state.artifacts) == set(contract.ARTIFACTS) and set(state.artifacts.values()) == {SEALED}
        assert state.current_score == 0.0
        text = state.model_dump_json()
        assert not [word for word in words_of_the_answer(bank, name) if word in text]
        session.step(NO_FAULT)
        assert {getattr(session.state(), field) for field in ANSWER_FIELDS} == {SEALED}


def test_state_is_full_with_the_key(url: str, bank: Bank) -> None:
    seed, name = faulty(bank)
    with MLOpsClient(url, harness_key=KEY).sync() as session:
        session.reset(seed=seed)
        scenario, state = bank.get(name), session.state()
        assert (state.bug_type, state.gold_fix) == (scenario.fault, scenario.gold_fix)
        assert state.artifacts == scenario.artifacts
        session.reset(seed=1, controls=True)
        assert session.state().bug_type == ""


def test_key_of_one_connection_opens_no_other(url: str, bank: Bank) -> None:
    seed, _ = faulty(bank)
    with MLOpsClient(url, harness_key=KEY).sync() as trusted, MLOpsClient(url).sync() as stranger:
        for session in (trusted, stranger):
            session.reset(seed=seed)
        assert trusted.state().bug_type != SEALED
        assert stranger.state().bug_type == SEALED


def test_without_a_key_nobody_is_trusted(bank_path: Path, bank: Bank) -> None:
    seed, _ = faulty(bank)
    with local_server(create_server_app(bank_path)) as address:
        for key in ("", "anything", "None"):
            with MLOpsClient(address, harness_key=key).sync() as session:
                session.reset(seed=seed)
                assert session.state().bug_type == SEALED


def test_no_page_tells_anything(url: str, bank: Bank) -> None:
    """What anybody can fetch is the same for every bank: no scenario, project or fault is in it."""
    seed, _ = faulty(bank)
    pages = [httpx.get(f"{url}/{page}") for page in ("schema", "metadata", "state", "health", "openapi.json")]
    pages.append(httpx.post(f"{url}/reset", json={"seed": seed}))
    tasks = f"{url}/mlops_pipeline_debugger"
    pages += [httpx.get(f"{tasks}/splits"), httpx.post(f"{tasks}/tasks", json={"split": "train"})]
    for page in pages:
        assert page.status_code == 200, page.url
        for entry in bank.entries:
            assert not [word for word in (entry.scenario_id, entry.fault) if word and word in page.text]
    assert httpx.get(f"{url}/state").json()["bug_type"] == SEALED
    assert httpx.get(f"{url}/state", headers={"X-Harness-Key": KEY}).json()["task_id"] == ""


# --- HTTP


def test_http_step_is_stateless_and_says_so(url: str) -> None:
    for action in ({"action_type": "read_config"}, {"action_type": "dance"}, {}):
        answer = httpx.post(f"{url}/step", json={"action": action})
        assert answer.status_code == 200
        body = answer.json()
        assert body["done"] is True
        assert "reset" in body["observation"]["last_action_result"]["error"]


def test_http_reset_answers_bad_values_with_400(url: str) -> None:
    assert httpx.post(f"{url}/reset", json={"seed": 1}).json()["observation"]["step_count"] == 0
    answer = httpx.post(f"{url}/reset", json={"task_id": "impossible"})
    assert answer.status_code == 400
    assert "easy" in answer.json()["detail"]


def test_sessions_survive_malformed_frames(url: str) -> None:
    with connect(url.replace("http", "ws") + "/ws", compression="deflate") as raw:
        assert raw.protocol.extensions == []

        def ask(text: str) -> dict[str, Any]:
            raw.send(text)
            reply: dict[str, Any] = json.loads(raw.recv())
            return reply

        ask('{"type": "reset", "data": {"seed": 1}}')
        for text in ("not json", '{"type": "dance"}', '{"type": "step", "data": 5}', '{"type": "step"}'):
            assert ask(text)["type"] == "error"
        reply = ask('{"type": "step", "data": {"action_type": "read_config"}}')
        assert reply["data"]["observation"]["step_count"] == 1


# --- the Task API


def test_task_api(url: str, bank: Bank) -> None:
    base = f"{url}/mlops_pipeline_debugger"
    assert httpx.get(f"{url}/list_environments").json() == ["mlops_pipeline_debugger"]
    splits = {split["name"]: split["type"] for split in httpx.get(f"{base}/splits").json()}
    assert {entry.split for entry in bank.entries} <= set(splits)
    for name, kind in splits.items():
        split, _, tier = name.partition("/")
        assert kind == split
        count = httpx.post(f"{base}/num_tasks", json={"split": name}).json()["num_tasks"]
        assert count == len(bank.select(split=split, tier=tier or None))
        tasks = httpx.post(f"{base}/tasks", json={"split": name}).json()["tasks"]
        assert [task["index"] for task in tasks] == list(range(count))
        assert {task["task_id"] for task in tasks} == {tier or "mixed"}
        last = httpx.post(f"{base}/task", json={"split": name, "index": count - 1}).json()["task"]
        assert last == tasks[-1]
        part = httpx.post(f"{base}/task_range", json={"split": name, "start": -1}).json()["tasks"]
        assert part == tasks[-1:]
        with MLOpsClient(url).sync() as session:
            observation = session.reset(split=name, index=count - 1).observation
            assert observation.task_id == (tier or "mixed")
            assert tier in ("", observation.metadata["tier"])
    assert httpx.post(f"{base}/task", json={"split": "train", "index": 10**6}).status_code == 400
    assert httpx.post(f"{base}/task", json={"split": "train", "index": -1}).status_code == 400
    assert httpx.post(f"{base}/num_tasks", json={"split": "holdout"}).status_code == 400


def test_tasks_of_a_split_cover_it(bank: Bank) -> None:
    environment = MLOpsEnvironment(bank)

    async def play() -> list[str]:
        return [
            (await environment.reset_async(split="train", index=task["index"])).run_id
            for task in environment.list_tasks("train")
        ]

    assert len(set(asyncio.run(play()))) == len(bank.select(split="train"))


# --- the server as operators meet it


def gold(bank: Bank, name: str) -> MLOpsAction:
    """The diagnosis that is right, from the bank: what only the harness has."""
    scenario = bank.get(name)
    answer = scenario.answers[0]
    return MLOpsAction(
        action_type="submit_diagnosis",
        failure_category=answer.categories[0],
        root_cause_file=answer.file,
        root_cause_field=answer.field,
        diagnosis=scenario.sentence,
        proposed_fix=scenario.gold_fix,
    )


def test_fix_trials_do_not_block_other_sessions(bank_path: Path, bank: Bank) -> None:
    """While one session's trial is awaited, another session steps."""
    started: list[float] = []
    finished: list[float] = []

    async def trainer(request: TrialRequest) -> TrialResult:
        started.append(time.monotonic())
        await asyncio.sleep(1.0)
        finished.append(time.monotonic())
        raise RunError("no worker is free")

    seed, name = faulty(bank)
    with (
        local_server(create_server_app(bank_path, trainer, harness_key=KEY)) as address,
        MLOpsClient(address).sync() as one,
        MLOpsClient(address).sync() as two,
        ThreadPoolExecutor(1) as thread,
    ):
        one.reset(seed=seed)
        two.reset(seed=seed)
        future = thread.submit(one.step, gold(bank, name))
        while not started:
            time.sleep(0.01)
        assert two.step(READ).observation.step_count == 1
        assert not finished
        result = future.result()
        assert result.done and result.observation.metadata["unscored"] == ["fix"]


@pytest.mark.slow
def test_real_trials_over_the_wire(bank_path: Path, bank: Bank) -> None:
    """A config edit is graded by training again, and so is a patch where this machine can isolate it."""
    with (
        AsyncTrials() as trials,
        local_server(create_server_app(bank_path, trials)) as address,
        MLOpsClient(address).sync() as session,
    ):
        seed, name = faulty(bank)
        session.reset(seed=seed)
        assert session.step(gold(bank, name)).reward == 1.0
        seed, name = faulty(bank, "preprocessing.py")
        session.reset(seed=seed)
        result = session.step(gold(bank, name))
        isolated = probe().complete
        assert result.reward == pytest.approx(1.0 if isolated else 0.55)
        assert result.observation.metadata.get("unscored", []) == ([] if isolated else ["fix"])


def test_server_is_set_up_for_many_small_messages(bank_path: Path) -> None:
    config = server_config(FastAPI())
    config.load()
    assert config.ws_per_message_deflate is False
    assert config.loop == "uvloop"


def test_missing_bank_is_told(tmp_path: Path) -> None:
    with pytest.raises(BankError, match="forge"):
        create_server_app(tmp_path / "none.sqlite")


def test_importing_the_adapter_leaves_gradio_alone() -> None:
    code = (
        "import sys, mlops_debugger.openenv.client, mlops_debugger.openenv.app\n"
        "assert 'gradio' not in sys.modules\n"
        "import importlib.util; assert importlib.util.find_spec('gradio')"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=ROOT)
