"""What a server counts, and that the counts tell nothing of what is played."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mlops_debugger.bank import Bank
from mlops_debugger.contract import ACTION_TYPES
from mlops_debugger.environment import Selector
from mlops_debugger.errors import RunError
from mlops_debugger.grading import TrialRequest, TrialResult
from mlops_debugger.openenv.app import create_server_app, local_server
from mlops_debugger.openenv.client import MLOpsClient
from mlops_debugger.openenv.metrics import OUTCOMES, REJECTS, TROUBLES, Metrics
from mlops_debugger.openenv.models import MLOpsAction

READ = MLOpsAction(action_type="read_config")
NO_FAULT = MLOpsAction(action_type="submit_diagnosis", diagnosis="nothing is wrong")


def counts(url: str) -> dict[str, float]:
    """Sample -> value, without the prefix and the times at which counters were made."""
    found = {}
    for family in text_string_to_metric_families(httpx.get(f"{url}/metrics").text):
        for sample in family.samples:
            labels = ",".join(sample.labels.values())
            found[sample.name.removeprefix("mlops_debugger_") + (f" {labels}" if labels else "")] = sample.value
    return {name: value for name, value in found.items() if "_created" not in name}


def fix_of_some_key(bank_path: Path) -> tuple[int, MLOpsAction]:
    """A seed that draws a fault, and a diagnosis whose fix can be applied."""
    bank = Bank(bank_path)
    selector = Selector(bank)
    for seed in range(500):
        scenario = bank.get(selector.select(seed=seed))
        if scenario.answers and scenario.answers[0].file == "config.yaml":
            bank.close()
            return seed, MLOpsAction(
                action_type="submit_diagnosis", failure_category="config_error", root_cause_file="config.yaml",
                root_cause_field="x", diagnosis="y", proposed_fix=scenario.gold_fix,
            )  # fmt: skip
    raise AssertionError("no fault in a config")


def test_everything_that_happens_is_counted(bank_path: Path) -> None:
    seed, diagnosis = fix_of_some_key(bank_path)
    fails = True

    async def trainer(request: TrialRequest) -> TrialResult:
        await asyncio.sleep(0)
        if fails:
            raise RunError("no worker is free")
        return TrialResult("refused", (), "not here", request.touches)

    with local_server(create_server_app(bank_path, trainer)) as url, MLOpsClient(url).sync() as session:
        session.reset(seed=seed)
        for action in (READ, READ, MLOpsAction(action_type="read_logs")):
            session.step(action)
        session._run(session.async_client._send_and_receive({"type": "step", "data": {"action_type": "dance"}}))
        session.step(MLOpsAction(action_type="submit_diagnosis", failure_category="config_error"))
        session.step(diagnosis)
        session.step(READ)
        with pytest.raises(RuntimeError):
            session.reset(seed=-1)
        fails = False
        session.reset(seed=seed)
        session.step(diagnosis)
        session.reset(seed=1)
        for _ in range(30):
            session.step(READ)
        found = counts(url)
        expected = {
            "sessions_open": 1.0, "sessions_total": 1.0, "steps_total read_config": 32.0, "steps_total read_logs": 1.0,
            "steps_total invalid": 1.0, "steps_total submit_diagnosis": 3.0, "step_seconds_count": 34.0,
            "diagnosis_seconds_count": 3.0, "rejects_total invalid_action": 1.0, "rejects_total nothing_to_step": 1.0,
            "rejects_total incomplete_diagnosis": 1.0, "rejects_total bad_reset": 1.0, "trials_running": 0.0,
            "trials_waiting": 0.0, "trials_total infrastructure": 1.0, "trials_total refused": 1.0,
            "trials_total completed": 0.0, "trial_seconds_count": 2.0, "infrastructure_errors_total trial": 1.0,
            "infrastructure_errors_total bank": 0.0, "episodes_total diagnosis": 2.0, "episodes_total out_of_steps": 1.0,
        }  # fmt: skip
        assert {name: found[name] for name in expected} == expected
        assert 0 < found["step_seconds_sum"] < 60
    # A trial is counted while it runs, and waits where there is no trainer for it.


def test_running_and_waiting_trials_are_told_apart(bank_path: Path) -> None:
    seed, diagnosis = fix_of_some_key(bank_path)
    release = asyncio.Event()

    class Slow:
        workers = 2

        async def __call__(self, request: TrialRequest) -> TrialResult:
            await release.wait()
            return TrialResult("refused", (), "not here", request.touches)

    async def play(url: str) -> tuple[dict[str, float], dict[str, float]]:
        clients = [MLOpsClient(url) for _ in range(3)]
        for client in clients:
            await client.connect()
            await client.reset(seed=seed)
        steps = [asyncio.ensure_future(client.step(diagnosis)) for client in clients]
        async with httpx.AsyncClient() as http:
            while True:
                trials = (await http.get(f"{url}/health")).json()["trials"]
                if trials["running"] + trials["waiting"] == 3:
                    break
                await asyncio.sleep(0.01)
        during = await asyncio.to_thread(counts, url)
        loop.call_soon_threadsafe(release.set)
        await asyncio.gather(*steps)
        for client in clients:
            await client.close()
        assert trials == {"running": 2, "waiting": 1, "slots": 2}
        return during, await asyncio.to_thread(counts, url)

    app = create_server_app(bank_path, Slow())
    loop: asyncio.AbstractEventLoop

    async def remember() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()

    app.router.on_startup.append(remember)
    with local_server(app) as url:
        during, after = asyncio.run(play(url))
    assert (during["trials_running"], during["trials_waiting"]) == (2.0, 1.0)
    assert (after["trials_running"], after["trials_waiting"]) == (0.0, 0.0)
    assert after["trials_total refused"] == 3.0


def test_labels_are_fixed_lists_whatever_is_played(bank_path: Path) -> None:
    """No label of a scenario, none of a client's choosing: the same samples before and after."""
    with local_server(create_server_app(bank_path)) as url:
        before = counts(url)
        for split in ("train", "test"):
            for number in range(5):
                with MLOpsClient(url).sync() as session:
                    session.reset(split=split, index=number, episode_id=f"an-id-of-my-own-{number}")
                    session.step(READ)
                    session.step(NO_FAULT)
        after = counts(url)
        text = httpx.get(f"{url}/metrics").text
    assert before.keys() == after.keys()
    labels = set(re.findall(r'[a-z_]+="([^"]*)"', text))
    bounds = {label for label in labels if re.fullmatch(r"[0-9.e+-]+|\+Inf", label)}
    assert labels - bounds == {*ACTION_TYPES, "invalid", *REJECTS, *TROUBLES, *OUTCOMES, "diagnosis", "out_of_steps"}


def test_a_worker_without_company_needs_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    metrics = Metrics()
    metrics.stepped("read_config", 0.001)
    assert b'mlops_debugger_steps_total{action_type="read_config"} 1.0' in metrics.text()
