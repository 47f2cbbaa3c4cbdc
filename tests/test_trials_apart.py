"""Trials in a process of their own: they come back, and its death costs a trial, not the server."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from mlops_debugger.bank import Bank
from mlops_debugger.errors import PoolError
from mlops_debugger.grading import TrialRequest, Trials
from mlops_debugger.grading.apart import TrialsApart
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
