"""The typed client where things go wrong: servers that are really stopped, full, idle, or refuse; and how it is found."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from openenv.core.containers.runtime.providers import LocalDockerProvider
from processes import ROOT, ProcessContainers, free_port, running
from websockets.sync.server import serve

from mlops_debugger.bank import Bank
from mlops_debugger.environment import Selector
from mlops_debugger.errors import (
    CapacityError,
    MessageTooLargeError,
    NoAnswerError,
    RefusedError,
    RunError,
    ServerGoneError,
    SessionClosedError,
    SessionError,
)
from mlops_debugger.grading import TrialRequest, TrialResult
from mlops_debugger.openenv import app as serving
from mlops_debugger.openenv.app import create_server_app, local_server
from mlops_debugger.openenv.client import MLOpsClient
from mlops_debugger.openenv.frames import MAX_BODY_BYTES
from mlops_debugger.openenv.models import SEALED, MLOpsAction

READ = MLOpsAction(action_type="read_config")


@pytest.fixture(scope="module")
def url(bank_path: Path) -> Iterator[str]:
    with local_server(create_server_app(bank_path)) as address:
        yield address


# --- sync and async


def test_async_client_plays(url: str) -> None:
    async def play() -> tuple[int, str]:
        async with MLOpsClient(url) as client:
            await client.reset(seed=1)
            result = await client.step(READ)
            return result.observation.step_count, (await client.state()).bug_type

    assert asyncio.run(play()) == (1, SEALED)


def test_async_sessions_side_by_side(url: str) -> None:
    async def play(seed: int) -> tuple[str, int]:
        async with MLOpsClient(url) as client:
            run = (await client.reset(seed=seed)).observation.run_id
            for _ in range(3):
                result = await client.step(READ)
            assert result.observation.run_id == run
            return run, result.observation.step_count

    async def all_of_them() -> list[tuple[str, int]]:
        return list(await asyncio.gather(*(play(seed) for seed in range(6))))

    played = asyncio.run(all_of_them())
    assert {count for _, count in played} == {3} and len({run for run, _ in played}) > 1


# --- errors that say what happened


def test_no_server_there() -> None:
    port = free_port()
    with pytest.raises(ServerGoneError, match=rf"{port}.*start it"), MLOpsClient(f"http://127.0.0.1:{port}").sync():
        pass


def test_a_host_that_never_answers() -> None:
    """A listening socket that nobody serves: the handshake times out."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        client = MLOpsClient(f"http://127.0.0.1:{deaf.getsockname()[1]}", connect_timeout_s=0.3)
        with pytest.raises(ServerGoneError, match="no answer in time"), client.sync():
            pass


def test_another_server_at_the_address(tmp_path: Path) -> None:
    """A web server that knows no /ws."""
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(tmp_path), "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={"PYTHONUNBUFFERED": "1"}
    ) as web:
        try:
            assert web.stdout is not None
            port = int(web.stdout.readline().split()[5])
            with pytest.raises(RefusedError, match="no WebSocket"), MLOpsClient(f"http://127.0.0.1:{port}").sync():
                pass
        finally:
            web.terminate()
    with local_server(FastAPI()) as address, pytest.raises(RefusedError, match="HTTP 403: there is no OpenEnv server"):
        MLOpsClient(address).sync().connect()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "said"), [(signal.SIGKILL, "vanished|shutting down"), (signal.SIGTERM, "shutting down or restarting")]
)
def test_a_server_that_goes_away(bank_path: Path, how: int, said: str) -> None:
    """Killed or stopped in mid-episode: told at the next step, and at every one until reset finds a server again."""
    with running(MLOPS_DEBUGGER_BANK=str(bank_path)) as server:
        client = MLOpsClient(server.base_url).sync()
        with client:
            client.reset(seed=1)
            client.step(READ)
            server.stop(how)
            for ask in (lambda: client.step(READ), lambda: client.state(), lambda: client.step(READ)):
                with pytest.raises(ServerGoneError, match=f"({said}).*reset"):
                    ask()
            with pytest.raises(ServerGoneError, match="start it"):
                client.reset(seed=1)
            with running(port=server.port, MLOPS_DEBUGGER_BANK=str(bank_path)):
                assert client.reset(seed=1).observation.step_count == 0
                assert client.step(READ).observation.step_count == 1


