"""Nobody without the key gets the answer, by any route. A canary stands in every field of the ground truth."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from routes import walk
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from mlops_debugger.bank import Answer, Bank, BankWriter, Scenario
from mlops_debugger.contract import ACTION_TYPES, ARTIFACTS, SANITY_CHECKS
from mlops_debugger.environment.driver import Settings
from mlops_debugger.errors import RunError
from mlops_debugger.grading import TrialRequest, TrialResult
from mlops_debugger.openenv.app import create_server_app, local_server
from mlops_debugger.openenv.client import MLOpsClient
from mlops_debugger.openenv.models import MLOpsAction

KEY = "the-key-of-the-harness"
NAME = "mlops_pipeline_debugger"
# What no reply may hold, in whatever spelling: also as base64, and with the case changed.
TEXT = re.compile(r"canary[a-z]{0,20}\d{2}", re.IGNORECASE)
NUMBERS = (7_770_001_770_001, 7_770_002_770_002, 7_770_003_770_003, 7_770_004_770_004, 0.777_000_777, 0.777_111_777)
NO_FAULT = {"action_type": "submit_diagnosis", "diagnosis": "nothing is wrong"}


def planted(record: Scenario) -> Scenario:
    """The record with its ground truth replaced by canaries; what an agent is meant to see stays."""
    proofs = tuple(
        proof.model_copy(
            update={
                "harm": 0.777_000_777,
                "healthy": proof.healthy.model_copy(update={"actual": 0.777_111_777}),
                "broken": proof.broken.model_copy(update={"live": 0.777_111_777}),
            }
        )
        for proof in record.proofs
    )
    return record.model_copy(
        update={
            "scenario_id": "canaryscenario01",
            "fault": "canaryfault02",
            "site": "canarysite03",
            "base_seed": NUMBERS[0],
            "difficulty_parts": {"canaryparts04": 1.0},
            "twin_artifacts": dict.fromkeys(ARTIFACTS, "canarytwin05"),
            "twin_findings": {check: {"summary": "canaryfinding06"} for check in SANITY_CHECKS},
            "answers": (
                Answer(
                    categories=record.answers[0].categories,
                    file="canaryfile07",
                    field="canaryfield08",
                    names={"canaryname09": 1.0, "canaryalias10": 1.0},
                ),
                Answer(
                    categories=("architecture_bug",),
                    file="canaryother11",
                    field="canaryother12",
                    names={"canaryother13": 1.0},
                ),
            ),
            "gold_fix": "config.yaml: canaryfix14 = 1",
            "sentence": "canarysentence15",
            "data": {"canarydata16": "canarydata17"},
            "spellings": {"canaryspelling18": 1},
            "run_seeds": NUMBERS[1:4],
            "started_at": "canarystart19",
            "proofs": proofs,
        }
    )


GROUND_TRUTH = {
    "scenario_id", "fault", "site", "base_seed", "difficulty", "difficulty_parts", "silent", "twin_artifacts",
    "twin_findings", "answers", "gold_fix", "sentence", "gold_touches", "data", "spellings", "run_seeds", "started_at",
    "sigma", "proofs",
}  # fmt: skip
VISIBLE = {"run_id", "run_summary", "artifact_meta", "artifacts", "findings", "tier", "split"}
# Which template a run is made from is no secret of the answer, and a name that `prepare` needs.
NEITHER = {"project"}


def write_bank(path: Path, scenario: Scenario) -> Path:
    manifest = {"secret": "canarysecret20", "seed_base": "canaryseed21", "command": "canarycommand22"}
    BankWriter(path).write([scenario], manifest, ["canarytry23"])
    return path


@pytest.fixture(scope="module")
def record(bank_path: Path) -> Scenario:
    bank = Bank(bank_path)
    entry = next(entry for entry in bank.select(split="train") if bank.get(entry.scenario_id).answers)
    scenario = bank.get(entry.scenario_id)
    bank.close()
    return scenario


@pytest.fixture(scope="module")
def bank_with_canaries(record: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bank(tmp_path_factory.mktemp("canaries") / "bank.sqlite", planted(record))


def test_every_field_of_a_scenario_is_visible_or_sealed(record: Scenario) -> None:
    """A field that is added must be placed, so that the seal test knows of it."""
    assert set(Scenario.model_fields) == GROUND_TRUTH | VISIBLE | NEITHER
    changed = planted(record)
    same = {name for name in Scenario.model_fields if getattr(changed, name) == getattr(record, name)}
    # What holds no text and no number of its own is held against another scenario instead, below.
    assert same - VISIBLE - NEITHER == {"difficulty", "silent", "gold_touches", "sigma"}


class Collector:
    """Every byte that a client gets, with where it came from."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []

    def add(self, source: str, data: bytes | str) -> None:
        self.got.append((source, data.encode() if isinstance(data, str) else data))

    def canaries(self) -> list[tuple[str, str]]:
        """(source, what) of whatever must not be there."""
        found = []
        for source, data in self.got:
            text = data.decode("utf-8", "replace")
            decoded = b" ".join(
                base64.b64decode(run + "=" * (-len(run) % 4))
                for run in re.findall(r"[A-Za-z0-9+/]{24,}", text)
                if len(run) % 4 != 1
            )
            for spelled in (text, text[::-1], decoded.decode("latin-1")):
                found += [(source, match) for match in TEXT.findall(spelled)]
            found += [(source, str(number)) for number in NUMBERS if str(number) in text]
        return found


