"""A server as operators start it: `mlops-debugger serve` in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Started:
    """The process, its address, and the file that it writes both outputs to."""

    process: subprocess.Popen[bytes]
    url: str
    output: Path


@contextmanager
def start_server(*arguments: str, folder: Path | None = None) -> Iterator[Started]:
    """Serve on a free port of 127.0.0.1 until the end of the block; the server is up when it begins."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from mlops_debugger.cli import app; app()", "serve", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    output = (folder or Path("/tmp")) / f"server-{os.getpid()}-{port}.txt"  # noqa: S108
    url = f"http://127.0.0.1:{port}"
    with (
        output.open("wb") as written,
        subprocess.Popen([*command, *arguments], env=environment, stdout=written, stderr=subprocess.STDOUT) as process,
    ):
        try:
            wait_for(process, url, output)
            yield Started(process, url, output)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
            if folder is None:
                output.unlink()


def wait_for(process: subprocess.Popen[bytes], url: str, output: Path, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        assert process.poll() is None, f"the server ended: {output.read_text()}"
        try:
            httpx.get(f"{url}/health")
            return
        except httpx.TransportError:
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.1)