def test_a_restarted_server_has_no_episode(bank_path: Path) -> None:
    """OpenEnv's client would reconnect in silence and step in a session that was never reset."""
    port = free_port()

    def at_port(stack: list[Any]) -> None:
        config = serving.server_config(create_server_app(bank_path), port=port)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        stack.append((server, thread))

    def down(stack: list[Any]) -> None:
        server, thread = stack.pop()
        server.should_exit = True
        thread.join(10)

    up: list[Any] = []
    at_port(up)
    with MLOpsClient(f"http://127.0.0.1:{port}").sync() as client:
        client.reset(seed=1)
        down(up)
        at_port(up)
        with pytest.raises(ServerGoneError, match="restarting"):
            client.step(READ)
        assert client.reset(seed=1).observation.step_count == 0
    down(up)


def test_a_full_server(bank_path: Path) -> None:
    with local_server(create_server_app(bank_path, max_sessions=1)) as address, MLOpsClient(address).sync() as one:
        one.reset(seed=1)
        with pytest.raises(CapacityError, match=r"\(1\).*--max-sessions"), MLOpsClient(address).sync() as two:
            two.reset(seed=1)
        assert one.step(READ).observation.step_count == 1


def test_an_idle_session(bank_path: Path) -> None:
    """OpenEnv's reaper closes the environment and leaves the socket open; reset opens another session."""
    with (
        local_server(create_server_app(bank_path, idle_timeout_s=0.5)) as address,
        MLOpsClient(address).sync() as asks,
        MLOpsClient(address).sync() as steps,
        MLOpsClient(address).sync() as resets,
    ):
        for client in (resets, steps, asks):
            client.reset(seed=1)
            assert client.step(READ).observation.step_count == 1
        with pytest.raises(SessionClosedError, match=r"idle.*reset"):
            for _ in range(300):  # the reaper looks every five seconds; asking for the state is no sign of life to it
                asks.state()
                time.sleep(0.1)
        for client in (asks, steps):
            for _ in range(2):
                with pytest.raises(SessionClosedError, match=r"idle.*reset"):
                    client.step(READ)
            assert client.reset(seed=1).observation.step_count == 0
        assert resets.reset(seed=2).observation.step_count == 0
        assert resets.step(READ).observation.step_count == 1


def test_a_message_too_large_for_the_server(url: str) -> None:
    with MLOpsClient(url).sync() as client:
        client.reset(seed=1)
        long = MLOpsAction(action_type="submit_diagnosis", diagnosis="x" * (MAX_BODY_BYTES + 1))
        with pytest.raises(MessageTooLargeError, match=r"of 131\d{3} bytes.*server reads"):
            client.step(long)
        with pytest.raises(MessageTooLargeError):
            client.step(READ)
        assert client.reset(seed=1).observation.step_count == 0


def test_an_answer_too_large_for_the_client(url: str) -> None:
    with (
        MLOpsClient(url, max_message_size_mb=0.001).sync() as client,
        pytest.raises(MessageTooLargeError, match="max_message_size_mb"),
    ):
        client.reset(seed=1)


def test_an_answer_that_takes_too_long(bank_path: Path) -> None:
    """A fix trial that outlasts the client's patience: the late answer is not taken for that of the next question."""

    async def trainer(request: TrialRequest) -> TrialResult:
        await asyncio.sleep(1.0)
        raise RunError("too late anyhow")

    bank = Bank(bank_path)
    selector = Selector(bank)
    seed = next(seed for seed in range(500) if bank.get(selector.select(seed=seed)).gold_fix.startswith("config"))
    gold = bank.get(selector.select(seed=seed)).gold_fix
    bank.close()
    fix = MLOpsAction(
        action_type="submit_diagnosis",
        failure_category="config_error",
        root_cause_file="config.yaml",
        root_cause_field="anything",
        proposed_fix=gold,
    )
    with (
        local_server(create_server_app(bank_path, trainer)) as address,
        MLOpsClient(address, message_timeout_s=0.3).sync() as client,
    ):
        client.reset(seed=seed)
        with pytest.raises(NoAnswerError, match=r"no answer within 0\.3 s"):
            client.step(fix)
        with pytest.raises(NoAnswerError):
            client.step(READ)
        assert client.reset(seed=1).observation.step_count == 0
        assert client.step(READ).observation.artifacts_read == ["config.yaml"]


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (1008, RefusedError, "token"),
        (1013, CapacityError, "no room"),
        (1000, SessionClosedError, "closed the session"),
        (1011, SessionClosedError, "1011"),
    ],
)
def test_a_server_that_hangs_up(code: int, kind: type[SessionError], said: str) -> None:
    """Close codes that gateways and token checks use, from a server that does nothing else."""
    with serve(lambda connection: (connection.recv(), connection.close(code, "because")), "127.0.0.1", 0) as server:  # type: ignore[arg-type,return-value]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
            with MLOpsClient(address).sync() as client, pytest.raises(kind, match=said):
                client.reset(seed=1)
        finally:
            server.shutdown()
            thread.join(10)


