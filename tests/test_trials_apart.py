"""Trials in a process of their own: they come back, and its death costs a trial, not the server."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from mlops_debugger.bank import Bank
from mlops_debugger.errors import PoolError, RunError
from mlops_debugger.grading import TrialRequest, TrialResult, Trials
from mlops_debugger.grading.apart import TrialsApart, main
from mlops_debugger.openenv.trials import AsyncTrials


@pytest.fixture(scope="module")
def unchanged(bank_path: Path) -> TrialRequest:
    """A fix that changes nothing: judged without training."""
    bank = Bank(bank_path)
    scenario = bank.get(bank.select(split="train", controls=False)[0].scenario_id)
    bank.close()
    return TrialRequest(scenario, scenario.artifacts["config.yaml"], scenario.artifacts["preprocessing.py"], False, 0)


def test_results_are_those_of_trials_in_process(unchanged: TrialRequest) -> None:
    with Trials() as here:
        expected = here.run(unchanged)
    apart = TrialsApart(workers=2)
    futures = [apart.submit(unchanged) for _ in range(20)]
    assert [future.result(60) for future in futures] == [expected] * 20
    apart.close()
    apart.close()
    with pytest.raises(PoolError, match="closed"):
        apart.submit(unchanged)


def test_process_stands_back_and_knows_no_secret(unchanged: TrialRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_DEBUGGER_TOKEN", "a-secret-of-the-server")

    async def play() -> None:
        with AsyncTrials(nice=5) as trials:
            await trials(unchanged)
            process = trials._trials._process
            assert process is not None
            pid = process._child.pid
            ours = os.getpriority(os.PRIO_PROCESS, 0)
            assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, ours + 5)
            assert b"a-secret-of-the-server" not in Path(f"/proc/{pid}/environ").read_bytes()
        deadline = time.monotonic() + 20
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    asyncio.run(play())


def test_a_process_that_dies_fails_its_trials_and_is_started_again(unchanged: TrialRequest) -> None:
    apart = TrialsApart()
    apart.submit(unchanged).result(60)
    process = apart._process
    assert process is not None
    os.kill(process._child.pid, signal.SIGSTOP)
    waiting = apart.submit(unchanged)
    os.kill(process._child.pid, signal.SIGKILL)
    with pytest.raises(PoolError, match="ended before"):
        waiting.result(30)
    assert apart.submit(unchanged).result(60).detail == "the fix changes nothing"
    assert apart._process is not process
    apart.close()
    process._reader.join(30)
    assert process.ended
    with pytest.raises(PoolError, match="gone: try again"):
        process.submit(unchanged).result(30)
    assert process._pending == {}


def test_what_goes_wrong_there_is_told_here(unchanged: TrialRequest) -> None:
    scenario = unchanged.scenario.model_copy(update={"project": "nowhere"})
    broken = replace(unchanged, scenario=scenario, config="a: 1\n", touches=1)
    with closing(TrialsApart()) as apart:
        with pytest.raises(PoolError, match=r"a trial failed with .*nowhere"):
            apart.submit(broken).result(60)
        assert apart.submit(unchanged).result(60).detail == "the fix changes nothing"


def test_code_patches_are_not_allowed_unless_asked_for() -> None:
    assert TrialsApart()._arguments == ("1", "0") and TrialsApart()._nice == 0
    assert TrialsApart(workers=3, allow_code=True, nice=4)._arguments == ("3", "1")


def answers_of_main(
    monkeypatch: pytest.MonkeyPatch, sent: Sequence[object], *arguments: str
) -> tuple[list[object], list[tuple[int, bool]]]:
    """What the process' own function answers, run in a thread of this one, and how it opened its trials."""
    opened: list[tuple[int, bool]] = []

    class Watched(Trials):
        def __init__(self, *, workers: int, allow_code: bool) -> None:
            opened.append((workers, allow_code))
            super().__init__(workers=workers, allow_code=allow_code)

        def run(self, request: TrialRequest) -> TrialResult:
            if request.touches < 0:
                raise RunError("no room") if request.touches == -1 else ValueError("odd")
            return super().run(request)

    monkeypatch.setattr("mlops_debugger.grading.apart.Trials", Watched)
    monkeypatch.setattr("mlops_debugger.grading.apart.signal.signal", lambda *_: None)  # only a main thread may
    codes: list[int] = []
    monkeypatch.setattr("mlops_debugger.grading.apart.os._exit", codes.append)
    ours, theirs = socket.socketpair()
    connection = Connection(ours.detach())
    thread = threading.Thread(target=main, args=([str(theirs.detach()), *arguments],))
    thread.start()
    told: list[object] = []
    for number, request in enumerate(sent):
        connection.send((number, request))
        told.append(connection.recv())
    connection.send(None)
    thread.join(30)
    connection.close()
    assert not thread.is_alive() and codes == [0]
    return told, opened


def test_process_answers_every_request_and_ends_when_told(
    monkeypatch: pytest.MonkeyPatch, unchanged: TrialRequest
) -> None:
    sent = [unchanged, replace(unchanged, touches=-1), replace(unchanged, touches=-2), unchanged]
    told, opened = answers_of_main(monkeypatch, sent, "2", "0")
    with Trials() as here:
        expected = here.run(unchanged)
    assert told == [(0, expected), (1, "no room"), (2, "a trial failed with ValueError: odd"), (3, expected)]
    assert opened == [(2, False)]
    assert answers_of_main(monkeypatch, [], "1", "1") == ([], [(1, True)])


def test_process_ends_when_its_starter_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr("mlops_debugger.grading.apart.signal.signal", lambda *_: None)
    monkeypatch.setattr("mlops_debugger.grading.apart.os._exit", codes.append)
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=main, args=([str(theirs.detach()), "1", "0"],))
    thread.start()
    ours.close()
    thread.join(30)
    assert not thread.is_alive() and codes == [0]
