"""Plain warm workers: real training with limits, for code that is ours.

A stranger's code belongs into `mlops_debugger.runs.sandbox`: here it runs as whoever started the pool.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_debugger.errors import PoolError
from mlops_debugger.projects import Data
from mlops_debugger.runs.allowance import START_SECONDS
from mlops_debugger.runs.records import MAX_RECORD_BYTES
from mlops_debugger.runs.results import MAX_TEXT_BYTES, PINS, TEXTS, Limits, RunResult, Status, assemble
from mlops_debugger.runs.warm import WarmPool
from mlops_debugger.runs.workspace import write_files, write_workspace

__all__ = ["PINS", "Limits", "RunResult", "Status", "TrainerPool"]

_GRACE_SECONDS = 15.0
_FULL_DISK_BYTES = 16 * 1024 * 1024


class _Worker:
    def __init__(self) -> None:
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
        root = str(Path(__file__).resolve().parents[2])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlops_debugger.runs.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**keep, **PINS, "PYTHONPATH": root},
            text=True,
            start_new_session=True,
        )
        self._receive(START_SECONDS)

    def ask(self, request: Mapping[str, object], seconds: float) -> dict[str, Any]:
        stdin = self.process.stdin
        if stdin is None:
            raise PoolError("a warm worker has no standard input")
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
        except OSError as error:
            raise PoolError(f"a warm worker is gone ({error})") from None
        return self._receive(seconds)

    def _receive(self, seconds: float) -> dict[str, Any]:
        stdout = self.process.stdout
        if stdout is None or not select.select([stdout], [], [], seconds)[0]:
            raise PoolError(f"a warm worker gave no answer within {seconds:.0f} s")
        line = stdout.readline()
        if not line:
            raise PoolError(
                f"a warm worker ended (exit code {self.process.poll()}); see its messages on standard error"
            )
        reply: dict[str, Any] = json.loads(line)
        return reply

    def kill(self) -> None:
        self.process.kill()

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class TrainerPool(WarmPool[_Worker]):
    """Warm workers without isolation; each run has a folder below `root`, removed after it."""

    def __init__(self, workers: int = 1, limits: Limits | None = None) -> None:
        super().__init__(workers, limits)
        self.root = Path(tempfile.mkdtemp(prefix="mlops-runs-"))

    def close(self) -> None:
        """Stop every worker and remove all workspaces."""
        super().close()
        shutil.rmtree(self.root, ignore_errors=True)

    def _open(self) -> _Worker:
        return _Worker()

    def _carry_out(
        self, worker: _Worker, sources: Mapping[str, str], data: Data, *, run_id: str, started_at: str
    ) -> RunResult:
        folder = Path(tempfile.mkdtemp(dir=self.root)) / "workspace"
        try:
            write_workspace(folder, sources, data, run_id=run_id, started_at=started_at)
            return self._train(worker, folder, data)
        finally:
            shutil.rmtree(folder.parent, ignore_errors=True)

    def _train(self, worker: _Worker, folder: Path, data: Data) -> RunResult:
        limits = self.limits
        request = {
            "op": "run", "folder": str(folder), "seconds": limits.seconds, "memory": limits.memory,
            "output": limits.output,
        }  # fmt: skip
        reply = worker.ask(request, limits.patience + _GRACE_SECONDS)
        if reply["phase"] == "trained":
            # Serving inputs arrive only now: nothing that happens in training can have seen them.
            for name, files in data.serving.items():
                write_files(folder / "serving" / name, files)
            reply = worker.ask({"op": "serve"}, limits.patience + _GRACE_SECONDS)
        if reply["phase"] == "failed":
            raise PoolError(str(reply["reason"]))
        status: Status = reply["status"]
        if status != "completed" and shutil.disk_usage(folder).free < _FULL_DISK_BYTES:
            raise PoolError(f"expected {_FULL_DISK_BYTES} bytes free below {self.root}, found a full disk: make room")
        outputs = folder / "outputs"
        names = ["record.bin", *(f"{name}.bin" for name in data.serving)]
        written: dict[str, bytes | None] = {name: _plain_file(outputs / name, MAX_RECORD_BYTES) for name in names}
        written |= {name: _plain_file(outputs / name, MAX_TEXT_BYTES, cut=True) for name in (*TEXTS, "console.txt")}
        return assemble(status, written, data.serving, reply["seconds"], reply["cpu"])


def _plain_file(path: Path, largest: int, *, cut: bool = False) -> bytes | None:
    """The bytes of a plain file, None for a link, anything else, or one that is too large (unless it may be cut)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as handle:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or (found.st_size > largest and not cut):
            return None
        return handle.read(largest)