def test_errors_of_the_episode_are_not_losses(url: str) -> None:
    with MLOpsClient(url).sync() as client:
        client.reset(seed=1)
        with pytest.raises(RuntimeError, match="easy") as told:
            client.reset(seed=1, task_id="impossible")
        assert not isinstance(told.value, SessionError)
        result = client.step(MLOpsAction(action_type="submit_diagnosis", diagnosis="nothing is wrong"))
        assert result.done
        assert "reset" in client.step(READ).observation.last_action_result["error"]


# --- containers and discovery


@pytest.mark.slow
def test_from_docker_image_starts_plays_and_stops(bank_path: Path) -> None:
    """Everything but Docker itself, which this provider replaces by a process of the same command."""
    provider = ProcessContainers()
    client = MLOpsClient.from_docker_image(
        "mlops-pipeline-debugger-env:latest",
        provider=provider,
        harness_key="the-key",
        env_vars={"MLOPS_DEBUGGER_BANK": str(bank_path)},
    ).sync()
    with client:
        client.reset(seed=7)
        assert client.state().bug_type != SEALED
        assert client.step(READ).observation.step_count == 1
    assert provider.started == [
        (
            "mlops-pipeline-debugger-env:latest",
            {"MLOPS_DEBUGGER_BANK": str(bank_path), "MLOPS_DEBUGGER_HARNESS_KEY": "the-key"},
        )
    ]
    assert provider.server is not None and provider.server.process.poll() is not None


@pytest.mark.slow
def test_from_docker_image_is_awaited_too(bank_path: Path) -> None:
    provider = ProcessContainers()

    async def play() -> int:
        environment = {"MLOPS_DEBUGGER_BANK": str(bank_path)}
        async with await MLOpsClient.from_docker_image("any", provider=provider, env_vars=environment) as client:
            await client.reset(seed=7)
            return int((await client.step(READ)).observation.step_count)

    assert asyncio.run(play()) == 1
    assert provider.server is not None and provider.server.process.poll() is not None


def test_without_docker_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="Docker is not available"):
        LocalDockerProvider()
    with pytest.raises(RuntimeError, match="Docker is not available"):
        MLOpsClient.from_docker_image("any").sync()


_AUTO = """
import sys
from openenv.auto import AutoEnv
from openenv.auto._discovery import get_discovery
info = get_discovery().get_environment_by_name("mlops-pipeline-debugger")
assert info is not None, get_discovery().discover()
assert info.package_name == "openenv-mlops-debugger" and info.spec_version == 1, info
assert info.manifest["validation"]["reward"]["range"] == [0.0, 1.0]
action = info.get_action_class()
import mlops_debugger
assert mlops_debugger.__file__.startswith(sys.argv[2]), mlops_debugger.__file__
for name in ("mlops-pipeline-debugger", "mlops_pipeline_debugger", "mlops_pipeline_debugger_env"):
    with AutoEnv.from_env(name, base_url=sys.argv[1]).sync() as env:
        env.reset(seed=7)
        result = env.step(action(action_type="read_config"))
        assert result.observation.artifacts_read == ["config.yaml"], result
print(type(env).__name__, info.get_observation_class().__name__)
"""


@pytest.mark.slow
def test_autoenv_finds_the_installed_package(url: str, tmp_path: Path) -> None:
    """Built and installed as a wheel, in a folder of its own, and found by the name of the environment."""
    staged, installed = tmp_path / "source", tmp_path / "installed"
    shutil.copytree(ROOT, staged, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "reports"))
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *quiet, "--target", str(installed), str(staged)],
        check=True,
        timeout=300,
    )
    environment = {**os.environ, "PYTHONPATH": str(installed), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    told = subprocess.run(
        [sys.executable, "-c", _AUTO, url, str(installed)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.split() == ["SyncEnvClient", "MLOpsObservation"]


def test_names_that_autoenv_derives() -> None:
    """AutoEnv makes the class name of the environment's name; both are fixed by this."""
    from openenv.auto._discovery import _create_env_info_from_package

    info = _create_env_info_from_package("openenv-mlops-debugger", "mlops_debugger", "0.1.0")
    assert info is not None and info.env_key == "mlops_pipeline_debugger"
    assert info.get_client_class() is MLOpsClient
    assert info.default_image == "mlops-pipeline-debugger-env:latest"