def frames(artifacts: dict[str, str]) -> list[str]:
    """All that can be sent over a WebSocket: every message and action, and what is neither."""
    key = next(line.split(":")[0] for line in artifacts["config.yaml"].splitlines() if not line.startswith((" ", "#")))
    diagnosis = {
        "action_type": "submit_diagnosis", "failure_category": "config_error", "root_cause_file": "config.yaml",
        "root_cause_field": "anything", "diagnosis": "words", "proposed_fix": f"config.yaml: {key} = 1",
    }  # fmt: skip
    steps: list[Any] = [{"action_type": kind} for kind in ACTION_TYPES]
    steps += [{"action_type": "run_sanity_check", "sanity_check_type": check} for check in SANITY_CHECKS]
    steps += [{"action_type": "query_artifact", "artifact_name": name} for name in ARTIFACTS]
    steps += [
        {"action_type": "query_artifact", "artifact_name": name, "field_path": path}
        for name in ARTIFACTS
        for path in ("x", "__class__", "answers", "gold_fix", "..", "*", "0", "epoch.1")
    ]
    steps += [{"action_type": "read_logs", "log_filter": text} for text in ("error", "epoch:1-2", "canary", "(", "")]
    steps += [{"action_type": "dance"}, {}, 5, [], None, "text", {"action_type": "read_config", "extra": 1}]
    steps += [{**diagnosis, "proposed_fix": fix} for fix in ("prose", "config.yaml: a.b.c = 1", "- x\n+ y", "{" * 999)]
    resets: list[Any] = [
        {}, {"seed": -1}, {"seed": "x"}, {"task_id": "x"}, {"split": "test"}, {"split": "x"}, {"index": 10**6},
        {"controls": True}, {"scenario_id": "s-1"}, {"episode_id": "x" * 300}, 5, None,
    ]  # fmt: skip
    opening = {"type": "reset", "data": {"seed": 3, "episode_id": "one"}}
    sent: list[Any] = [{"type": "state"}, {"type": "step", "data": {"action_type": "read_config"}}]
    sent += [{"type": "reset", "data": data} for data in resets]
    for number in range(0, len(steps), 25):
        sent += [opening, *({"type": "step", "data": step} for step in steps[number : number + 25]), {"type": "state"}]
    for final in (NO_FAULT, diagnosis):
        sent += [opening, {"type": "step", "data": {"action_type": "submit_diagnosis"}}, {"type": "state"}]
        sent += [{"type": "step", "data": final}, {"type": "step", "data": final}, {"type": "state"}]
    sent += [{"type": "mcp", "data": call} for call in CALLS]
    sent += [*CALLS, {"type": "message", "content": "hello"}, {"type": "dance"}, {"type": 5}, {"type": "step"}, {}]
    return [*map(json.dumps, sent), "not json", '"text"', "[]", "5", "\x00", json.dumps({"type": "close"})]


