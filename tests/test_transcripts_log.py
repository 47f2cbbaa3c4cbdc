"""Finished episodes are kept: what the client saw, durable before it hears of the end, whatever kills the server."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import start_server

from mlops_debugger.errors import ServingError
from mlops_debugger.openenv.app import create_server_app, local_server
from mlops_debugger.openenv.client import MLOpsClient
from mlops_debugger.openenv.models import MLOpsAction
from mlops_debugger.watch import TranscriptLog, read_episodes, transcripts

NO_FAULT = MLOpsAction(action_type="submit_diagnosis", diagnosis="nothing is wrong")


def send(session: Any, kind: str, data: Any) -> dict[str, Any]:
    reply: dict[str, Any] = session._run(session.async_client._send_and_receive({"type": kind, "data": data}))
    return reply["data"]


def seen(data: dict[str, Any]) -> dict[str, Any]:
    """The observation as it came over the wire."""
    return {**data["observation"], "done": data["done"], "reward": data["reward"]}


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def test_log_holds_what_the_client_saw_and_the_score(bank_path: Path, tmp_path: Path) -> None:
    got: list[list[dict[str, Any]]] = []
    log = TranscriptLog(tmp_path)
    with local_server(create_server_app(bank_path, log=log)) as url, MLOpsClient(url).sync() as session:
        got.append([seen(send(session, "reset", {"seed": 3, "episode_id": "first"}))])
        for data in (
            {"action_type": "read_config"},
            {"action_type": "dance"},
            {"action_type": "read_logs", "log_filter": "epoch:1-2"},
            {"action_type": "submit_diagnosis", "failure_category": "config_error"},
            {"action_type": "submit_diagnosis", "diagnosis": "nothing \ud800 is wrong"},
        ):
            got[0].append(seen(send(session, "step", data)))
        # An episode that is left for another was not finished.
        send(session, "reset", {"seed": 4})
        send(session, "step", {"action_type": "read_config"})
        got.append([seen(send(session, "reset", {"seed": 5, "episode_id": "second"}))])
        for _ in range(30):
            got[1].append(seen(send(session, "step", {"action_type": "read_config"})))
        assert not send(session, "step", {"action_type": "read_config"})["observation"]["last_action_result"].get(
            "config"
        )
    first, second = read_episodes(tmp_path)
    assert [list(map(plain, record.observations())) for record in (first, second)] == got
    assert (first.episode_id, first.seed, second.episode_id, second.seed) == ("first", 3, "second", 5)
    assert first.score == got[0][-1]["reward"] and first.rows.keys() == {"category", "file", "field", "fix"}
    assert (second.score, second.rows, second.unscored) == (0.0, {}, [])
    actions = [turn["action"] for turn in first.turns]
    assert actions[0] == {"action_type": "read_config"}
    assert "dance" in actions[1]["unreadable"]
    assert actions[2] == {"action_type": "read_logs", "log_filter": "epoch:1-2"}


def test_files_are_the_operators_alone_and_never_shared(tmp_path: Path) -> None:
    one, other = TranscriptLog(tmp_path), TranscriptLog(tmp_path)
    assert one.path != other.path
    assert one.path.stat().st_mode & 0o777 == 0o600
    one.close()
    one.close()
    with pytest.raises(ServingError, match="closed"):
        asyncio.run(one.add({}))
    other.close()
    (tmp_path / "file").write_text("x")
    with pytest.raises(ServingError, match="another folder"):
        TranscriptLog(tmp_path / "file" / "below")


def record(number: int) -> dict[str, Any]:
    return {
        "format": 1, "episode_id": f"e{number}", "finished_at": "2026-01-01T00:00:00.000+00:00", "seconds": 1.0,
        "seed": number, "score": 0.5, "rows": {}, "unscored": [], "opening": {"text": "x" * 2000}, "turns": [],
    }  # fmt: skip


def test_episodes_that_end_together_share_an_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, synced, hold = TranscriptLog(tmp_path), [], threading.Event()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        hold.wait(10)
        synced.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(transcripts.os, "fsync", fsync)

    async def play() -> None:
        waits = [asyncio.ensure_future(log.add(record(number))) for number in range(100)]
        await asyncio.sleep(0.05)
        # Nobody has been told yet: nothing is on the disk for sure.
        assert not any(wait.done() for wait in waits)
        hold.set()
        await asyncio.gather(*waits)

    asyncio.run(play())
    log.close()
    assert len(synced) <= 3
    assert [episode.seed for episode in read_episodes(tmp_path)] == list(range(100))


def test_a_torn_last_line_is_skipped_and_a_broken_one_is_told(tmp_path: Path) -> None:
    log = TranscriptLog(tmp_path)
    asyncio.run(log.add(record(1)))
    asyncio.run(log.add(record(2)))
    log.close()
    whole = log.path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in (*range(len(lines[0]), len(whole), 101), len(whole) - 1):
        log.path.write_bytes(whole[:cut])
        assert [episode.seed for episode in read_episodes(log.path)] == [1]
    log.path.write_bytes(lines[0][:50] + b"\n" + lines[1])
    with pytest.raises(ServingError, match="line 1"):
        list(read_episodes(log.path))


def test_a_full_disk_costs_the_episode_and_no_other(
    bank_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a line is taken back; the client hears that the episode does not count, and the session goes on."""
    log = TranscriptLog(tmp_path)
    real, full = os.write, True
    with local_server(create_server_app(bank_path, log=log)) as url, MLOpsClient(url).sync() as session:
        session.reset(seed=1)
        monkeypatch.setattr(transcripts.os, "write", fail_after_half(log, real, lambda: full))
        with pytest.raises(RuntimeError, match="does not count"):
            session.step(NO_FAULT)
        assert log.path.stat().st_size == 0
        metrics = httpx.get(f"{url}/metrics").text
        assert 'mlops_debugger_infrastructure_errors_total{kind="transcripts"} 1.0' in metrics
        full = False
        assert "over" in session.step(NO_FAULT).observation.last_action_result["error"]
        session.reset(seed=2, episode_id="after")
        assert session.step(NO_FAULT).done
    assert [episode.episode_id for episode in read_episodes(tmp_path)] == ["after"]


