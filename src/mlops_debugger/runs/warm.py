"""Pools of warm workers: opened when first needed, one run at a time each, replaced when they die."""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from mlops_debugger.errors import PoolError
from mlops_debugger.projects import Data
from mlops_debugger.runs.results import Limits, RunResult


class Closable(Protocol):
    """What a pool holds."""

    def close(self) -> None:
        """End it and wait for its end."""

    def kill(self) -> None:
        """End it at once."""


W = TypeVar("W", bound=Closable)


class WarmPool(ABC, Generic[W]):
    """Warm workers, started when first needed; `run` may be called from as many threads as there are workers.

    Use as a context manager. A worker that fails is replaced; the run it had raises `RunError`.
    """

    def __init__(self, workers: int = 1, limits: Limits | None = None) -> None:
        if workers < 1:
            raise PoolError(f"a pool has at least one worker, found {workers}")
        self.limits = limits or Limits()
        self.workers = workers
        self._idle: queue.LifoQueue[W | None] = queue.LifoQueue()
        for _ in range(workers):
            self._idle.put(None)
        self._all: set[W] = set()
        self._lock = threading.Lock()
        self._closed = False

    @abstractmethod
    def _open(self) -> W:
        """Start a worker."""

    @abstractmethod
    def _carry_out(
        self, worker: W, sources: Mapping[str, str], data: Data, *, run_id: str, started_at: str
    ) -> RunResult:
        """One run; raises `RunError` or `OSError` for what is our own failure."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop every worker."""
        with self._lock:
            self._closed = True
            workers, self._all = self._all, set()
        for worker in workers:
            worker.close()

    def run(self, sources: Mapping[str, str], data: Data, *, run_id: str, started_at: str) -> RunResult:
        """Train, then serve, in a workspace of its own; a crash is a result, `RunError` is our own failure."""
        worker = self._idle.get()
        try:
            if worker is None:
                worker = self._start()
            result = self._carry_out(worker, sources, data, run_id=run_id, started_at=started_at)
        except BaseException:
            # Whatever it was, the worker may still be busy with this run: the next one gets a new worker.
            if worker is not None:
                with self._lock:
                    self._all.discard(worker)
                worker.kill()
                worker.close()
            self._idle.put(None)
            raise
        self._idle.put(worker)
        return result

    def _start(self) -> W:
        worker = self._open()
        with self._lock:
            if self._closed:
                worker.close()
                raise PoolError("the pool is closed: open another one")
            self._all.add(worker)
        return worker