CALLS: list[Any] = [
    {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    for method, params in (
        ("initialize", {}),
        ("tools/list", {}),
        ("tools/call", {"name": "state", "arguments": {}}),
        ("openenv/session/create", {}),
        ("openenv/session/close", {"session_id": "x"}),
        ("resources/list", {}),
        ("x", []),
    )
]


def play_frames(collector: Collector, url: str, path: str, sent: list[str], headers: dict[str, str]) -> None:
    """Send all; where a frame costs the connection, go on with another."""
    left = list(sent)
    while left:
        try:
            with connect(url.replace("http", "ws", 1) + path, additional_headers=headers, max_size=None) as raw:
                if path == "/ws/ui":
                    collector.add(f"WS {path}", raw.recv(timeout=10))
                    return
                while left:
                    raw.send(left.pop(0))
                    collector.add(f"WS {path}", raw.recv(timeout=20))
        except InvalidStatus as refused:
            collector.add(f"WS {path} refused", bytes(refused.response.body or b""))
            return
        except ConnectionClosed as closed:
            collector.add(f"WS {path} closed", str(closed))


BODIES: list[Any] = [
    None, {}, [], "text", {"seed": 3}, {"seed": -1}, {"split": "train"}, {"split": "x"}, {"split": "train", "index": 0},
    {"split": "train", "index": 99}, {"split": "train", "start": 0, "stop": 5}, {"action": {"action_type": "read_config"}},
    {"action": NO_FAULT}, {"action": {}}, {"action": 5}, {"message": "hello"}, *CALLS,
]  # fmt: skip


def collect(url: str, app: FastAPI, artifacts: dict[str, str], headers: dict[str, str] | None = None) -> Collector:
    """Ask everything of every route."""
    collector, headers = Collector(), headers or {}
    found = sorted(set(walk(list(app.routes))))
    assert {"/ws", "/mcp", "/reset", "/step", "/state", "/schema", "/metadata", "/health", "/metrics", "/docs"} <= {
        path for _, path in found
    }
    sent = frames(artifacts)
    with httpx.Client(base_url=url, headers=headers, timeout=httpx.Timeout(20, read=4)) as client:
        for method, template in [*found, ("GET", "/nowhere"), ("POST", "/nowhere")]:
            path = template.replace("{env_name}", NAME)
            path = re.sub(r"\{[^}]*\}", "x", path)
            if method == "WS":
                play_frames(collector, url, path, sent, headers)
                continue
            for body in BODIES if method in ("POST", "PUT", "PATCH") else [None]:
                ask(collector, client, method, path, body)
            for other in {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"} - {method}:
                ask(collector, client, other, path, None)
        # A session made over HTTP, and a WebSocket that attaches to it.
        made = client.post("/mcp", json=CALLS[3]).json()["result"]["session_id"]
        play_frames(collector, url, f"/ws?session_id={made}", [sent[0], *sent[-20:]], headers)
        ask(collector, client, "GET", "/metrics", None)
    return collector


def ask(collector: Collector, client: httpx.Client, method: str, path: str, body: Any) -> None:
    received, headers = b"", ""
    try:
        with client.stream(method, path, json=body) as answer:
            headers = str(answer.headers)
            for part in answer.iter_bytes():
                received += part
                if len(received) > 1 << 20:
                    break
    except httpx.TransportError as error:  # a stream of events that waits for some, a page of gradio's that fails
        received += str(error).encode()
    collector.add(f"{method} {path}", received)
    collector.add(f"{method} {path} headers", headers)


async def broken_trainer(request: TrialRequest) -> TrialResult:
    """Its words are for the operator: they name what only he may know."""
    raise RunError(f"no trainer for {request.scenario.scenario_id}, whose fix is {request.scenario.gold_fix}")


def test_no_canary_leaves_the_server_without_the_key(bank_with_canaries: Path, record: Scenario) -> None:
    app = create_server_app(bank_with_canaries, broken_trainer, harness_key=KEY)
    with local_server(app) as url:
        collector = collect(url, app, record.artifacts)
    assert collector.canaries() == []
    seen = b"".join(data for _, data in collector.got)
    # The test has played: what may be seen was seen, before and after a diagnosis.
    for sign in (
        record.run_id,
        '"score":0',
        "unscored",
        "VALIDATION_ERROR",
        "bug_category",
        "mlops_debugger_steps_total",
    ):
        assert sign.encode() in seen, sign


def test_positive_controls_see_the_canaries(bank_with_canaries: Path, record: Scenario) -> None:
    """With the key, `state` has them; with --reveal, an accepted diagnosis tells some, and nothing does before."""
    app = create_server_app(bank_with_canaries, broken_trainer, harness_key=KEY)
    with local_server(app) as url:
        told = collect(url, app, record.artifacts, {"X-Harness-Key": KEY})
    assert {word for _, word in told.canaries()} == {"canaryfault02", "canaryfile07", "canaryfield08", "canaryfix14"}
    app = create_server_app(bank_with_canaries, settings=Settings(reveal=True))
    with local_server(app) as url, MLOpsClient(url).sync() as session:
        before = session.reset(seed=3).observation.model_dump_json() + session.state().model_dump_json()
        for kind in ACTION_TYPES:
            before += session.step(MLOpsAction(action_type=kind)).observation.model_dump_json()
        assert not TEXT.search(before)
        result = session.step(MLOpsAction.model_validate(NO_FAULT)).observation.last_action_result
        assert result["answer"] == {
            "category": record.answers[0].categories[0],
            "file": "canaryfile07",
            "field": "canaryfield08",
            "gold_fix": "config.yaml: canaryfix14 = 1",
        }
        assert not TEXT.search(session.state().model_dump_json())


def test_reveal_says_nothing_of_a_refused_diagnosis_or_at_the_last_step(bank_with_canaries: Path) -> None:
    app = create_server_app(bank_with_canaries, settings=Settings(reveal=True, max_steps=3))
    with local_server(app) as url, MLOpsClient(url).sync() as session:
        told = session.reset(seed=3).observation.model_dump_json()
        for _ in range(3):
            told += session.step(MLOpsAction(action_type="submit_diagnosis")).observation.model_dump_json()
        assert '"done":true' in told and not TEXT.search(told)


def test_reveal_of_a_healthy_control_is_empty(bank_path: Path) -> None:
    app = create_server_app(bank_path, harness_key=KEY, settings=Settings(reveal=True))
    with local_server(app) as url, MLOpsClient(url, harness_key=KEY).sync() as session:
        session.reset(seed=1, controls=True)
        result = session.step(MLOpsAction.model_validate(NO_FAULT)).observation.last_action_result
        assert set(result["answer"].values()) == {""}


def others(record: Scenario) -> Iterator[tuple[str, Scenario]]:
    """Scenarios that an agent must not tell from the record before its diagnosis: all but what is visible differs."""
    proof = record.proofs[0].model_copy(update={"harm": 0.9})
    yield (
        "another fault",
        planted(record).model_copy(
            update={
                "answers": (
                    Answer(categories=("architecture_bug",), file="preprocessing.py", field="x", names={"x": 1.0}),
                ),
                "difficulty": record.difficulty + 0.5,
                "silent": not record.silent,
                "gold_touches": record.gold_touches + 1,
                "sigma": 2 * record.sigma,
                "proofs": (proof,) * len(record.proofs),
            }
        ),
    )
    yield (
        "a healthy control",
        record.model_copy(
            update={"fault": None, "site": None, "answers": (), "gold_fix": "", "twin_artifacts": {}, "proofs": ()}
        ),
    )


def test_what_is_seen_before_the_diagnosis_depends_on_nothing_sealed(record: Scenario, tmp_path: Path) -> None:
    """Categories and numbers have no room for a canary: byte for byte, another truth must look the same."""
    sent = [text for text in frames(record.artifacts) if '"proposed_fix": "config.yaml: ' not in text or ".b.c" in text]
    sent = [text for text in sent if NO_FAULT["diagnosis"] not in text and "session/create" not in text]
    seen = {}
    for name, scenario in (("the record", record), *others(record)):
        app = create_server_app(write_bank(tmp_path / f"{name}.sqlite", scenario), broken_trainer, harness_key=KEY)
        with local_server(app) as url:
            collector = Collector()
            play_frames(collector, url, "/ws", sent, {})
            for path in ("/schema", "/metadata", "/openapi.json", "/state", f"/{NAME}/splits"):
                collector.add(path, httpx.get(url + path).content)
            for body in ({"split": "train"}, {"split": record.split}):
                collector.add("tasks", httpx.post(f"{url}/{NAME}/tasks", json=body).content)
        seen[name] = [
            (source, re.sub(rb'"episode_id":"[0-9a-f]{32}"', b"", re.sub(rb'"seed":\d+', b"", data)))
            for source, data in collector.got
        ]
    first = seen.pop("the record")
    assert len(first) > 100
    for name, got in seen.items():
        for here, there in zip(first, got, strict=True):
            assert here == there, name


def idle_loops() -> set[asyncio.BaseEventLoop]:
    """Event loops that nobody runs and nobody has closed."""
    found = {item for item in gc.get_objects() if issubclass(type(item), asyncio.BaseEventLoop)}
    return {loop for loop in found if not loop.is_running() and not loop.is_closed()}


@pytest.fixture
def closed_loops() -> Iterator[None]:
    """gradio leaves event loops open, whose end is a warning within whatever test comes next."""
    before = idle_loops()
    yield
    for loop in idle_loops() - before:
        loop.close()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("closed_loops")
def test_no_canary_on_the_web_page(bank_with_canaries: Path, record: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page: the routes of the mounted gradio app, and what its buttons call."""
    monkeypatch.setenv("ENABLE_WEB_INTERFACE", "true")
    app = create_server_app(bank_with_canaries, broken_trainer, harness_key=KEY)
    with local_server(app) as url:
        collector = collect(url, app, record.artifacts)
        with httpx.Client(base_url=url, timeout=10) as client:
            press_buttons(collector, client)
    assert collector.canaries() == []
    sources = {source: data for source, data in collector.got if record.run_id.encode() in data}
    assert any(source.startswith("button") for source in sources), "no button of the page showed the episode"


def press_buttons(collector: Collector, client: httpx.Client) -> None:
    """Call every function of the page that has no required input beyond what it defaults to."""
    page = client.get("/web/config").json()
    prefix = page.get("api_prefix", "")
    values = {component["id"]: component.get("props", {}).get("value") for component in page["components"]}
    for _ in range(2):
        for call in page["dependencies"]:
            body = {
                "data": [values.get(number) for number in call["inputs"]],
                "fn_index": call["id"],
                "session_hash": "s",
            }
            answer = client.post(f"/web{prefix}/run/predict", json=body)
            collector.add(f"button {call['id']} {call.get('api_name')}", answer.content)
