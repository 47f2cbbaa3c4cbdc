"""Real servers as processes of their own, on free ports of 127.0.0.1, and OpenEnv's provider interfaces over them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from openenv.core.containers.runtime.providers import ContainerProvider
from openenv.validation.providers import ExecResult, ProviderError, StartupError
from openenv.validation.types import ProviderCapability

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(ready: Callable[[], bool], seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.TransportError):
            if ready():
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"what was waited for did not come about within {seconds:g} s")
        time.sleep(0.1)


class ServerProcess:
    """`python -m server.app` of a checkout, as the container starts it."""

    def __init__(self, root: Path = ROOT, port: int | None = None, **variables: str) -> None:
        self.port = port or free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "server.app", "--port", str(self.port)],
            cwd=root,
            env={**kept, "PYTHONPATH": str(root / "src"), **variables},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def wait(self, seconds: float = 240.0) -> None:
        def ready() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}: {self.logs()}")
            return httpx.get(f"{self.base_url}/health").status_code == 200

        wait_for(ready, seconds)

    def logs(self, max_bytes: int = 65536) -> str:
        """What the server has said."""
        if self._log.closed:
            return ""
        self._log.seek(0)
        return self._log.read()[-max_bytes:].decode("utf-8", "replace")

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(60)
        self._log.close()


@contextlib.contextmanager
def running(**options: Any) -> Iterator[ServerProcess]:
    server = ServerProcess(**options)
    try:
        server.wait()
        yield server
    finally:
        server.stop()


class ProcessContainers(ContainerProvider):
    """Starts the server as a process where Docker would start an image. `started` keeps what was asked of it."""

    def __init__(self) -> None:
        self.server: ServerProcess | None = None
        self.started: list[tuple[str, dict[str, str]]] = []

    def start_container(
        self, image: str, port: int | None = None, env_vars: dict[str, str] | None = None, **_: Any
    ) -> str:
        self.started.append((image, dict(env_vars or {})))
        self.server = ServerProcess(port=port, **(env_vars or {}))
        return self.server.base_url

    def stop_container(self) -> None:
        if self.server is not None:
            self.server.stop()

    def wait_for_ready(self, base_url: str, timeout_s: float = 240.0) -> None:
        if self.server is None:
            raise RuntimeError("nothing was started")
        self.server.wait(max(timeout_s, 240.0))


class Subject(ServerProcess):
    """A validated checkout that serves."""

    def inspect(self) -> dict[str, Any]:
        return {"provider": ProcessValidation.name, "pid": self.process.pid}

    def exec(self, argv: list[str], timeout_s: float) -> ExecResult:
        raise ProviderError("this provider has no exec")


class ProcessValidation:
    """Validates a checkout by running it as a process: it can build (copy) and start, and isolates nothing."""

    name = "local-process"
    capabilities = frozenset({ProviderCapability.IMAGE_BUILD})
    supported_network_modes = frozenset({"public"})

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def build(self, root: Path, execution: Any) -> str:
        """A copy of the tree, named by its digest, so that what runs is what was validated."""
        from openenv.validation.runner import source_digest

        if not (root / execution.dockerfile).is_file():
            raise ProviderError(f"expected {execution.dockerfile} in the package, found none")
        digest = source_digest(root)
        shutil.copytree(root, self._folder / digest)
        return f"sha256:{digest}"

    def start(self, spec: Any) -> Subject:
        subject = Subject(self._folder / spec.image_ref.removeprefix("sha256:"), **spec.env_vars)
        try:
            subject.wait()
        except (TimeoutError, RuntimeError) as error:
            subject.stop()
            raise StartupError(str(error)) from error
        return subject
