"""The MCP server, spoken to by the clients that people use: the official package and fastmcp, over stdio and HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import jsonschema
import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import McpError
from mcp.shared.memory import create_connected_server_and_client_session
from mcp.types import (
    CallToolResult,
    CancelledNotification,
    CancelledNotificationParams,
    ClientNotification,
    TextContent,
)
from processes import wait_for
from starlette.applications import Starlette

from mlops_debugger import __version__, contract
from mlops_debugger.adapters.mcp_server import Hall, Start, create_mcp_server, mount_mcp
from mlops_debugger.adapters.mcp_server import server as mcp_server
from mlops_debugger.adapters.mcp_server.http import ORIGINS_VARIABLE
from mlops_debugger.adapters.mcp_server.seats import NOT_STARTED
from mlops_debugger.agents.oracle import gold
from mlops_debugger.bank import Bank, Scenario
from mlops_debugger.environment import TASK_DESCRIPTION, Selector, Session
from mlops_debugger.environment.driver import Settings
from mlops_debugger.errors import BankError, EpisodeError
from mlops_debugger.grading import TrialRequest, TrialResult
from mlops_debugger.openenv.app import create_server_app, local_server
from mlops_debugger.openenv.client import MLOpsClient
from mlops_debugger.openenv.trials import AsyncTrials
from mlops_debugger.tools import TOOLS, read_call, reading
from mlops_debugger.watch import TranscriptLog, Watch, read_episodes

ROOT = Path(__file__).parents[1]
# What README.md and docs/integrations.md show; `test_pages_show_what_is_tested` holds them to it.
CHAT_CLIENT = {"mcpServers": {"mlops-debugger": {"command": "mlops-debugger", "args": ["mcp"]}}}
VS_CODE = {"servers": {"mlops-debugger": {"type": "stdio", "command": "mlops-debugger", "args": ["mcp"]}}}
HTTP_CHAT_CLIENT = {"mcpServers": {"mlops-debugger": {"type": "http", "url": "http://127.0.0.1:8000/mcp"}}}
HTTP_CLIENT = """\
import asyncio

from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client


