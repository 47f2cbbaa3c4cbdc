"""Servers for measurements, each a process of its own: ours, and the least that an OpenEnv environment can be.

The trivial environment answers with observations that were prepared before it started: those of some of our own
episodes, in their order, so that what it sends has our fields, nesting and length to the byte. It is made to be hard to
beat: it goes the same way through OpenEnv (`step_async`, a wire model, `model_dump`), is served by the same uvicorn
settings, and does nothing whatever beside that, not even build its observation.

    python benchmarks/servers.py ours 8001
    python benchmarks/servers.py trivial 8002 episodes.json
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_SESSIONS = 1024
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Server:
    """A running server process and where it listens."""

    name: str
    port: int
    pid: int
    process: subprocess.Popen[bytes]

    @property
    def web_socket(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self) -> float:
        """User and system time that the process has used, those of its threads that ended included.

        By its CPU clock, whose number Linux makes of the process id (clock_getcpuclockid(3)): /proc counts in 10 ms.
        """
        return time.clock_gettime((~self.pid << 3) | 2)

    def resident_bytes(self) -> int:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE

    def counts(self) -> dict[str, int]:
        """Threads and open files of the process: what leaks beside memory."""
        return {name: len(list(Path(f"/proc/{self.pid}/{name}").iterdir())) for name in ("task", "fd")}

    @property
    def alive(self) -> bool:
        return self.process.poll() is None


@contextlib.contextmanager
def running(name: str, *arguments: str, log: Path | None = None) -> Iterator[Server]:
    """A server of this file in a process, up and answering; its output goes to `log`, or nowhere."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, __file__, name, str(port), *arguments]
    with contextlib.ExitStack() as stack:
        output: Any = stack.enter_context(log.open("wb")) if log else subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            server = Server(name, port, process.pid, process)
            _wait(server)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(server: Server) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{server.http}/health", timeout=5):  # noqa: S310 - our own server
                return
        except OSError:
            if not server.alive or time.monotonic() > deadline:
                raise RuntimeError(f"the server {server.name} did not come up on port {server.port}") from None
            time.sleep(0.05)


def _ours() -> Any:
    from mlops_debugger.bank import starter_bank_path
    from mlops_debugger.openenv.app import create_server_app

    return create_server_app(starter_bank_path(), max_sessions=MAX_SESSIONS)


def _trivial(path: str) -> Any:
    # Hides gradio while OpenEnv is imported, as it does for ours.
    importlib.import_module("mlops_debugger.openenv")
    from openenv.core.env_server.http_server import create_app
    from openenv.core.env_server.interfaces import Environment
    from openenv.core.env_server.types import ConcurrencyConfig, State

    from mlops_debugger.openenv.models import MLOpsAction, MLOpsObservation

    class Anything(MLOpsAction):
        """Ours answers a check that there is not; a trivial server that fails there would get off lightly."""

        sanity_check_type: str | None = None  # type: ignore[assignment]

    episodes = [
        [MLOpsObservation.model_validate(observation) for observation in episode]
        for episode in json.loads(Path(path).read_text())
    ]
    turns = itertools.cycle(episodes)

    class Trivial(Environment[Anything, MLOpsObservation, State]):
        SUPPORTS_CONCURRENT_SESSIONS = True

        def __init__(self) -> None:
            super().__init__()
            self.rest = iter(episodes[0])

        async def reset_async(
            self, seed: int | None = None, episode_id: str | None = None, **_: Any
        ) -> MLOpsObservation:
            self.rest = iter(next(turns))
            return next(self.rest)

        async def step_async(self, action: Anything, timeout_s: float | None = None, **_: Any) -> MLOpsObservation:
            return next(self.rest)

        def reset(self, seed: int | None = None, episode_id: str | None = None, **_: Any) -> MLOpsObservation:
            return episodes[0][0]

        def step(self, action: Anything, timeout_s: float | None = None, **_: Any) -> MLOpsObservation:
            return episodes[0][0]

        @property
        def state(self) -> State:
            return State()

    config = ConcurrencyConfig(max_concurrent_envs=MAX_SESSIONS, session_timeout=3600.0)
    return create_app(Trivial, Anything, MLOpsObservation, env_name="trivial", concurrency_config=config)


def main() -> None:
    import uvicorn

    from mlops_debugger.openenv.app import server_config
    from mlops_debugger.openenv.running import collect_rarely

    name, port, *rest = sys.argv[1:]
    app = {"ours": _ours, "trivial": _trivial}[name](*rest)
    collect_rarely()
    uvicorn.Server(server_config(app, port=int(port))).run()


if __name__ == "__main__":
    main()