def fail_after_half(log: TranscriptLog, real: Any, full: Any) -> Any:
    """A disk with room for 100 more bytes."""
    room = [100]

    def write(descriptor: int, data: Any) -> int:
        if descriptor != log._file or not full():
            return int(real(descriptor, data))
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = int(real(descriptor, bytes(data)[: room[0]]))
        room[0] -= written
        return written

    return write


def test_kill_9_loses_no_finished_episode(bank_path: Path, tmp_path: Path) -> None:
    """A real server, killed while sessions finish episodes: whatever a client was told of is in the log."""
    told: list[str] = []
    enough = threading.Event()

    def play(number: int, url: str) -> None:
        try:
            with MLOpsClient(url).sync() as session:
                for turn in range(10_000):
                    name = f"{number}-{turn}"
                    session.reset(seed=turn, episode_id=name)
                    session.step(MLOpsAction(action_type="inspect_preprocessing"))
                    if session.step(NO_FAULT).done:
                        told.append(name)
                    if len(told) > 60:
                        enough.set()
        except (RuntimeError, ConnectionError, OSError):
            pass  # the server is dead

    with (
        start_server("--bank", str(bank_path), "--transcripts", str(tmp_path)) as server,
        ThreadPoolExecutor(6) as threads,
    ):
        for number in range(6):
            threads.submit(play, number, server.url)
        assert enough.wait(60)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)
    (file,) = tmp_path.iterdir()
    kept = [episode.episode_id for episode in read_episodes(tmp_path)]
    assert len(told) > 60
    assert set(told) <= set(kept)
    assert len(kept) == len(set(kept))
    # As if the kill had come in the midst of a write: all but the torn one is read.
    file.write_bytes(file.read_bytes()[:-7])
    assert [episode.episode_id for episode in read_episodes(file)] == kept[:-1]