async def main() -> None:
    async with (
        streamable_http_client("http://127.0.0.1:8000/mcp") as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        opened = await session.call_tool("start_episode", {"seed": 7})
        print(opened.content[0].text)
        checked = await session.call_tool("run_sanity_check", {"sanity_check_type": "data_leakage"})
        print(checked.structuredContent["result"]["verdict"])


asyncio.run(main())
"""
NO_FAULT = {"diagnosis": "nothing is wrong"}
HELLO = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}},
}  # fmt: skip
CANARY = "canary-that-must-not-be-heard"


@pytest.fixture(scope="module")
def url(bank_path: Path) -> Iterator[str]:
    with local_server(create_server_app(bank_path)) as address:
        yield address


@pytest.fixture(scope="module")
def bank(bank_path: Path) -> Iterator[Bank]:
    opened = Bank(bank_path)
    yield opened
    opened.close()


def environment() -> dict[str, str]:
    """What a client hands its server, with the package under test first and its commands on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {"PYTHONPATH": str(ROOT / "src"), "PATH": path}


@asynccontextmanager
async def over_stdio(*words: str, errors: Any = sys.stderr) -> AsyncIterator[ClientSession]:
    server = CHAT_CLIENT["mcpServers"]["mlops-debugger"]
    parameters = StdioServerParameters(
        command=str(server["command"]), args=[*server["args"], *words], env=environment()
    )
    async with stdio_client(parameters, errors) as streams, ClientSession(*streams) as session:
        yield session


@asynccontextmanager
async def over_http(url: str) -> AsyncIterator[ClientSession]:
    async with streamable_http_client(f"{url}/mcp") as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        yield session


def play(job: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(job(), 240)

    asyncio.run(bounded())


def text(result: CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


def step(result: CallToolResult) -> dict[str, Any]:
    assert result.structuredContent is not None, text(result)
    return result.structuredContent


def answers(bank: Bank, seed: int) -> dict[str, str]:
    """The oracle's submission for this seed, as arguments of submit_diagnosis."""
    session = Session(bank)
    session.reset(seed=seed)
    return gold(session.state()).model_dump(exclude_none=True, exclude={"action_type", "metadata"})


def faulty(bank: Bank, file: str = "config.yaml") -> int:
    """A seed that draws a scenario whose fault is in `file`."""
    selector = Selector(bank)
    return next(
        seed
        for seed in range(500)
        if any(answer.file == file for answer in bank.get(selector.select(seed=seed)).answers[:1])
    )


def with_canaries(scenario: Scenario) -> Scenario:
    """The same scenario, a canary in every field that holds ground truth."""
    answers = tuple(
        answer.model_copy(update={"field": CANARY, "names": {CANARY: 1.0}, "file": CANARY, "categories": (CANARY,)})
        for answer in scenario.answers
    )
    told = dict.fromkeys(("fault", "site", "gold_fix", "sentence", "scenario_id", "project"), CANARY)
    twins = dict.fromkeys(scenario.artifacts, CANARY)
    return scenario.model_copy(
        update={**told, "answers": answers, "twin_artifacts": twins, "twin_findings": {"data_leakage": {CANARY: 1}}}
    )


# --- what the server says of itself


def test_tools_are_the_contract(url: str) -> None:
    async def job() -> None:
        async with over_http(url) as session:
            listed = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert list(listed) == ["start_episode", *contract.ACTION_TYPES]
        for tool in listed.values():
            jsonschema.Draft202012Validator.check_schema(tool.inputSchema)
            assert tool.outputSchema is not None
            assert tool.description and len(tool.description) > 60
            assert tool.inputSchema["additionalProperties"] is False
            for name, argument in tool.inputSchema["properties"].items():
                assert argument["description"], (tool.name, name)
        enums = {
            ("run_sanity_check", "sanity_check_type"): contract.SANITY_CHECKS,
            ("query_artifact", "artifact_name"): contract.ARTIFACTS,
            ("submit_diagnosis", "failure_category"): contract.CATEGORIES,
            ("submit_diagnosis", "root_cause_file"): contract.ARTIFACTS,
            ("start_episode", "task"): ("easy", "medium", "hard", "mixed"),
            ("start_episode", "split"): ("train", "validation", "test"),
        }
        for (tool_name, argument_name), values in enums.items():
            assert listed[tool_name].inputSchema["properties"][argument_name]["enum"] == list(values)
        assert listed["run_sanity_check"].inputSchema["required"] == ["sanity_check_type"]
        assert listed["query_artifact"].inputSchema["required"] == ["artifact_name"]

    play(job)


def test_every_field_of_an_action_belongs_to_a_tool() -> None:
    used = {name for tool in TOOLS.values() for name in tool.arguments}
    assert used == set(contract.MLOpsAction.model_fields) - {"action_type", "metadata"}
    assert tuple(TOOLS) == contract.ACTION_TYPES


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("dance", {}, "no tool 'dance'"),
        ("read_config", {"colour": "red"}, "read_config has no argument 'colour': it has none"),
        ("read_config", {"action_type": "submit_diagnosis"}, "action_type"),
        ("read_logs", {"log_filter": 5}, "log_filter: expected text, found int"),
        ("read_logs", ["nan"], "as an object, found list"),
        ("read_logs", {"\ud800": "x"}, "no argument '\\ud800'"),
        ("run_sanity_check", {}, "run_sanity_check needs sanity_check_type: one of label_consistency"),
        ("run_sanity_check", {"sanity_check_type": "vibes"}, "expected one of label_consistency"),
        ("query_artifact", {"field_path": "a"}, "needs artifact_name"),
        ("submit_diagnosis", {"failure_category": "bad luck"}, "expected one of config_error"),
        ("x" * 9000, {}, "no tool"),
    ],
)
def test_calls_that_make_no_sense_are_told(name: str, arguments: object, said: str) -> None:
    told = read_call(name, arguments)
    assert isinstance(told, str) and said in told and len(told) < 600
    told.encode()


def test_what_is_left_out_may_be_null_or_empty() -> None:
    action = read_call("submit_diagnosis", {"diagnosis": "fine", "failure_category": "", "proposed_fix": None})
    assert action == contract.MLOpsAction(action_type="submit_diagnosis", diagnosis="fine")


def test_an_answer_is_readable_text() -> None:
    observation = contract.MLOpsObservation(
        task_id="mixed", task_description="", run_id="r", run_summary={}, available_artifacts=[], step_count=2,
        messages=["3 steps left"],
        last_action_result={"artifact": "config.yaml", "field_path": "a.b", "value": None, "more": {"c": [1, 2.5]},
                            "content": "first\nsecond"},
    )  # fmt: skip
    assert reading(observation) == (
        "Step 2 of 30.\n3 steps left\n\nartifact: config.yaml\nfield_path: a.b\nvalue: null\n"
        'more: {"c": [1, 2.5]}\ncontent:\nfirst\nsecond'
    )


# --- stdio


def test_official_client_over_stdio() -> None:
    async def job() -> None:
        read_end, write_end = os.pipe()
        with os.fdopen(write_end, "w") as errors:
            async with over_stdio("--max-steps", "6", "--task", "easy", errors=errors) as session:
                hello = await session.initialize()
                assert (hello.serverInfo.name, hello.serverInfo.version) == ("mlops-debugger", __version__)
                assert hello.instructions and "start_episode" in hello.instructions
                assert text(await session.call_tool("read_config", {})) == NOT_STARTED
                opened = await session.call_tool("start_episode", {"seed": 3})
                assert TASK_DESCRIPTION in text(opened)
                assert (step(opened)["task_id"], step(opened)["max_steps"]) == ("easy", 6)
                read = await session.call_tool("read_config", {})
                assert step(read)["result"]["artifact"] == "config.yaml" and not read.isError
                assert step(read)["result"]["content"] in text(read)
                bad = await session.call_tool("run_sanity_check", {"sanity_check_type": "vibes"})
                assert bad.isError and "label_consistency" in text(bad) and step(bad)["step_count"] == 2
                ended = await session.call_tool("submit_diagnosis", NO_FAULT)
                assert step(ended)["done"] and step(ended)["score"] in (0.0, 1.0)
        # The end of the pipe comes when the last process that holds it is gone: workers do not outlive the server.
        with os.fdopen(read_end) as told:
            lines = told.read().splitlines()
        assert len(lines) == 1 and "ixes" in lines[0], lines

    play(job)


def test_standard_output_carries_the_protocol_alone() -> None:
    """Raw bytes: every line is JSON-RPC, whatever is sent; what cannot be read ends nothing."""
    call = {"jsonrpc": "2.0", "method": "tools/call"}
    sent = [
        json.dumps(HELLO).encode(),
        json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode(),
        b"this is not JSON",
        b"\xff\xfe\x00",
        json.dumps({**call, "id": 2, "params": {"name": "start_episode", "arguments": ["list"]}}).encode(),
        json.dumps({**call, "id": 3, "params": {"name": "start_episode", "arguments": {"seed": 1}}}).encode(),
        json.dumps({**call, "id": 4, "params": {"name": "read_logs", "arguments": {"log_filter": "\ud800"}}}).encode(),
        json.dumps({"jsonrpc": "2.0", "id": 5, "method": "tools/list"}).encode(),
    ]
    # Not communicate(): the end of input ends the server at once, and calls under way with it.
    with subprocess.Popen(
        ["mlops-debugger", "mcp"], env={**os.environ, **environment()},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as server:  # fmt: skip
        assert server.stdin and server.stdout and server.stderr
        server.stdin.write(b"\n".join(sent) + b"\n")
        server.stdin.flush()
        answered: dict[int, Any] = {}
        while 5 not in answered or 3 not in answered:
            message = json.loads(server.stdout.readline())
            assert message["jsonrpc"] == "2.0"
            if "id" in message:
                answered[message["id"]] = message
        server.stdin.close()
        assert server.stdout.read() == b""
        assert server.wait(30) == 0
        server.stderr.read()
    assert answered[1]["result"]["instructions"]
    assert answered[2]["error"]["code"] == -32602
    assert not answered[3]["result"].get("isError")
    assert len(answered[5]["result"]["tools"]) == 9


def test_config_blocks_of_chat_clients_start_the_server() -> None:
    """fastmcp reads the very block that chat clients read; the one of VS Code says the same in its own words."""
    ((name, server),) = CHAT_CLIENT["mcpServers"].items()
    assert VS_CODE["servers"][name] == {"type": "stdio", **server}

    async def job() -> None:
        async with Client({"mcpServers": {name: {**server, "env": environment()}}}) as client:
            assert len(await client.list_tools()) == 9
            opened = await client.call_tool("start_episode", {"seed": 1})
            assert opened.structured_content and opened.structured_content["max_steps"] == 30

    play(job)


def test_pages_show_what_is_tested() -> None:
    """A page that shows a config block or the HTTP client shows one of those above."""
    known = [CHAT_CLIENT, VS_CODE, HTTP_CHAT_CLIENT]
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        content = page.read_text("utf-8")
        for block in re.findall(r"```json\n(.*?)```", content, re.DOTALL):
            if "ervers" in block:
                assert json.loads(block) in known, page
        for block in re.findall(r"```python\n(.*?)```", content, re.DOTALL):
            if "streamable_http_client" in block:
                assert block == HTTP_CLIENT, page


@pytest.mark.slow
def test_a_graded_diagnosis_over_stdio(bank: Bank) -> None:
    """A real trial: the gold fix is trained in a worker, and the score comes back."""
    seed = faulty(bank)

    async def job() -> None:
        async with over_stdio() as session:
            await session.initialize()
            await session.call_tool("start_episode", {"seed": seed})
            await session.call_tool("read_config", {})
            ended = await session.call_tool("submit_diagnosis", answers(bank, seed))
            assert step(ended)["score"] == 1.0, text(ended)
            assert step(ended)["result"]["rows"] == {"category": 1.0, "file": 1.0, "field": 1.0, "fix": 1.0}
            over = await session.call_tool("read_config", {})
            assert over.isError and "score 1" in text(over)
            assert step(await session.call_tool("start_episode", {"seed": seed + 1}))["step_count"] == 0

    play(job)


# --- streamable HTTP


@pytest.mark.slow
def test_a_graded_diagnosis_over_http_while_others_play(bank_path: Path, bank: Bank) -> None:
    seed = faulty(bank)

    async def job(url: str) -> None:
        async with over_http(url) as one, Client(f"{url}/mcp") as other:
            await one.call_tool("start_episode", {"seed": seed})
            await other.call_tool("start_episode", {"seed": seed})
            async with anyio.create_task_group() as tasks:
                ended: list[CallToolResult] = []

                async def submit() -> None:
                    ended.append(await one.call_tool("submit_diagnosis", answers(bank, seed)))

                tasks.start_soon(submit)
                steps = 0
                while not ended and steps < 20:
                    read = await other.call_tool("read_config", {})
                    assert read.structured_content and not read.structured_content["done"]
                    steps += 1
            assert steps == 20
            assert step(ended[0])["score"] == 1.0, text(ended[0])

    with AsyncTrials() as trainer, local_server(create_server_app(bank_path, trainer)) as url:
        play(lambda: job(url))


def test_fastmcp_client_over_http(url: str) -> None:
    """By the very block that chat clients read."""
    block = json.loads(json.dumps(HTTP_CHAT_CLIENT).replace("http://127.0.0.1:8000", url))

    async def job() -> None:
        async with Client(block) as client:
            assert [tool.name for tool in await client.list_tools()][1:] == list(contract.ACTION_TYPES)
            with pytest.raises(ToolError, match="start_episode first"):
                await client.call_tool("read_config", {})
            await client.call_tool("start_episode", {"split": "test", "index": 0})
            found = await client.call_tool("query_artifact", {"artifact_name": "model_card.json"})
            assert found.structured_content and found.structured_content["artifacts_read"] == ["model_card.json"]
            with pytest.raises(ToolError, match=r"config\.yaml, train\.log"):
                await client.call_tool("query_artifact", {"artifact_name": "answers.json"})
            ended = await client.call_tool("submit_diagnosis", NO_FAULT)
            assert ended.structured_content and ended.structured_content["step_count"] == 3

    play(job)


def test_the_block_of_the_page_runs(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(HTTP_CLIENT.replace("http://127.0.0.1:8000", url), "page", "exec"), {})  # noqa: S102
    told = capsys.readouterr().out
    assert TASK_DESCRIPTION in told
    assert told.strip().splitlines()[-1] in ("pass", "warn", "fail", "not_applicable")


def test_interleaved_sessions_are_isolated(url: str) -> None:
    """Two sessions, their calls in turns: each gets, byte for byte, what it gets alone."""
    calls: list[tuple[str, dict[str, Any]]] = [
        ("read_config", {}),
        ("read_logs", {"log_filter": "epoch:1-2"}),
        ("run_sanity_check", {"sanity_check_type": "loss_trajectory"}),
        ("read_config", {}),
        ("query_artifact", {"artifact_name": "config.yaml", "field_path": "nowhere"}),
        ("submit_diagnosis", {"failure_category": "config_error"}),
    ]

    async def alone(seed: int) -> list[str]:
        async with over_http(url) as session:
            told = [await session.call_tool("start_episode", {"seed": seed})]
            told += [await session.call_tool(name, arguments) for name, arguments in calls]
            return [result.model_dump_json() for result in told]

    async def job() -> None:
        expected = await alone(1), await alone(2)
        async with over_http(url) as one, over_http(url) as two:
            told: tuple[list[str], list[str]] = ([], [])
            for name, arguments in [("start_episode", {}), *calls]:
                for number, session in enumerate((one, two)):
                    given = {"seed": number + 1} if name == "start_episode" else arguments
                    told[number].append((await session.call_tool(name, given)).model_dump_json())
        assert told == expected
        assert expected[0] != expected[1]

    play(job)


def test_calls_at_once_are_carried_out_one_after_the_other(url: str) -> None:
    async def job() -> None:
        async with over_http(url) as session:
            await session.call_tool("start_episode", {"seed": 1})
            calls = [session.call_tool("query_artifact", {"artifact_name": name}) for name in contract.ARTIFACTS]
            found = await asyncio.gather(*calls)
            assert sorted(step(result)["step_count"] for result in found) == list(range(1, 7))

    play(job)


def test_bad_starts_are_told_and_the_episode_goes_on(url: str) -> None:
    bad: list[tuple[dict[str, Any], str]] = [
        ({"seed": -1}, "seed"),
        ({"seed": "seven"}, "seed"),
        ({"seed": True}, "seed"),
        ({"seed": 2**80}, "seed"),
        ({"task": "impossible"}, "task"),
        ({"task": ["easy"]}, "task"),
        ({"split": "holdout"}, "split"),
        ({"split": {"a": 1}}, "split"),
        ({"index": 10**9}, "index"),
        ({"index": "0"}, "index"),
        ({"controls": True}, "controls"),
        ({"scenario_id": "s-1"}, "scenario_id"),
    ]

    async def job() -> None:
        async with over_http(url) as session:
            await session.call_tool("start_episode", {"seed": 1})
            await session.call_tool("read_config", {})
            for arguments, said in bad:
                told = await session.call_tool("start_episode", arguments)
                assert told.isError and said in text(told) and len(text(told)) < 400, arguments
            assert step(await session.call_tool("read_config", {}))["step_count"] == 2

    play(job)


def test_bad_calls_cost_a_step_and_end_nothing(url: str) -> None:
    bad: list[tuple[str, dict[str, Any], str]] = [
        ("dance", {}, "there are read_config"),
        ("read_config", {"colour": "red"}, "colour"),
        ("read_logs", {"log_filter": {"a": 1}}, "log_filter"),
        ("run_sanity_check", {}, "label_consistency"),
        ("query_artifact", {"artifact_name": "../../bank.sqlite"}, "config.yaml"),
        ("query_artifact", {"artifact_name": "config.yaml", "field_path": "a" * 100_000}, "at most"),
        ("submit_diagnosis", {"root_cause_file": "config.yaml"}, "incomplete"),
    ]

    async def job() -> None:
        async with over_http(url) as session:
            await session.call_tool("start_episode", {"seed": 1})
            for number, (name, arguments, said) in enumerate(bad, start=1):
                told = await session.call_tool(name, arguments)
                assert told.isError and said in text(told) and len(text(told)) < 2000, name
                assert (step(told)["step_count"], step(told)["done"]) == (number, False)
                assert "error" in step(told)["result"]
            assert not (await session.call_tool("read_config", {})).isError

    play(job)


def test_the_step_limit_ends_an_episode(bank_path: Path) -> None:
    async def job(url: str) -> None:
        async with over_http(url) as session:
            await session.call_tool("start_episode", {"seed": 1})
            await session.call_tool("read_config", {})
            last = await session.call_tool("read_logs", {})
            assert step(last)["done"] and step(last)["score"] == 0.0
            assert "limit of 2 steps" in text(last)
            assert "over after 2 steps" in text(await session.call_tool("read_config", {}))

    with local_server(create_server_app(bank_path, settings=Settings(max_steps=2))) as url:
        play(lambda: job(url))


def test_a_full_hall_is_told_and_frees_up(bank_path: Path) -> None:
    async def job(url: str) -> None:
        async with over_http(url) as one, over_http(url) as three:
            async with over_http(url) as two:
                for session in (one, two):
                    assert not (await session.call_tool("start_episode", {"seed": 1})).isError
                told = await three.call_tool("start_episode", {"seed": 1})
                assert told.isError and "all 2 taken" in text(told)
                # Who plays already may start again; who was refused has no episode.
                assert not (await one.call_tool("start_episode", {"seed": 2})).isError
                assert text(await three.call_tool("read_config", {})) == NOT_STARTED
            # A client that leaves gives its place back, and so does an episode that is over.
            assert not (await three.call_tool("start_episode", {"seed": 1})).isError
            async with over_http(url) as four:
                assert (await four.call_tool("start_episode", {})).isError
                await one.call_tool("submit_diagnosis", NO_FAULT)
                assert not (await four.call_tool("start_episode", {})).isError

    with local_server(create_server_app(bank_path, max_sessions=2)) as url:
        play(lambda: job(url))


def test_idle_episodes_are_ended(bank: Bank) -> None:
    clock = [0.0]
    hall = Hall(bank, capacity=2, idle_s=60, clock=lambda: clock[0])

    async def job() -> None:
        idle, active, waiting = hall.seat(), hall.seat(), hall.seat()
        for seat in (idle, active):
            await seat.start(seed=1, task="mixed", split=None, index=None)
        clock[0] = 50.0
        await active.call("read_config", {})
        with pytest.raises(EpisodeError, match="all 2 taken"):
            await waiting.start(seed=1, task="mixed", split=None, index=None)
        clock[0] = 61.0
        await waiting.start(seed=1, task="mixed", split=None, index=None)
        assert hall.playing == 2
        with pytest.raises(EpisodeError, match="ended after 60 s without a call"):
            await idle.call("read_config", {})
        assert (await active.call("read_logs", {})).step_count == 2
        # Nobody asks for the place, but the episode is over all the same.
        clock[0] = 500.0
        with pytest.raises(EpisodeError, match="ended after 60 s"):
            await active.call("read_config", {})
        await active.start(seed=1, task="mixed", split=None, index=None)
        assert (await active.call("read_config", {})).step_count == 1

    play(job)


def test_a_damaged_bank_is_the_operators_matter(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise BankError(f"scenario {name} in /a/secret/path is damaged")

    async def job() -> None:
        with pytest.raises(EpisodeError) as told:
            await Hall(bank, capacity=1, idle_s=60).seat().start(seed=1, task="mixed", split=None, index=None)
        assert "secret" not in str(told.value) and "operator" in str(told.value)

    monkeypatch.setattr(bank, "get", broken)
    play(job)


class Slow:
    """A trainer whose trials wait until they are told to end; each is a trial that could not be carried out."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.count = 0

    async def __call__(self, request: TrialRequest) -> TrialResult:
        self.count += 1
        self.begun.set()
        while not self.go.is_set():
            await asyncio.sleep(0.01)
        return TrialResult("infrastructure", (), "it was slow", request.touches)


def test_a_trial_blocks_nobody_and_survives_an_impatient_client(bank_path: Path, bank: Bank) -> None:
    seed, trainer = faulty(bank), Slow()

    async def job(url: str) -> None:
        async with over_http(url) as one, over_http(url) as two:
            await one.call_tool("start_episode", {"seed": seed})
            await two.call_tool("start_episode", {"seed": seed})
            with pytest.raises(McpError, match=r"[Tt]imed out"):
                await one.call_tool("submit_diagnosis", answers(bank, seed), read_timeout_seconds=timedelta(seconds=1))
            assert trainer.begun.is_set()
            assert step(await two.call_tool("read_config", {}))["step_count"] == 1
            trainer.go.set()
            told = await one.call_tool("submit_diagnosis", answers(bank, seed))
            assert told.isError and "over after 1 steps with score 0.55" in text(told)
            assert trainer.count == 1

    with local_server(create_server_app(bank_path, trainer)) as url:
        play(lambda: job(url))


def test_a_client_hears_that_a_trial_goes_on_and_may_give_up(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress while the fix is tried; a call that the client cancels does not lose the grade."""
    monkeypatch.setattr(mcp_server, "_PROGRESS_EVERY_S", 0.02)
    seed, trainer, heard = faulty(bank), Slow(), asyncio.Event()

    async def told(progress: float, total: float | None, message: str | None) -> None:
        assert progress > 0 and message and "being tried" in message
        heard.set()

    async def job() -> None:
        server = create_mcp_server(Hall(bank, trainer, capacity=1, idle_s=60))
        async with create_connected_server_and_client_session(server) as session:
            await session.call_tool("start_episode", {"seed": seed})
            request = session._request_id
            submitted = asyncio.ensure_future(
                session.call_tool("submit_diagnosis", answers(bank, seed), progress_callback=told)
            )
            await heard.wait()
            cancelled = CancelledNotification(params=CancelledNotificationParams(requestId=request))
            await session.send_notification(ClientNotification(cancelled))
            with pytest.raises(McpError, match="cancelled"):
                await submitted
            trainer.go.set()
            over = await session.call_tool("read_config", {})
            assert over.isError and "over after 1 steps with score 0.55" in text(over)

    play(job)


def test_a_server_that_stops_waits_for_a_trial_in_flight(bank_path: Path, bank: Bank) -> None:
    seed, trainer, told = faulty(bank), Slow(), []

    async def job(url: str) -> None:
        async with over_http(url) as session:
            await session.call_tool("start_episode", {"seed": seed})
            told.append(await session.call_tool("submit_diagnosis", answers(bank, seed)))

    def patient(url: str) -> None:
        # Ending the session fails afterwards: nobody is there any more.
        with contextlib.suppress(BaseExceptionGroup, httpx.HTTPError, OSError):
            play(lambda: job(url))

    with local_server(create_server_app(bank_path, trainer)) as url:
        client = threading.Thread(target=patient, args=(url,))
        client.start()
        assert trainer.begun.wait(60)
        release = threading.Timer(0.5, trainer.go.set)
        release.start()
    client.join(60)
    assert step(told[0])["done"] and step(told[0])["score"] == 0.55


def test_no_byte_tells_the_answer(bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every byte that a client gets from start to end, wrong calls and an accepted wrong answer included.

    The episode is kept meanwhile, and its transcript, which may be handed to whoever played, tells no more.
    """
    seen, seed = bytearray(), faulty(bank)
    real = bank.get
    monkeypatch.setattr(bank, "get", lambda name: with_canaries(real(name)))
    app: Any = Starlette()
    log = TranscriptLog(tmp_path)
    mount_mcp(app, bank, max_sessions=1, watch=Watch(log=log))

    async def keep(response: httpx.Response) -> None:
        await response.aread()
        seen.extend(response.content + str(response.headers).encode())

    async def job(url: str) -> None:
        async with (
            httpx.AsyncClient(event_hooks={"response": [keep]}) as http,
            streamable_http_client(f"{url}/mcp", http_client=http) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            await session.list_tools()
            await session.call_tool("start_episode", {"seed": seed})
            for name in TOOLS:
                await session.call_tool(name, {})
            for check in contract.SANITY_CHECKS:
                await session.call_tool("run_sanity_check", {"sanity_check_type": check})
            for path in ("fault", "gold_fix", CANARY[:6]):
                await session.call_tool("query_artifact", {"artifact_name": "config.yaml", "field_path": path})
            for wrong in ({"failure_category": "config_error"}, NO_FAULT, NO_FAULT):
                ended = await session.call_tool("submit_diagnosis", wrong)
            assert ended.isError and "over" in text(ended)

    with local_server(app) as url:
        play(lambda: job(url))
    assert len(seen) > 20_000 and b"accepted" in seen
    assert CANARY.encode() not in seen
    log.close()
    assert len(list(read_episodes(tmp_path))) == 1
    assert CANARY not in log.path.read_text("utf-8")


# --- beside OpenEnv


def test_openenv_keeps_its_own_at_the_same_path(url: str) -> None:
    for body in ({}, {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}):
        answer = httpx.post(f"{url}/mcp", json=body)
        assert answer.status_code == 200 and answer.json()["jsonrpc"] == "2.0"
    with MLOpsClient(url).sync() as session:
        assert session.reset(seed=1).observation.step_count == 0


def test_http_says_what_it_does_not_do(url: str) -> None:
    both = {"Accept": "application/json, text/event-stream"}
    get = httpx.get(f"{url}/mcp", headers=both)
    assert get.status_code == 405 and get.headers["allow"] == "POST, DELETE"
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert httpx.post(f"{url}/mcp", json=call, headers={**both, "Mcp-Session-Id": "nobody"}).status_code == 404
    assert httpx.post(f"{url}/mcp", json=call, headers=both).status_code == 400
    assert (
        httpx.post(f"{url}/mcp", content=b"[", headers={**both, "Content-Type": "application/json"}).status_code == 400
    )
    assert httpx.post(f"{url}/mcp", json={"x": "y" * (1 << 20)}, headers=both).status_code == 413
    assert httpx.delete(f"{url}/mcp").status_code in (400, 404)


def test_sessions_that_are_left_behind_end(bank: Bank) -> None:
    """A client that vanishes without a word: its episode ends after the idle time, its session after twice that."""
    app: Any = Starlette()
    hall = mount_mcp(app, bank, max_sessions=1, idle_s=0.2)
    start = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "start_episode", "arguments": {}}}
    both = {"Accept": "application/json, text/event-stream"}
    with local_server(app) as url, httpx.Client(base_url=url, headers=both) as client:
        session = {"Mcp-Session-Id": client.post("/mcp", json=HELLO).headers["mcp-session-id"]}
        client.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=session)
        assert not client.post("/mcp", json=start, headers=session).json()["result"]["isError"]
        assert hall.playing == 1
        time.sleep(1.0)
        assert client.post("/mcp", json=start, headers=session).status_code == 404
        # The client has its answer before the server has put the session away.
        wait_for(lambda: hall.playing == 0, seconds=30.0)


def test_pages_of_strangers_may_not_connect(url: str, bank_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def status(address: str, origin: str) -> int:
        headers = {"Accept": "application/json, text/event-stream", "Origin": origin}
        return httpx.post(f"{address}/mcp", json=HELLO, headers=headers).status_code

    for origin in ("https://evil.example", "http://localhost.evil.example", "null", "http://["):
        assert status(url, origin) == 403, origin
    for origin in ("http://localhost:6274", "http://127.0.0.1:9", "http://[::1]:9"):
        assert status(url, origin) == 200, origin
    monkeypatch.setenv(ORIGINS_VARIABLE, "https://chat.example, https://other.example/")
    with local_server(create_server_app(bank_path)) as address:
        assert status(address, "https://other.example") == 200
        assert status(address, "https://evil.example") == 403


def test_it_can_be_mounted_alone(bank: Bank) -> None:
    """Beside no OpenEnv at all, with the operator's own defaults."""
    app: Any = Starlette()
    hall = mount_mcp(app, bank, max_sessions=1, start=Start("easy", "test"))

    async def job(url: str) -> None:
        async with over_http(url) as session:
            assert step(await session.call_tool("start_episode", {}))["task_id"] == "easy"
            assert hall.playing == 1

    with local_server(app) as url:
        play(lambda: job(url))
        # The client has its answer before the server has put the session away.
        wait_for(lambda: hall.playing == 0, seconds=30.0)


def test_playing_over_stdio_needs_neither_openenv_nor_torch() -> None:
    code = (
        "import sys, mlops_debugger.adapters.mcp_server, mlops_debugger.cli\n"
        "print([name for name in ('openenv', 'torch', 'prometheus_client', 'fastmcp', 'gradio', 'pandas', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr
