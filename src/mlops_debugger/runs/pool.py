"""Warm workers and the runs that they carry out."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from mlops_debugger.errors import PoolError, RecordError
from mlops_debugger.projects import Data
from mlops_debugger.runs.records import Record, read_record
from mlops_debugger.runs.workspace import write_files, write_workspace

Status = Literal["completed", "crashed", "timeout", "killed"]

# One thread, and no instructions beyond AVX2 (x86-64 of 2013 and later): the same numbers in any process, and nearly
# the same on any machine. Older instruction sets cost a third more CPU (LOG.md). Freed memory is kept, since a run asks
# for the same sizes again at every step and fresh pages cost time.
PINS = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4",
    "MALLOC_TOP_PAD_": "67108864",
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
}
_GRACE_SECONDS = 15.0
_START_SECONDS = 120.0
_OUTPUT_ARTIFACTS = ("train.log", "dataset_stats.json", "eval_results.json")
_MAX_ARTIFACT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What one run may use: wall and CPU seconds, and bytes beyond what the warm worker has."""

    seconds: float = 40.0
    memory: int = 2 * 1024**3


@dataclass(frozen=True)
class RunResult:
    """A run as the parent found it: how it ended, what it wrote, what it predicted."""

    status: Status
    outputs: Mapping[str, str]
    record: Record
    predictions: Mapping[str, Record]
    seconds: float
    cpu: float
    console: str = field(repr=False, default="")

    @property
    def crashed(self) -> bool:
        return self.status != "completed"


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
        self._receive(_START_SECONDS)

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


class TrainerPool:
    """Warm workers, started when first needed; `run` may be called from as many threads as there are workers.

    Use as a context manager. A worker that dies is replaced; the run it had raises `PoolError`.
    """

    def __init__(self, workers: int = 1, limits: Limits | None = None) -> None:
        if workers < 1:
            raise PoolError(f"a pool has at least one worker, found {workers}")
        self.limits = limits or Limits()
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(workers):
            self._idle.put(None)
        self._all: set[_Worker] = set()
        self._lock = threading.Lock()
        self._closed = False
        self.root = Path(tempfile.mkdtemp(prefix="mlops-runs-"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop every worker and remove all workspaces."""
        with self._lock:
            self._closed = True
            workers, self._all = self._all, set()
        for worker in workers:
            worker.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def run(self, sources: Mapping[str, str], data: Data, *, run_id: str, started_at: str) -> RunResult:
        """Train, then serve, in a workspace of its own; a crash is a result, `PoolError` is our own failure."""
        worker = self._idle.get()
        folder = Path(tempfile.mkdtemp(dir=self.root)) / "workspace"
        try:
            if worker is None:
                worker = self._start()
            write_workspace(folder, sources, data, run_id=run_id, started_at=started_at)
            result = self._carry_out(worker, folder, data)
        except PoolError:
            if worker is not None:
                with self._lock:
                    self._all.discard(worker)
                worker.process.kill()
                worker.close()
            self._idle.put(None)
            raise
        except BaseException:
            self._idle.put(worker)
            raise
        finally:
            shutil.rmtree(folder.parent, ignore_errors=True)
        self._idle.put(worker)
        return result

    def _start(self) -> _Worker:
        worker = _Worker()
        with self._lock:
            if self._closed:
                worker.close()
                raise PoolError("the pool is closed: open another one")
            self._all.add(worker)
        return worker

    def _carry_out(self, worker: _Worker, folder: Path, data: Data) -> RunResult:
        limits = self.limits
        request = {"op": "run", "folder": str(folder), "seconds": limits.seconds, "memory": limits.memory}
        reply = worker.ask(request, limits.seconds + _GRACE_SECONDS)
        if reply["phase"] == "trained":
            # Serving inputs arrive only now: nothing that happens in training can have seen them.
            for name, files in data.serving.items():
                write_files(folder / "serving" / name, files)
            reply = worker.ask({"op": "serve"}, limits.seconds + _GRACE_SECONDS)
        outputs = folder / "outputs"
        record, broken = _record(outputs / "record.bin")
        predictions = {}
        for name in data.serving:
            predictions[name], missing = _record(outputs / f"{name}.bin")
            broken = broken or missing
        status: Status = reply["status"]
        if status == "completed" and broken:
            status = "crashed"
        texts = {name: text for name in _OUTPUT_ARTIFACTS if (text := _text(outputs / name)) is not None}
        console = _text(outputs / "console.txt") or ""
        return RunResult(status, texts, record, predictions, reply["seconds"], reply["cpu"], console)


def _record(path: Path) -> tuple[Record, bool]:
    try:
        return read_record(path), False
    except RecordError:
        return Record(), True


def _text(path: Path) -> str | None:
    try:
        with path.open("rb") as handle:
            return handle.read(_MAX_ARTIFACT_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
