"""Many sessions: none fails, none sees another, each end is told in words, and a server that ends answers first."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import resource
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import start_server
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_one

from mlops_debugger.bank import Bank
from mlops_debugger.contract import ACTION_TYPES, ARTIFACTS, SANITY_CHECKS
from mlops_debugger.environment import Selector
from mlops_debugger.errors import RunError, ServingError, SessionClosedError
from mlops_debugger.grading import TrialRequest, TrialResult
from mlops_debugger.openenv import running
from mlops_debugger.openenv.app import create_server_app, local_server
from mlops_debugger.openenv.client import MLOpsClient
from mlops_debugger.openenv.models import MLOpsAction
from mlops_debugger.openenv.running import allow_open_files, service_of
from mlops_debugger.seeds import generator

READ = MLOpsAction(action_type="read_config")


def ws(url: str) -> str:
    return url.replace("http", "ws", 1) + "/ws"


async def ask(connection: ClientConnection, kind: str, data: Any = None) -> str:
    await connection.send(json.dumps({"type": kind} if data is None else {"type": kind, "data": data}))
    return str(await connection.recv())


# --- many at once


@pytest.mark.slow
def test_512_sessions_play_at_once_in_one_worker(bank_path: Path) -> None:
    """All are connected before the first steps; each gets its own episode to its end."""
    most = 512
    # Both ends of every connection are files of this process.
    allow_open_files(2 * most, 1)

    async def play(url: str) -> list[str]:
        together = asyncio.Barrier(most)

        async def session(number: int) -> str:
            async with connect(ws(url), open_timeout=120, ping_interval=None) as connection:
                await ask(connection, "reset", {"seed": number, "episode_id": f"e{number}"})
                await together.wait()
                for kind in ("read_config", "read_logs", "read_eval_results"):
                    answer = json.loads(await ask(connection, "step", {"action_type": kind}))
                    assert answer["type"] == "observation", answer
                last = json.loads(await ask(connection, "step", {"action_type": "submit_diagnosis", "diagnosis": "x"}))
                assert last["data"]["done"] and last["data"]["observation"]["step_count"] == 4
                await together.wait()
                return str(json.loads(await ask(connection, "state"))["data"]["episode_id"])

        return await asyncio.gather(*(session(number) for number in range(most)))

    app = create_server_app(bank_path, max_sessions=most)
    with local_server(app) as url:
        assert asyncio.run(play(url)) == [f"e{number}" for number in range(most)]
        metrics = httpx.get(f"{url}/metrics").text
        assert f"mlops_debugger_sessions_total {most}.0" in metrics
        assert 'mlops_debugger_episodes_total{end="diagnosis"} 512.0' in metrics
        assert 'mlops_debugger_rejects_total{reason="capacity"} 0.0' in metrics


def actions_of(number: int) -> list[dict[str, Any]]:
    """What session `number` does: drawn, so that no two do the same, bad input among it."""
    draw = generator("interleaved", number)
    chosen: list[dict[str, Any]] = []
    for _ in range(int(draw.integers(4, 12))):
        chosen.append(
            [
                {"action_type": str(draw.choice(ACTION_TYPES[:5]))},
                {"action_type": "run_sanity_check", "sanity_check_type": str(draw.choice(SANITY_CHECKS))},
                {
                    "action_type": "query_artifact",
                    "artifact_name": str(draw.choice(ARTIFACTS)),
                    "field_path": "epoch.1",
                },
                {"action_type": "read_logs", "log_filter": f"epoch:1-{draw.integers(1, 5)}"},
                {"action_type": "dance"},
                {"action_type": "submit_diagnosis", "failure_category": "config_error"},
            ][int(draw.integers(6))]
        )
    return [
        *chosen,
        {"action_type": "submit_diagnosis", "diagnosis": "nothing is wrong"},
        {"action_type": "read_config"},
    ]


async def transcript(connection: ClientConnection, number: int, pause: Callable[[], Awaitable[None]]) -> list[str]:
    """Two episodes of a session, every frame as it came."""
    frames = []
    for turn in range(2):
        frames.append(await ask(connection, "reset", {"seed": 2 * number + turn, "episode_id": f"{number}-{turn}"}))
        for action in actions_of(number):
            await pause()
            frames.append(await ask(connection, "step", action))
        frames.append(await ask(connection, "state"))
    return frames


def test_64_interleaved_sessions_equal_64_solo_runs(bank_path: Path) -> None:
    async def solo(url: str) -> list[list[str]]:
        alone = []
        for number in range(64):
            async with connect(ws(url)) as connection:
                alone.append(await transcript(connection, number, lambda: asyncio.sleep(0)))
        return alone

    async def interleaved(url: str) -> list[list[str]]:
        started = asyncio.Barrier(64)

        async def session(number: int) -> list[str]:
            draw = generator("pauses", number)
            async with connect(ws(url), open_timeout=60) as connection:
                await started.wait()
                return await transcript(connection, number, lambda: asyncio.sleep(float(draw.uniform(0, 0.004))))

        return await asyncio.gather(*(session(number) for number in range(64)))

    with local_server(create_server_app(bank_path)) as url:
        alone = asyncio.run(solo(url))
    with local_server(create_server_app(bank_path)) as url:
        together = asyncio.run(interleaved(url))
    for number in range(64):
        assert together[number] == alone[number], number
    assert len({frames[0] for frames in alone}) > 50


# --- ends, in words


def test_full_server_says_so_and_counts(bank_path: Path) -> None:
    with local_server(create_server_app(bank_path, max_sessions=1)) as url:
        with MLOpsClient(url).sync() as one:
            one.reset(seed=1)
            with connect_one(ws(url)) as raw:
                told = json.loads(raw.recv())["data"]
                assert (told["code"], told["active_sessions"], told["max_sessions"]) == ("CAPACITY_REACHED", 1, 1)
            assert one.step(READ).observation.step_count == 1
            assert 'rejects_total{reason="capacity"} 1.0' in httpx.get(f"{url}/metrics").text
        with MLOpsClient(url).sync() as after:
            assert after.reset(seed=1).observation.step_count == 0


def test_idle_session_is_ended_and_refuses_in_words(bank_path: Path) -> None:
    """OpenEnv closes the environment of an idle session, not its socket. As the typed client sees it, and as any."""
    app = create_server_app(bank_path, max_sessions=2, idle_timeout_s=0.5)
    service = service_of(app)
    assert service is not None
    with local_server(app) as url, MLOpsClient(url).sync() as session, connect_one(ws(url)) as raw:

        def say(kind: str, data: object) -> dict[str, Any]:
            raw.send(json.dumps({"type": kind, "data": data}))
            told: dict[str, Any] = json.loads(raw.recv(timeout=20))
            return told

        session.reset(seed=1)
        say("reset", {"seed": 1})
        session.step(READ)
        say("step", {"action_type": "read_config"})
        # OpenEnv looks every five seconds at most.
        wait_until(lambda: service.sessions_open == 0)
        with pytest.raises(SessionClosedError, match="idle"):
            session.step(READ)
        refused = say("step", {"action_type": "read_config"})["data"]
        assert refused["done"] is True and refused["reward"] == 0.0
        error = refused["observation"]["last_action_result"]["error"]
        assert "closed" in error and "idle for 0.5 s" in error and "connect again" in error
        assert refused["observation"]["step_count"] == 1
        assert "connect again" in say("reset", {"seed": 1})["data"]["message"]
        # Their places are free.
        with MLOpsClient(url).sync() as other, MLOpsClient(url).sync() as third:
            assert other.reset(seed=1).observation.step_count == third.reset(seed=1).observation.step_count == 0


def test_a_client_that_leaves_during_its_trial_is_no_error(bank_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The trial ends, its session is closed, and the log is not filled with traces."""
    seed, diagnosis = faulty(bank_path)
    started: list[float] = []

    async def trainer(request: TrialRequest) -> TrialResult:
        started.append(time.monotonic())
        await asyncio.sleep(0.5)
        return TrialResult("refused", (), "not here", request.touches)

    app = create_server_app(bank_path, trainer)
    service = service_of(app)
    assert service is not None
    with local_server(app) as url:
        # uvicorn's loggers do not pass on what they get, and lose their handlers when a server starts.
        logging.getLogger("uvicorn.error").addHandler(caplog.handler)
        with connect_one(ws(url)) as raw:
            raw.send(json.dumps({"type": "reset", "data": {"seed": seed}}))
            raw.recv()
            raw.send(json.dumps({"type": "step", "data": diagnosis.model_dump(exclude_defaults=True)}))
            wait_until(lambda: bool(started))
        wait_until(lambda: service.sessions_open == 0)
        assert 'trials_total{outcome="refused"} 1.0' in httpx.get(f"{url}/metrics").text
    logging.getLogger("uvicorn.error").removeHandler(caplog.handler)
    assert "Exception in ASGI" not in caplog.text


