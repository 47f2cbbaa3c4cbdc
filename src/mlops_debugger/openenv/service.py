"""What the sessions of one server process share beside the bank: counts, fix trials, the transcript log, the end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlops_debugger import __version__
from mlops_debugger.environment.driver import AsyncTrainer
from mlops_debugger.errors import PoolError, RunError
from mlops_debugger.grading import TrialRequest, TrialResult
from mlops_debugger.openenv.metrics import Metrics, Outcome
from mlops_debugger.watch import TranscriptLog, Watch

if TYPE_CHECKING:
    from mlops_debugger.adapters.mcp_server import Hall

_POLL_S = 0.05
_LAST_WORDS_S = 2.0


class Service:
    """Shared by all sessions of a process. `trainer` carries out trials (None: there is none here).

    `worker` is (number, how many): which of the server's processes this is. `log` takes finished episodes. `watch` is
    for sessions of any protocol; those of MCP sit in `hall`, where there is one.
    """

    def __init__(
        self,
        trainer: AsyncTrainer | None = None,
        *,
        max_sessions: int = 1,
        idle_timeout_s: float = 3600.0,
        log: TranscriptLog | None = None,
        worker: tuple[int, int] = (1, 1),
    ) -> None:
        self.metrics = Metrics()
        self.log = log
        self.watch = Watch(self.metrics, log, self.answering)
        self.hall: Hall | None = None
        self.max_sessions, self.idle_timeout_s = max_sessions, idle_timeout_s
        self._trainer = trainer
        self._worker = worker
        self._lock = threading.Lock()
        self._open = 0
        self._in_flight = 0
        self._busy = 0
        self._tasks: set[asyncio.Future[TrialResult]] = set()
        self._draining = self._expired = False

    @property
    def trainer(self) -> AsyncTrainer | None:
        """Carries out trials as the given trainer does, counted, and refused while the server ends."""
        return None if self._trainer is None else self._try

    @property
    def sessions_open(self) -> int:
        """Of OpenEnv; those of MCP have a limit of their own, and are not counted here."""
        return self._open

    @property
    def full(self) -> bool:
        return self._open >= self.max_sessions

    @property
    def trial_slots(self) -> int | None:
        """How many trials run at once; None where the trainer does not say."""
        slots = getattr(self._trainer, "workers", None)
        return slots if isinstance(slots, int) else None

    def opened(self) -> None:
        """A session was opened; called from any thread."""
        with self._lock:
            self._open += 1
        self.metrics.sessions_open.inc()

    def closed(self) -> None:
        """A session was closed; called once for each that was opened."""
        with self._lock:
            self._open -= 1
        self.metrics.sessions_open.dec()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Around a wait within a step: the server does not end while it lasts (but see `drain`)."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    async def _try(self, request: TrialRequest) -> TrialResult:
        if self._trainer is None or self._draining:
            raise PoolError("the server is shutting down: no new trial is started")
        started = time.perf_counter()
        outcome: Outcome = "infrastructure"
        task = asyncio.ensure_future(self._trainer(request))
        self._tasks.add(task)
        self._count(1)
        try:
            with self.answering():
                result = await task
            outcome = result.status
            return result
        except RunError:
            raise
        except asyncio.CancelledError:
            if task.cancelled() and self._expired:
                raise PoolError("the server shut down before the trial was over") from None
            outcome = "cancelled"
            raise
        finally:
            self._tasks.discard(task)
            self._count(-1)
            self.metrics.tried(outcome, time.perf_counter() - started)

    def _count(self, change: int) -> None:
        self._in_flight += change
        running, waiting = self._trials()
        self.metrics.trials_running.set(running)
        self.metrics.trials_waiting.set(waiting)

    def _trials(self) -> tuple[int, int]:
        """(running, waiting)."""
        running = min(self._in_flight, self.trial_slots or self._in_flight)
        return running, self._in_flight - running

    async def drain(self, grace_s: float, hurry: threading.Event | None = None) -> None:
        """Start no more trials, and return when those in flight are answered, at the latest after `grace_s` seconds.

        What is not over by then is given up: its session is told that the fix was left unscored. `hurry` cuts the
        grace short.
        """
        self._draining = True
        await self._wait(grace_s, hurry)
        self._expired = True
        for task in tuple(self._tasks):
            task.cancel()
        await self._wait(_LAST_WORDS_S, None)

    async def _wait(self, seconds: float, hurry: threading.Event | None) -> None:
        deadline = time.monotonic() + seconds
        while self._busy and time.monotonic() < deadline and not (hurry and hurry.is_set()):
            await asyncio.sleep(_POLL_S)

    def health(self) -> dict[str, Any]:
        """What `/health` says: how this process is doing, and nothing of what is played."""
        running, waiting = self._trials()
        number, workers = self._worker
        broken = self.log is not None and self.log.broken is not None
        hall = self.hall
        return {
            "status": "draining" if self._draining else "degraded" if broken else "healthy",
            "version": __version__,
            "worker": {"number": number, "of": workers},
            "sessions": {"open": self._open, "max": self.max_sessions},
            "mcp_sessions": {"open": hall.sessions if hall else 0},
            "mcp_episodes": {"open": hall.playing if hall else 0, "max": hall.capacity if hall else 0},
            "trials": {"running": running, "waiting": waiting, "slots": self.trial_slots or 0},
        }

    def close(self) -> None:
        """Close the transcript log: what was handed in is written first."""
        if self.log is not None:
            self.log.close()
