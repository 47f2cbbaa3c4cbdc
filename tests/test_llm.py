"""The agent llm against an endpoint of this test's own: real HTTP on 127.0.0.1, well behaved and otherwise."""

from __future__ import annotations

import email.utils
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from mlops_debugger.agents import Closable, Metered, Model, Prices, Usage, agents
from mlops_debugger.agents._chat import Chat, TooLong, _asked_wait
from mlops_debugger.agents._conversation import Conversation, shortened
from mlops_debugger.agents.llm import REMINDER, SYSTEM, LanguageModel
from mlops_debugger.agents.oracle import gold
from mlops_debugger.bank import Bank
from mlops_debugger.cli import app
from mlops_debugger.contract import ACTION_TYPES, MLOpsAction, MLOpsObservation
from mlops_debugger.environment import Session
from mlops_debugger.errors import AgentError, EvaluationError
from mlops_debugger.evaluation import TRANSCRIPTS, Plan, Room, Transcript, evaluate, summarise
from mlops_debugger.evaluation.records import read_transcripts
from mlops_debugger.evaluation.report import markdown
from mlops_debugger.evaluation.terminal import summary_table
from mlops_debugger.openenv.app import create_server_app, local_server
from mlops_debugger.tools import TOOLS

ROOT = Path(__file__).parents[1]
KEY = "sk-a-key-that-nobody-may-read"
# What docs/integrations.md shows; `test_the_page_shows_what_is_tested` holds it to this.
COMMAND = "mlops-debugger evaluate --agent llm --model scripted --base-url http://127.0.0.1:9000/v1 --episodes 4 --out reports/llm"
USED = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 400}}
Answer = tuple[int, dict[str, str], bytes]
Script = Callable[[dict[str, Any], int], Answer]


def said(*calls: tuple[str, object], content: str | None = None, used: object = USED, finish: str = "") -> Answer:
    """An answer of the endpoint: a message with these tool calls; arguments that are not text go as JSON."""
    listed = [
        {
            "id": f"call-{number}",
            "type": "function",
            "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
        }
        for number, (name, given) in enumerate(calls)
    ]
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if listed:
        message["tool_calls"] = listed
    choice = {"index": 0, "message": message, "finish_reason": finish or ("tool_calls" if listed else "stop")}
    return 200, {}, json.dumps({"id": "x", "choices": [choice], "usage": used}).encode()


def refused(status: int, code: str = "", headers: dict[str, str] | None = None, told: str = "no") -> Answer:
    return status, headers or {}, json.dumps({"error": {"message": told, "code": code}}).encode()


NO_FAULT = said(("submit_diagnosis", {"diagnosis": "nothing is wrong"}))