def test_limit_of_open_files_is_raised_or_told(monkeypatch: pytest.MonkeyPatch) -> None:
    limits, asked = [(100, 5000)], []
    monkeypatch.setattr(running.resource, "getrlimit", lambda _: limits[0])
    monkeypatch.setattr(running.resource, "setrlimit", lambda _, wanted: asked.append(wanted))
    told = allow_open_files(512, 2)
    assert told is not None and "from 100 to 800" in told and asked == [(800, 5000)]
    with pytest.raises(ServingError, match="ulimit"):
        allow_open_files(50_000, 1)
    for enough in ((800, 800), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)):
        limits[0] = enough
        assert allow_open_files(512, 2) is None


# --- the end of a server


def faulty(bank_path: Path) -> tuple[int, MLOpsAction]:
    """A seed whose scenario has a fault in its config, and the right diagnosis."""
    bank = Bank(bank_path)
    selector = Selector(bank)
    for seed in range(500):
        scenario = bank.get(selector.select(seed=seed))
        if scenario.answers and scenario.answers[0].file == "config.yaml":
            answer = scenario.answers[0]
            bank.close()
            return seed, MLOpsAction(
                action_type="submit_diagnosis",
                failure_category=answer.categories[0],
                root_cause_file=answer.file,
                root_cause_field=answer.field,
                proposed_fix=scenario.gold_fix,
                diagnosis="the gold fix",
            )
    raise AssertionError("no fault in a config")


