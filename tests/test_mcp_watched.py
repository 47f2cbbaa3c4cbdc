"""MCP sessions are counted, their finished episodes kept, and a server that stops waits for both: as OpenEnv's are."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import McpError
from mcp.shared.memory import create_connected_server_and_client_session
from mcp.types import CallToolResult, CancelledNotification, CancelledNotificationParams, ClientNotification
from test_mcp import NO_FAULT, Slow, answers, environment, faulty, over_http, over_stdio, play, step, text
from test_serving_metrics import counts
from test_transcripts_log import fail_after_half

from mlops_debugger.adapters.mcp_server import Hall, create_mcp_server
from mlops_debugger.bank import Bank
from mlops_debugger.environment import Session
from mlops_debugger.environment.driver import Settings
from mlops_debugger.errors import BankError
from mlops_debugger.openenv.app import create_server_app, local_server
from mlops_debugger.openenv.client import MLOpsClient
from mlops_debugger.openenv.models import MLOpsAction
from mlops_debugger.watch import EpisodeRecord, TranscriptLog, Watch, read_episodes, transcripts


@pytest.fixture(scope="module")
def bank(bank_path: Path) -> Any:
    opened = Bank(bank_path)
    yield opened
    opened.close()


def assert_holds(record: EpisodeRecord, opened: CallToolResult, answered: list[CallToolResult]) -> None:
    """The record has all that the client saw, and nothing that it did not, of the episode's own."""
    opening, *rest = json.loads(json.dumps(list(record.observations())))
    assert {name: opening[name] for name in step(opened)} == step(opened)
    assert len(rest) == len(answered)
    for told, result in zip(rest, answered, strict=True):
        seen = step(result)
        assert told["last_action_result"] == seen.pop("result")
        assert told["reward"] == (seen.pop("score") or 0.0)
        assert {name: told[name] for name in seen} == seen


async def until(true: Callable[[], Any]) -> None:
    """Ending a session is told to the server by a request of its own."""
    for _ in range(500):
        if await asyncio.to_thread(true):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to pass")


# --- counts