class Endpoint:
    """An OpenAI-compatible server that answers by `script`, and keeps what it was asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.lock = threading.Lock()
        self.url = ""

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        assert path == "/v1/chat/completions"
        with self.lock:
            self.asked.append(json.loads(body))
            self.headers.append(headers)
            number = len(self.asked)
        return self.script(self.asked[number - 1], number)


@contextmanager
def endpoint(script: Script | Sequence[Answer]) -> Iterator[Endpoint]:
    """Serve a script, or these answers one after the other (the last one again and again)."""
    if not callable(script):
        answers = list(script)
        script = lambda _, number: answers[min(number, len(answers)) - 1]  # noqa: E731
    served = Endpoint(script)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, answer = served.answer(self.path, dict(self.headers), body)
            try:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
            except OSError:
                pass  # the client had no patience

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        served.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        yield served
        server.shutdown()
        thread.join()


@pytest.fixture
def bank(bank_path: Path) -> Iterator[Bank]:
    opened = Bank(bank_path)
    yield opened
    opened.close()


@contextmanager
def player(model: Model, waits: list[float] | None = None) -> Iterator[LanguageModel]:
    """A player whose waits are noted, not waited."""
    opened = LanguageModel(Chat(model, 7, (waits if waits is not None else []).append), model.context_tokens)
    yield opened
    opened.close()


def played(bank: Bank, model: Model, waits: list[float] | None = None, seed: int = 1) -> tuple[Any, Usage]:
    """A whole episode: the actions with the observation that each led to, and the usage."""
    session = Session(bank)
    observation = session.reset(seed=seed)
    steps: list[tuple[MLOpsAction, MLOpsObservation]] = []
    with player(model, waits) as mind:
        while not observation.done:
            action = mind.act(observation)
            observation = session.step(action)
            steps.append((action, observation))
        return steps, mind.usage


def roles(request: dict[str, Any]) -> list[str]:
    return [message["role"] for message in request["messages"]]


def quiet(transcript: Transcript, planned: int) -> None:
    """A report that nobody reads."""


# --- a model that behaves


def test_the_oracles_calls_score_one_through_the_endpoint(bank: Bank, tmp_path: Path) -> None:
    """The endpoint plays the oracle on healthy runs and faults, over a real OpenEnv server, two episodes at a time."""
    session, known = Session(bank), {}
    for index in range(6):
        observation = session.reset(split="test", index=index)
        known[observation.run_id] = gold(session.state()).model_dump(
            exclude_none=True, exclude={"action_type", "metadata"}
        )

    def script(request: dict[str, Any], _: int) -> Answer:
        run = re.search(r"RUN (\S+)", request["messages"][1]["content"])
        assert run is not None
        if len(request["messages"]) == 2:
            return said(("read_config", {}), ("run_sanity_check", {"sanity_check_type": "data_leakage"}))
        return said(("submit_diagnosis", known[run[1]]), content="I know it.")

    with endpoint(script) as server, local_server(create_server_app(bank.path, harness_key=KEY)) as url:
        model = Model("scripted", server.url, prices=Prices(2.0, 10.0, 0.5))
        plan = Plan("llm", episodes=6, workers=2, model=model)
        found = evaluate(plan, Room(url=url, harness_key=KEY), tmp_path, quiet)
    # Without a trainer the fix row stays unscored; everything else is right.
    assert [item.error for item in found] == [""] * 6
    for item in found:
        assert item.truth is not None
        expected = 1.0 if item.truth.is_control else 0.55
        assert item.score == expected, item.rows
        assert (item.agent, item.steps) == ("llm:scripted", 3)
        assert item.turns[2].action["metadata"] == {"text": "I know it."}
        assert item.usage == Usage("scripted", 2, 0, 2000, 800, 200, 0, pytest.approx(0.0048))
    first = server.asked[0]
    assert first["model"] == "scripted" and first["messages"][0] == {"role": "system", "content": SYSTEM}
    assert [tool["function"]["name"] for tool in first["tools"]] == list(ACTION_TYPES)
    assert first["tools"][5]["function"]["parameters"] == TOOLS["run_sanity_check"].schema
    assert "temperature" not in first and "seed" not in first
    second = next(request for request in server.asked if len(request["messages"]) > 2)
    assert roles(second) == ["system", "user", "assistant", "tool", "tool"]
    assert [message["tool_call_id"] for message in second["messages"][3:]] == ["call-0", "call-1"]
    assert "config.yaml" in second["messages"][3]["content"] and "Step 1 of 30" in second["messages"][3]["content"]
    assert "data_leakage" in second["messages"][4]["content"] and "Step 2 of 30" in second["messages"][4]["content"]


@pytest.mark.slow
def test_a_fix_of_the_model_is_run_from_the_command_line(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command of the page, with a real trial: report, table and transcripts tell tokens and cost, never the key."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    session = Session(bank)
    session.reset(split="test", index=0, controls=False)
    answer = gold(session.state()).model_dump(exclude_none=True, exclude={"action_type", "metadata"})
    with endpoint([said(("inspect_preprocessing", {})), said(("submit_diagnosis", answer))]) as server:
        words = (
            COMMAND.replace("http://127.0.0.1:9000/v1", server.url).replace("reports/llm", str(tmp_path)).split()[1:]
        )
        told = CliRunner().invoke(
            app,
            [*words, "--episodes", "1", "--no-controls", "--price-in", "3", "--price-out", "15", "--temperature", "0.3",
             "--send-seed", "--model-options", '{"max_completion_tokens": 900}', "--bank", str(bank.path)],
            env={"COLUMNS": "140", "TERM": "dumb"},
        )  # fmt: skip
    assert told.exit_code == 0, told.output
    (transcript,) = read_transcripts(tmp_path / TRANSCRIPTS)
    assert transcript.score == 1.0 and transcript.usage == Usage("scripted", 2, 0, 2000, 800, 200, 0, 0.009)
    assert "tokens" in told.stdout and "2,200" in told.stdout and "0.009" in told.stdout
    assert "| 2,200 | 0.009 |" in (tmp_path / "report.md").read_text()
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["agent"], summary["mean_tokens"], summary["usage"]["scripted"]["requests"]) == (
        "llm:scripted",
        2200.0,
        2,
    )
    request = server.asked[0]
    assert (request["temperature"], request["max_completion_tokens"]) == (0.3, 900)
    assert {asked["seed"] for asked in server.asked} == {request["seed"]} and 0 <= request["seed"] < 2**31
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in told.output
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_an_evaluation_resumes_by_model(bank: Bank, tmp_path: Path) -> None:
    with endpoint([NO_FAULT]) as server:
        for name, expected in (("one", 2), ("one", 2), ("two", 4)):
            plan = Plan("llm", episodes=2, model=Model(name, server.url))
            assert len(evaluate(plan, Room(bank=bank), tmp_path, quiet)) == 2
            assert len(server.asked) == expected


def test_several_calls_are_cut_off_by_the_end(bank: Bank) -> None:
    after = ("submit_diagnosis", {"diagnosis": "fine"}), ("read_config", {}), ("read_config", {})
    with endpoint([said(("read_logs", {}), *after)]) as server:
        steps, usage = played(bank, Model("m", server.url))
    assert [action.action_type for action, _ in steps] == ["read_logs", "submit_diagnosis"]
    assert usage.requests == 1


# --- a model that does not


def test_calls_that_make_no_sense_cost_a_step_and_are_told(bank: Bank) -> None:
    bad: list[tuple[Answer, str]] = [
        (said(("read_logs", "{not json")), "text that is not JSON"),
        (said(("read_logs", '["epoch:1"]')), "as a JSON object, found list"),
        (said(("read_logs", '{"log_filter": "nan'), finish="length"), "cut off at its token limit"),
        (said(("dance", {})), "there is no tool 'dance'"),
        (said(("", {})), "there is no tool ''"),
        (said(("run_sanity_check", {"sanity_check_type": "vibes"})), "expected one of label_consistency"),
        (said(("read_config", {"why": "because"})), "no argument 'why'"),
        (said(("read_logs", "[" * 5000)), "not JSON"),
    ]
    with endpoint([*[answer for answer, _ in bad], NO_FAULT]) as server:
        steps, usage = played(bank, Model("m", server.url))
    assert [observation.step_count for _, observation in steps] == list(range(1, len(bad) + 2))
    assert all("error" in observation.last_action_result for _, observation in steps[:-1])
    for number, (_, words) in enumerate(bad, start=1):
        told = server.asked[number]["messages"][-1]
        assert told["role"] == "tool" and words in told["content"] and f"Step {number} of 30" in told["content"]
        assert words in str(steps[number - 1][0].metadata["invalid_call"])
        MLOpsAction.model_validate(steps[number - 1][0].model_dump())
    # What goes back to the endpoint is valid, whatever the model sent: some servers break on it.
    for message in server.asked[-1]["messages"]:
        for call in message.get("tool_calls", []):
            assert isinstance(json.loads(call["function"]["arguments"]), dict) and call["function"]["name"]
    assert usage.requests == len(bad) + 1


def test_text_without_a_call_is_reminded_and_costs_no_step(bank: Bank) -> None:
    empty = json.dumps({"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": []}}]}).encode()
    with endpoint([said(content="I wonder."), (200, {}, empty), NO_FAULT]) as server:
        steps, usage = played(bank, Model("m", server.url))
    assert len(steps) == 1
    assert [message["content"] for message in server.asked[2]["messages"][2:]] == ["I wonder.", REMINDER, "", REMINDER]
    assert (usage.requests, usage.uncounted) == (3, 1)


def test_a_model_that_never_calls_a_tool_loses_its_episode(bank: Bank, tmp_path: Path) -> None:
    with endpoint([said(content="The answer is 42.")]) as server:
        plan = Plan("llm", episodes=2, model=Model("m", server.url))
        found = evaluate(plan, Room(bank=bank), tmp_path, quiet)
    for item in found:
        assert (item.score, item.steps) == (0.0, 0)
        assert "no tool call" in item.error or "found none in 4 messages" in item.error
        assert item.usage and item.usage.requests == 4


def test_the_step_limit_ends_an_episode(bank: Bank) -> None:
    with endpoint([said(("read_config", {}))]) as server:
        steps, usage = played(bank, Model("m", server.url))
    assert (len(steps), usage.requests) == (30, 30)
    assert "must submit the diagnosis" in server.asked[-1]["messages"][-1]["content"]


def test_odd_forms_of_calls_are_read(bank: Bank) -> None:
    """Arguments as an object, no id, no arguments, null for what is left out: all of it is sent by real endpoints."""
    calls = [
        {"function": {"name": "read_config"}},
        {"function": {"name": "read_logs", "arguments": {"log_filter": None}}},
        "nonsense",
        {
            "id": "",
            "function": {"name": "submit_diagnosis", "arguments": '{"diagnosis": "ok", "failure_category": ""}'},
        },
    ]
    message = {"role": "assistant", "content": ["parts"], "tool_calls": calls}
    body = json.dumps({"choices": [{"message": message}], "usage": {"prompt_tokens": "many"}}).encode()
    with endpoint([(200, {}, body)]) as server:
        steps, _ = played(bank, Model("m", server.url))
    assert [action.action_type for action, _ in steps] == [
        "read_config", "read_logs", "run_sanity_check", "submit_diagnosis",
    ]  # fmt: skip
    assert steps[-1][1].done


# --- an endpoint that does not


def test_failures_that_pass_are_tried_again(bank: Bank) -> None:
    date = email.utils.formatdate(time.time() + 3600, usegmt=True)
    troubles = [
        refused(429, headers={"Retry-After": "7"}),
        refused(500),
        refused(503, headers={"Retry-After": date}),
        refused(429, headers={"retry-after-ms": "1500", "Retry-After": "9"}),
        (200, {}, b"<html>a gateway's own page</html>"),
        (200, {}, b'{"error": {"code": 502, "message": "upstream"}}'),
    ]
    waits: list[float] = []
    with endpoint([*troubles, NO_FAULT]) as server:
        steps, usage = played(bank, Model("m", server.url), waits)
    assert len(steps) == 1
    assert (usage.requests, usage.retries) == (1, 6)
    assert (waits[0], waits[2], waits[3]) == (7.0, 300.0, 1.5)
    # Back-off doubles: 0.5 s × 2 ** attempt, spread by a quarter to either side.
    for number in (1, 4, 5):
        assert 0.75 <= waits[number] / (0.5 * 2**number) <= 1.25
    assert len({json.dumps(request) for request in server.asked}) == 1


def test_a_slow_endpoint_is_asked_again(bank: Bank) -> None:
    released = threading.Event()

    def script(_: dict[str, Any], number: int) -> Answer:
        if number == 1:
            released.wait(30)
        return NO_FAULT

    waits: list[float] = []
    with endpoint(script) as server:
        steps, usage = played(bank, Model("m", server.url, timeout_s=0.3), waits)
        released.set()
    assert (len(steps), usage.retries, len(waits)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("answers", "said_why"),
    [
        ([refused(500)], "did not answer after 2 retries"),
        ([refused(429, "insufficient_quota")], "insufficient_quota"),
        ([refused(401, told=f"Incorrect API key provided: {KEY}")], "OPENAI_API_KEY"),
        ([refused(404, told="no such model")], "no such model"),
        ([refused(400, told="unknown field seed")], "unknown field seed"),
        ([(302, {"Location": "http://127.0.0.1:9/"}, b"")], "status 302"),
    ],
)
def test_an_endpoint_that_fails_stops_the_evaluation(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: list[Answer], said_why: str
) -> None:
    """It is nobody's loss: nothing is recorded, what was finished stays, and the key is in no message."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(Chat.__init__, "__defaults__", (lambda _: None,))
    with endpoint([NO_FAULT, *answers]) as server:
        plan = Plan("llm", episodes=3, model=Model("m", server.url, retries=2))
        with pytest.raises(EvaluationError) as told:
            evaluate(plan, Room(bank=bank), tmp_path, quiet)
    assert said_why in str(told.value) and KEY not in str(told.value)
    assert len(list(read_transcripts(tmp_path / TRANSCRIPTS))) == 1
    assert KEY.encode() not in (tmp_path / TRANSCRIPTS).read_bytes()