def submit_and_end(bank_path: Path, trainer: Any, grace_s: float, started: list[float]) -> tuple[Any, Any]:
    """What a session hears whose trial is in flight while the server ends, and what it hears afterwards."""
    seed, diagnosis = faulty(bank_path)

    async def play(url: str, end: Callable[[], None]) -> tuple[Any, Any]:
        async with connect(ws(url), ping_interval=None) as connection, connect(ws(url), ping_interval=None) as other:
            await ask(connection, "reset", {"seed": seed})
            await ask(other, "reset", {"seed": seed})
            fields = diagnosis.model_dump(exclude_defaults=True)
            waiting = asyncio.ensure_future(ask(connection, "step", fields))
            while not started:
                await asyncio.sleep(0.01)
            end()
            answer = json.loads(await asyncio.wait_for(waiting, 30))
            try:
                while True:
                    after = json.loads(
                        await asyncio.wait_for(ask(connection, "step", {"action_type": "read_config"}), 30)
                    )
                    assert after["type"] == "observation"
            except ConnectionClosed as closed:
                return answer, closed

    app = create_server_app(bank_path, trainer)
    stopping: list[Any] = []
    result: list[Any] = []
    with local_server(app, grace_s=grace_s) as url:
        service = service_of(app)
        assert service is not None

        def end() -> None:
            stopping.append(asyncio.get_running_loop())
            ender.set()

        import threading

        ender = threading.Event()
        thread = threading.Thread(target=lambda: result.append(asyncio.run(play(url, end))))
        thread.start()
        assert ender.wait(30)
    thread.join(30)
    return result[0]


def test_trial_in_flight_is_answered_before_the_server_ends(bank_path: Path) -> None:
    started: list[float] = []

    async def trainer(request: TrialRequest) -> TrialResult:
        started.append(time.monotonic())
        await asyncio.sleep(1.0)
        return TrialResult("completed", tuple(proof.healthy for proof in request.scenario.proofs), "", request.touches)

    answer, after = submit_and_end(bank_path, trainer, 20.0, started)
    assert answer["data"]["reward"] == 1.0 and answer["data"]["done"]
    assert isinstance(after, ConnectionClosed)
    assert after.rcvd is not None and after.rcvd.code == 1012


def test_trial_that_outlasts_the_grace_is_told_unscored(bank_path: Path) -> None:
    started: list[float] = []

    async def trainer(request: TrialRequest) -> TrialResult:
        started.append(time.monotonic())
        await asyncio.sleep(3600)
        raise RunError("never")

    answer, _ = submit_and_end(bank_path, trainer, 0.3, started)
    assert answer["data"]["done"] and answer["data"]["observation"]["metadata"]["unscored"] == ["fix"]