def test_everything_that_happens_over_mcp_is_counted(bank_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_server_app(bank_path, max_sessions=1, settings=Settings(max_steps=4))
    real = Bank.get

    def broken(self: Bank, name: str) -> Any:
        raise BankError("a secret")

    async def job(url: str) -> None:
        async with over_http(url) as one, over_http(url) as two:
            assert (await one.call_tool("read_config", {})).isError
            assert (await one.call_tool("start_episode", {"seed": -1})).isError
            assert (await one.call_tool("start_episode", {"scenario_id": "x"})).isError
            await one.call_tool("start_episode", {"seed": 1})
            assert (await two.call_tool("start_episode", {"seed": 1})).isError
            await one.call_tool("read_config", {})
            await one.call_tool("dance", {})
            await one.call_tool("submit_diagnosis", {"failure_category": "config_error"})
            during = await asyncio.to_thread(counts, url)
            health = (await asyncio.to_thread(httpx.get, f"{url}/health")).json()
            ended = await one.call_tool("read_logs", {"log_filter": 5})
            assert step(ended)["done"]
            assert (await one.call_tool("read_config", {})).isError
            await one.call_tool("start_episode", {"seed": 2})
            assert step(await one.call_tool("submit_diagnosis", NO_FAULT))["done"]
            monkeypatch.setattr(Bank, "get", broken)
            assert "secret" not in text(await one.call_tool("start_episode", {"seed": 3}))
            monkeypatch.setattr(Bank, "get", real)
        assert (during["mcp_sessions_open"], during["mcp_episodes_open"], during["sessions_open"]) == (2.0, 1.0, 0.0)
        assert health["mcp_sessions"] == {"open": 2} and health["mcp_episodes"] == {"open": 1, "max": 1}
        assert health["sessions"] == {"open": 0, "max": 1}
        await until(lambda: counts(url)["mcp_sessions_open"] == 0)

    with local_server(app) as url:
        before = counts(url)
        play(lambda: job(url))
        found = counts(url)
        expected = {
            "sessions_total": 1.0, "sessions_open": 0.0, "mcp_sessions_open": 0.0, "mcp_episodes_open": 0.0,
            "steps_total read_config": 1.0, "steps_total invalid": 2.0, "steps_total submit_diagnosis": 2.0,
            "step_seconds_count": 3.0, "diagnosis_seconds_count": 2.0, "rejects_total invalid_action": 2.0,
            "rejects_total incomplete_diagnosis": 1.0, "rejects_total nothing_to_step": 2.0,
            "rejects_total bad_reset": 3.0, "rejects_total capacity": 1.0, "episodes_total diagnosis": 1.0,
            "episodes_total out_of_steps": 1.0, "infrastructure_errors_total bank": 1.0,
            "infrastructure_errors_total transcripts": 0.0,
        }  # fmt: skip
        assert {name: found[name] for name in expected} == expected
        # No label of a scenario, none of a client's choosing.
        assert before.keys() == found.keys()
        # Both protocols count into the same counters.
        with MLOpsClient(url).sync() as session:
            session.reset(seed=1)
            session.step(MLOpsAction(action_type="read_config"))
            both = counts(url)
        assert both["steps_total read_config"] == 2.0 and both["sessions_total"] == 2.0
        assert (both["sessions_open"], both["mcp_sessions_open"]) == (1.0, 0.0)


def test_an_episode_that_was_idle_is_no_longer_counted_as_open(bank: Bank) -> None:
    clock, told = [0.0], []

    class Counted:
        began = stepped = rejected = troubled = ended = staticmethod(lambda *_, **__: None)

        def seated(self, sessions: int, playing: int) -> None:
            told.append((sessions, playing))

    async def job() -> None:
        hall = Hall(bank, capacity=1, idle_s=60, watch=Watch(Counted()), clock=lambda: clock[0])
        idle, other = hall.seat(), hall.seat()
        await idle.start(seed=1, task="mixed", split=None, index=None)
        assert told[-1] == (2, 1)
        clock[0] = 61.0
        await other.start(seed=1, task="mixed", split=None, index=None)
        assert told[-1] == (2, 1)
        other.close()
        other.close()
        assert told[-1] == (1, 0)
        idle.close()
        assert told[-1] == (0, 0) and hall.sessions == 0

    play(job)


# --- transcripts


def test_log_holds_what_the_client_saw_over_http(bank_path: Path, tmp_path: Path) -> None:
    app = create_server_app(bank_path, log=TranscriptLog(tmp_path), settings=Settings(max_steps=5, show_rows=False))
    calls: list[tuple[str, dict[str, Any]]] = [
        ("read_config", {}),
        ("dance", {}),
        ("submit_diagnosis", {"failure_category": "config_error"}),
        ("submit_diagnosis", {"diagnosis": "nothing is wrong"}),
    ]

    async def job(url: str) -> None:
        async with over_http(url) as session:
            opened = await session.call_tool("start_episode", {"seed": 3})
            first = [await session.call_tool(name, arguments) for name, arguments in calls]
            # On the disk before the client hears of the end.
            (record,) = read_episodes(tmp_path)
            assert_holds(record, opened, first)
            # An episode that is left for another was not finished.
            await session.call_tool("start_episode", {"seed": 4})
            await session.call_tool("read_config", {})
            opened = await session.call_tool("start_episode", {"seed": 5})
            second = [await session.call_tool("read_logs", {"log_filter": 1}) for _ in range(5)]
            assert step(second[-1])["done"]
            _, other = read_episodes(tmp_path)
            assert_holds(other, opened, second)
        # OpenEnv's sessions go on writing to the same log.
        with MLOpsClient(url).sync() as client:
            client.reset(seed=6)
            client.step(MLOpsAction(action_type="submit_diagnosis", diagnosis="x"))

    with local_server(app) as url:
        play(lambda: asyncio.wait_for(job(url), 200))
    kept = list(read_episodes(tmp_path))
    assert [record.seed for record in kept] == [3, 5, 6]
    assert len({record.episode_id for record in kept}) == 3
    # The rows are the operator's, even where clients see none.
    assert kept[0].rows.keys() == {"category", "file", "field", "fix"}
    assert "rows" not in kept[0].turns[-1]["last_action_result"]
    assert (kept[1].score, kept[1].rows) == (0.0, {})
    actions = [turn["action"] for turn in kept[0].turns]
    assert actions[0] == {"action_type": "read_config"} and "dance" in actions[1]["unreadable"]


def test_a_full_disk_is_told_in_words_and_costs_no_other_episode(
    bank_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = TranscriptLog(tmp_path)
    real, full = transcripts.os.write, [True]

    async def job(url: str) -> None:
        async with over_http(url) as session, over_http(url) as other:
            await session.call_tool("start_episode", {"seed": 1})
            lost = await session.call_tool("submit_diagnosis", NO_FAULT)
            assert lost.isError and lost.structuredContent is None
            assert "does not count" in text(lost) and "start_episode" in text(lost)
            assert str(tmp_path) not in text(lost)
            # Said again, not hidden behind a score; and its place is free.
            assert text(await session.call_tool("read_config", {})) == text(lost)
            assert not (await other.call_tool("start_episode", {"seed": 1})).isError
            await other.call_tool("submit_diagnosis", NO_FAULT)
            full[0] = False
            await session.call_tool("start_episode", {"seed": 2})
            assert step(await session.call_tool("submit_diagnosis", NO_FAULT))["done"]

    with local_server(create_server_app(bank_path, log=log, max_sessions=1)) as url:
        monkeypatch.setattr(transcripts.os, "write", fail_after_half(log, real, lambda: full[0]))
        play(lambda: job(url))
        found = counts(url)
        # Ended they have, but only the one that was kept was answered.
        assert found["infrastructure_errors_total transcripts"] == 2.0 and found["episodes_total diagnosis"] == 3.0
        assert found["steps_total submit_diagnosis"] == 1.0 and found["mcp_episodes_open"] == 0.0
    assert [episode.seed for episode in read_episodes(tmp_path)] == [2]


def test_a_broken_log_is_told_in_words_and_by_health(
    bank_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = TranscriptLog(tmp_path)

    async def job(url: str) -> None:
        async with over_http(url) as session:
            for seed in (1, 2):
                await session.call_tool("start_episode", {"seed": seed})
                lost = await session.call_tool("submit_diagnosis", NO_FAULT)
                assert lost.isError and "does not count" in text(lost)

    def fails(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    with local_server(create_server_app(bank_path, log=log)) as url:
        monkeypatch.setattr(transcripts.os, "fsync", fails)
        play(lambda: job(url))
        assert httpx.get(f"{url}/health").json()["status"] == "degraded"
    assert list(read_episodes(tmp_path)) == []


@pytest.mark.parametrize(
    ("cancels", "next_call"), [(False, "read_config"), (True, "read_config"), (True, "start_episode")]
)
def test_a_loss_that_nobody_waited_for_is_told_by_the_next_call(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cancels: bool, next_call: str
) -> None:
    """The client gives up waiting, with or without a word, its trial ends, and the transcript cannot be kept."""
    seed, trainer, log = faulty(bank), Slow(), TranscriptLog(tmp_path)
    monkeypatch.setattr(log, "broken", "it is broken")

    async def job() -> None:
        server = create_mcp_server(Hall(bank, trainer, capacity=1, idle_s=60, watch=Watch(log=log)))
        async with create_connected_server_and_client_session(server) as session:
            await session.call_tool("start_episode", {"seed": seed})
            request = session._request_id
            submitted = asyncio.ensure_future(
                session.call_tool(
                    "submit_diagnosis",
                    answers(bank, seed),
                    read_timeout_seconds=None if cancels else timedelta(seconds=0.3),
                )
            )
            await asyncio.to_thread(trainer.begun.wait, 60)
            if cancels:
                cancelled = CancelledNotification(params=CancelledNotificationParams(requestId=request))
                await session.send_notification(ClientNotification(cancelled))
            with pytest.raises(McpError, match=r"cancelled|[Tt]imed out"):
                await submitted
            trainer.go.set()
            lost = await session.call_tool(next_call, {})
            assert lost.isError and "does not count" in text(lost)
            assert not (await session.call_tool("start_episode", {"seed": 1})).isError

    play(job)
    log.close()


# --- the end of a server


def test_a_server_that_stops_keeps_the_episode_whose_trial_was_in_flight(
    bank_path: Path, bank: Bank, tmp_path: Path
) -> None:
    """Whether its client waits for it or gave up waiting."""
    seed, trainer = faulty(bank), Slow()

    async def job(url: str) -> None:
        async with over_http(url) as session:
            await session.call_tool("start_episode", {"seed": seed})
            with pytest.raises(McpError, match=r"[Tt]imed out"):
                await session.call_tool(
                    "submit_diagnosis", answers(bank, seed), read_timeout_seconds=timedelta(seconds=0.5)
                )
            gave_up.set()
            await asyncio.to_thread(stopped.wait, 60)

    def patient(url: str) -> None:
        # Ending the session fails afterwards: nobody is there any more.
        with contextlib.suppress(BaseExceptionGroup, httpx.HTTPError, OSError):
            play(lambda: job(url))

    gave_up, stopped = threading.Event(), threading.Event()
    app = create_server_app(bank_path, trainer, log=TranscriptLog(tmp_path))
    with local_server(app, grace_s=30.0) as url:
        client = threading.Thread(target=patient, args=(url,))
        client.start()
        assert gave_up.wait(60)
        threading.Timer(0.5, trainer.go.set).start()
    stopped.set()
    client.join(60)
    (record,) = read_episodes(tmp_path)
    assert (record.seed, record.score) == (seed, 0.55) and record.unscored == ["fix"]


def test_a_server_that_stops_waits_for_the_log(
    bank_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of an episode is being written when the server is stopped: its client still hears of it."""
    log, told = TranscriptLog(tmp_path), []
    real, writing, go = transcripts.os.write, threading.Event(), threading.Event()

    def slow(descriptor: int, data: Any) -> int:
        if descriptor == log._file:
            writing.set()
            go.wait(30)
        return real(descriptor, data)

    async def job(url: str) -> None:
        async with over_http(url) as session:
            await session.call_tool("start_episode", {"seed": 1})
            told.append(await session.call_tool("submit_diagnosis", NO_FAULT))

    def patient(url: str) -> None:
        with contextlib.suppress(BaseExceptionGroup, httpx.HTTPError, OSError):
            play(lambda: job(url))

    app = create_server_app(bank_path, log=log)
    with local_server(app, grace_s=30.0) as url:
        monkeypatch.setattr(transcripts.os, "write", slow)
        client = threading.Thread(target=patient, args=(url,))
        client.start()
        assert writing.wait(60)
        assert app.state.service._busy == 1
        threading.Timer(0.5, go.set).start()
    client.join(60)
    assert step(told[0])["done"]
    assert len(list(read_episodes(tmp_path))) == 1


# --- stdio


def test_stdio_reveals_the_answer_and_keeps_the_episode(bank: Bank, tmp_path: Path) -> None:
    """`mlops-debugger mcp --reveal --transcripts DIR`, spoken to by the official client."""
    folder = tmp_path / "made" / "by it"
    seed = faulty(bank)
    truth = Session(bank)
    truth.reset(seed=seed)
    state = truth.state()

    async def job() -> None:
        async with over_stdio("--reveal", "--transcripts", str(folder)) as session:
            await session.initialize()
            opened = await session.call_tool("start_episode", {"seed": seed})
            read = await session.call_tool("read_config", {})
            assert "gold_fix" not in text(read) and "answer" not in step(read)["result"]
            ended = await session.call_tool("submit_diagnosis", NO_FAULT)
            assert step(ended)["result"]["answer"] == {
                "category": state.bug_category, "file": state.bug_file, "field": state.bug_field,
                "gold_fix": state.gold_fix,
            }  # fmt: skip
            assert "gold_fix" in text(ended)
            (record,) = read_episodes(folder)
            assert_holds(record, opened, [read, ended])

    play(job)
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_stdio_reveals_nothing_unless_it_is_asked_to() -> None:
    async def job() -> None:
        async with over_stdio() as session:
            await session.initialize()
            await session.call_tool("start_episode", {"seed": 1})
            ended = await session.call_tool("submit_diagnosis", NO_FAULT)
            assert step(ended)["result"].keys() == {"accepted", "score", "rows"}
            assert "gold_fix" not in text(ended)

    play(job)


def test_stdio_tells_of_a_full_disk_in_words(tmp_path: Path) -> None:
    """The kernel's own limit on the size of files stands for the disk: half a record is written, and taken back."""
    folder, errors = tmp_path / "log", tmp_path / "errors"
    line = f'ulimit -f 1 && exec mlops-debugger mcp --transcripts "{folder}"'

    async def job() -> None:
        with errors.open("w") as written:
            server = StdioServerParameters(command="bash", args=["-c", line], env=environment())
            async with stdio_client(server, written) as streams, ClientSession(*streams) as session:
                await session.initialize()
                await session.call_tool("start_episode", {"seed": 1})
                lost = await session.call_tool("submit_diagnosis", NO_FAULT)
                assert lost.isError and "does not count" in text(lost)
                assert not (await session.call_tool("start_episode", {"seed": 1})).isError

    play(job)
    (file,) = folder.iterdir()
    assert file.stat().st_size == 0
    assert str(file) in errors.read_text()


def test_a_folder_that_cannot_be_used_is_told_before_anything_is_served(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    command = [sys.executable, "-c", "from mlops_debugger.cli import app; app()", "mcp"]
    done = subprocess.run(
        [*command, "--transcripts", str(tmp_path / "file")], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stdout == ""
    assert "another folder" in " ".join(done.stderr.split())