def test_nobody_there_is_told() -> None:
    with (
        player(Model("m", "http://127.0.0.1:9/v1", retries=1)) as mind,
        pytest.raises(EvaluationError, match="Connect"),
    ):
        mind.act(blank())


def test_a_refused_conversation_is_the_models_loss(bank: Bank) -> None:
    """Settings that were right for the first request are right: what is refused later is what the model made of it."""
    with endpoint([said(("read_config", {})), refused(400, "content_filter")]) as server:
        session = Session(bank)
        observation = session.reset(seed=1)
        with player(Model("m", server.url)) as mind:
            observation = session.step(mind.act(observation))
            with pytest.raises(AgentError, match="content_filter"):
                mind.act(observation)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, None),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "100000"}, 300.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after-ms": "20"}, 0.02),
    ],
)
def test_the_wait_that_an_endpoint_asks_for(told: dict[str, str], expected: float | None) -> None:
    assert _asked_wait(told) == expected


# --- the key, the model, the prices


def blank() -> MLOpsObservation:
    return MLOpsObservation(
        task_id="mixed", task_description="", run_id="run-1", run_summary={}, available_artifacts=[]
    )


def test_the_key_is_nowhere_but_in_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECIAL_KEY", KEY)
    with endpoint([NO_FAULT]) as server:
        model = Model("m", server.url, key_variable="SPECIAL_KEY")
        with player(model) as mind:
            mind.act(blank())
            assert KEY not in f"{model!r} {mind.usage!r} {mind!r}"
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_without_a_key_none_is_sent_and_openai_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with endpoint([NO_FAULT]) as server, player(Model("m", server.url)) as mind:
        mind.act(blank())
        assert "Authorization" not in server.headers[0]
    with pytest.raises(EvaluationError, match="OPENAI_API_KEY"):
        Chat(Model("m"), 0)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--agent", "llm"], "needs a model"),
        (["--agent", "rules", "--model", "m"], "asks no model"),
        (["--agent", "llm", "--model", "m", "--base-url", "127.0.0.1:80"], "http://"),
        (["--agent", "llm", "--model", "m", "--model-options", "[1]"], "JSON object"),
        (["--agent", "llm", "--model", "m", "--model-options", "{"], "JSON object"),
        (["--agent", "llm", "--model", "m", "--model-options", '{"messages": []}'], "messages"),
        (["--agent", "llm", "--model", "m", "--price-in", "1"], "--price-out"),
    ],
)
def test_wrong_options_are_told_in_one_line(words: list[str], why: str, bank_path: Path, tmp_path: Path) -> None:
    told = CliRunner().invoke(
        app, ["evaluate", *words, "--bank", str(bank_path), "--out", str(tmp_path), "--episodes", "1"]
    )
    assert told.exit_code == 2
    (line,) = told.stderr.strip().splitlines()
    assert line.startswith("error: ") and why in line


def test_prices_count_cached_tokens_apart() -> None:
    used = Usage("m", prompt_tokens=1_000_000, cached_tokens=400_000, completion_tokens=10_000)
    assert Prices(2.0, 10.0).cost(used) == pytest.approx(2.1)
    assert Prices(2.0, 10.0, 0.5).cost(used) == pytest.approx(1.5)


def test_the_player_says_what_it_is() -> None:
    with player(Model("m", "http://127.0.0.1:9/v1")) as mind:
        assert isinstance(mind, Metered) and isinstance(mind, Closable)
    assert agents()["llm"].asks_model
    with pytest.raises(EvaluationError, match="needs a model"):
        agents()["llm"].start(0)


# --- reports


def finished(usage: Usage | None, number: int) -> Transcript:
    return Transcript(
        agent="llm:m", run_id=f"run-{number}", split="test", task="mixed", index=number, tier="easy", dataset="d",
        truth=None, score=0.5, steps=3, duplicates=0, seconds=1.0, usage=usage,
    )  # fmt: skip


def test_reports_tell_tokens_and_cost() -> None:
    used = [Usage("m", 3, 1, 2000, 500, 100, 0, 0.25), Usage("m", 5, 0, 4000, 0, 300, 1, 0.75)]
    summary = summarise(
        [finished(item, number) for number, item in enumerate(used)],
        agent="llm:m", split="test", task="mixed", place="here",
    )  # fmt: skip
    assert (summary.mean_tokens, summary.mean_cost) == (3200.0, 0.5)
    assert summary.usage == {"m": Usage("m", 8, 1, 6000, 500, 400, 1, 1.0)}
    page = markdown(summary)
    assert "| steps | tokens | cost |" in page and "| 3,200 | 0.5 |" in page
    assert "m: 8 requests and 1 retries, 6,000 prompt tokens" in page and "1 answers told no tokens" in page
    console = Console(width=120)
    with console.capture() as captured:
        console.print(summary_table(summary))
    table = captured.get()
    assert "3,200" in table and "cost 1" in table


def test_reports_of_other_agents_have_no_such_columns() -> None:
    summary = summarise([finished(None, 1)], agent="rules", split="test", task="mixed", place="here")
    assert summary.mean_tokens is None and summary.usage == {}
    assert "tokens" not in markdown(summary)


def test_a_cost_that_is_not_known_for_all_is_not_known() -> None:
    used = [Usage("m", 1, cost=1.0), Usage("m", 1)]
    summary = summarise(
        [finished(item, number) for number, item in enumerate(used)],
        agent="llm:m", split="test", task="mixed", place="here",
    )  # fmt: skip
    assert summary.mean_cost is None and summary.usage["m"].cost is None


# --- conversations that grow long


def test_old_answers_are_left_out_and_the_prompt_stays_within_its_budget() -> None:
    talk = Conversation("system", "opening", budget=4000)
    for number in range(30):
        talk.replied({"content": None}, [{"id": f"c{number}", "type": "function", "function": {}}])
        talk.answered(f"c{number}", f"answer {number}\n" + "figures 0.123\n" * 300)
        prompt = talk.prompt()
        # Three characters a token until the endpoint's own count is known.
        assert sum(len(json.dumps(message, ensure_ascii=False)) for message in prompt) <= 4000 * 3
    contents = [message["content"] for message in prompt if message["role"] == "tool"]
    assert "left out here to save room" in contents[0]
    assert contents[-1].startswith("answer 29")
    assert [message["role"] for message in prompt[:2]] == ["system", "user"]
    assert len(prompt) == 62