def test_no_trial_is_started_while_the_server_ends(bank_path: Path) -> None:
    """Reads go on; a fix is left unscored, and said to be."""
    seed, diagnosis = faulty(bank_path)
    tried: list[TrialRequest] = []

    async def trainer(request: TrialRequest) -> TrialResult:
        tried.append(request)
        raise RunError("unexpected")

    app = create_server_app(bank_path, trainer)
    service = service_of(app)
    assert service is not None
    with local_server(app) as url, MLOpsClient(url).sync() as session:
        session.reset(seed=seed)
        asyncio.run(service.drain(0.0))
        answer = httpx.get(f"{url}/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "draining")
        assert session.step(READ).observation.step_count == 1
        assert session.step(diagnosis).observation.metadata["unscored"] == ["fix"]
    assert not tried


@pytest.mark.slow
def test_sigterm_lets_a_real_trial_finish(bank_path: Path, tmp_path: Path) -> None:
    """A real server process, a real training: SIGTERM in the midst of it, then the verdict, then the end."""
    seed, diagnosis = faulty(bank_path)

    async def play(url: str, terminate: Callable[[], None]) -> Any:
        async with connect(ws(url), ping_interval=None) as connection:
            await ask(connection, "reset", {"seed": seed})
            waiting = asyncio.ensure_future(ask(connection, "step", diagnosis.model_dump(exclude_defaults=True)))
            async with httpx.AsyncClient() as client:
                while (await client.get(f"{url}/health")).json()["trials"]["running"] != 1:
                    await asyncio.sleep(0.02)
            terminate()
            return json.loads(await asyncio.wait_for(waiting, 300))

    arguments = ("--bank", str(bank_path), "--shutdown-grace", "240", "--transcripts", str(tmp_path / "log"))
    with start_server(*arguments, folder=tmp_path) as server:
        answer = asyncio.run(play(server.url, server.process.terminate))
        assert server.process.wait(60) in (0, -signal.SIGTERM)
    assert answer["data"]["reward"] == 1.0
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{server.url}/health")


# --- several workers


def workers_of(url: str) -> dict[int, int]:
    """Worker number -> how many of some fresh connections it answered."""
    answered: dict[int, int] = {}
    for _ in range(40):
        number = httpx.get(f"{url}/health").json()["worker"]["number"]
        answered[number] = answered.get(number, 0) + 1
    return answered


@pytest.mark.slow
def test_workers_share_the_port_and_come_back(bank_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "episodes"
    arguments = ("--workers", "2", "--max-sessions", "20", "--bank", str(bank_path), "--transcripts", str(folder))
    with start_server(*arguments, folder=tmp_path) as server:
        wait_until(lambda: set(workers_of(server.url)) == {1, 2}, 120)
        sessions = [MLOpsClient(server.url).sync() for _ in range(12)]
        for number, session in enumerate(sessions):
            session.connect()
            session.reset(seed=number, episode_id=f"e{number}")
            session.step(READ)
            assert session.step(MLOpsAction(action_type="submit_diagnosis", diagnosis="x")).done
        # Whichever worker answers, the counts are those of all.
        wait_until(lambda: "mlops_debugger_sessions_total 12.0" in httpx.get(f"{server.url}/metrics").text)
        metrics = httpx.get(f"{server.url}/metrics").text
        assert "mlops_debugger_sessions_open 12.0" in metrics
        assert 'mlops_debugger_steps_total{action_type="read_config"} 12.0' in metrics
        for session in sessions:
            session.close()
        before = workers_by_pid(server.process.pid)
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(set(workers_by_pid(server.process.pid)) - set(before)) == 1, 60)
        wait_until(lambda: set(workers_of(server.url)) == {1, 2}, 120)
        with MLOpsClient(server.url).sync() as session:
            assert session.reset(seed=1).observation.step_count == 0
        server.process.terminate()
        assert server.process.wait(60) == 0
        assert not workers_by_pid(server.process.pid)
    told = re.sub(r"\s+", " ", server.output.read_text())
    assert "40 sessions in all" in told and "exit code -9" in told
    # Each process writes a file of its own: two at the start, one of the worker that was started again.
    assert len(list(folder.iterdir())) == 3


def workers_by_pid(parent: int) -> list[int]:
    """The worker processes of a server, alive."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
            command = (status.parent / "cmdline").read_text()
        except OSError:
            continue
        state, ppid = text.rpartition(")")[2].split()[:2]
        if int(ppid) == parent and state != "Z" and "spawn_main" in command:
            found.append(int(status.parent.name))
    return sorted(found)


def wait_until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)