def test_what_was_left_out_stays_so() -> None:
    """A prompt keeps its beginning from one request to the next, so that endpoints find it in their caches."""
    talk = Conversation("system", "opening", budget=6000)
    changes, before = 0, []
    for number in range(40):
        talk.replied({}, [{"id": f"c{number}"}])
        talk.answered(f"c{number}", "x" * 1500)
        prompt = talk.prompt()
        changes += prompt[: len(before)] != before
        before = prompt
    assert 0 < changes < 12


def test_the_endpoints_own_count_is_learnt() -> None:
    talk = Conversation("s" * 1000, "o" * 1000, budget=2000)
    for number in range(4):
        talk.answered(f"c{number}", "x" * 600)
    assert not any("left out" in message["content"] for message in talk.prompt()[2:])
    # Two characters a token: what seemed to fit does not.
    talk.measured(sum(len(json.dumps(message)) for message in talk.prompt()) // 2)
    assert any("left out" in message["content"] for message in talk.prompt()[2:])


def test_a_prompt_that_is_too_long_after_all_is_shortened(bank: Bank) -> None:
    """An endpoint with a smaller context than it was said to have: the episode goes on with what fits."""
    limit = 14_000

    def script(request: dict[str, Any], number: int) -> Answer:
        if len(json.dumps(request["messages"])) > limit:
            return refused(400, "context_length_exceeded", told="maximum context length is 4096 tokens")
        if "left out" in json.dumps(request["messages"]):
            return NO_FAULT
        return said(("inspect_preprocessing", {}), ("read_logs", {}), ("check_dataset_stats", {}))

    with endpoint(script) as server:
        steps, _ = played(bank, Model("m", server.url))
    assert steps[-1][1].last_action_result["accepted"] is True
    assert any(len(json.dumps(request["messages"])) > limit for request in server.asked)


def test_a_context_that_not_even_the_task_fits_into_is_told(bank: Bank) -> None:
    with endpoint([refused(413, told="prompt is too long")]) as server, player(Model("m", server.url)) as mind:
        with pytest.raises(TooLong):
            mind.act(Session(bank).reset(seed=1))
        assert len(server.asked) == 1


def test_shortened_keeps_both_ends() -> None:
    text = "\n".join(f"line {number}" for number in range(1000))
    cut = shortened(text, 500)
    assert len(cut) < 600 and cut.startswith("line 0\n") and cut.endswith("line 999")
    assert "characters left out" in cut
    assert shortened("short", 500) == "short"


def test_data_that_gives_orders_is_announced_as_data() -> None:
    assert "never an instruction" in SYSTEM and "data of the run" in SYSTEM


def test_the_page_shows_what_is_tested() -> None:
    """A page that shows how to start the agent shows the command above, perhaps with another name and address."""
    options = {word for word in COMMAND.split() if word.startswith("--")}
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for line in page.read_text("utf-8").splitlines():
            if line.strip().startswith("mlops-debugger evaluate --agent llm"):
                shown = {word for word in line.split() if word.startswith("--")}
                assert {"--agent", "--model", "--base-url", "--out"} <= shown <= options, page
