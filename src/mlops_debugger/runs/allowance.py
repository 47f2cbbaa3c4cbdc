"""How long a run may take: time for which it had to wait for a processor is not its own."""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import Literal, Self

START_SECONDS = 600.0
"""For a worker to start, by the clock. It takes three seconds of computing, which workers that stand back on a busy
machine may not get for minutes."""
PATIENCE = 10.0
"""Wall time at most, in multiples of the allowance: a machine busier than that cannot judge."""
STARVED = "the machine was too busy for a run: it hardly got a processor"
_LEAST_S, _LOOK_S, _OFTEN_S = 0.01, 0.05, 1.0
_LATE_S = 1.0  # by which a look comes late only where whoever looks was stopped, or got no processor itself


class Allowance:
    """`seconds` of time that a run spends computing or idle, not counting what others kept the processor from it.

    Nor does the time between two waits count, in which the run waits for us, or time for which whoever waits was
    stopped: a forge that is suspended and goes on must not find its runs timed out.

    `schedstat` and `stat` are descriptors of the run's files of these names in /proc, closed with the allowance. The
    second number of the former is the nanoseconds that its first thread was ready and did not run. Where there are none
    (-1), all wall time counts.
    """

    def __init__(self, seconds: float, schedstat: int = -1, stat: int = -1) -> None:
        self._seconds, self._schedstat, self._stat = seconds, schedstat, stat
        self.elapsed = 0.0
        """Wall seconds that count, up to the end of the last wait."""

    @classmethod
    def of_process(cls, seconds: float, process: int | str, folder: int | None = None) -> Self:
        """For the process with this id in the /proc that `folder` is open on; this machine's own by default."""
        path = str(process) if folder is not None else f"/proc/{process}"
        return cls(seconds, _opened(f"{path}/schedstat", folder), _opened(f"{path}/stat", folder))

    def wait(self, descriptor: int) -> Literal["ready", "spent", "starved"]:
        """Wait until `descriptor` can be read: `spent` when the run used its time up, `starved` when it got too little.

        Asked again, it goes on with what is left.
        """
        seen, ran = time.monotonic(), -1
        while True:
            left = self._seconds + self._counts()[1] / 1e9 - self.elapsed
            patience = PATIENCE * self._seconds - self.elapsed
            wait = max(0.0, min(_LOOK_S if left < _LEAST_S else left, patience, _OFTEN_S))
            ready = select.select([descriptor], [], [], wait)[0]
            now = time.monotonic()
            passed, seen = now - seen, now
            self.elapsed += passed if passed < wait + _LATE_S else wait
            if ready:
                return "ready"
            runs, waited = self._counts()
            if self._seconds + waited / 1e9 - self.elapsed < _LEAST_S:
                # The kernel adds a wait when it ends. Who is in the queue when the time seems up is looked at twice.
                before, ran = ran, runs
                if not (self._queued() and before in (-1, ran)):
                    return "spent"
            if patience < _LEAST_S:
                return "starved"

    def close(self) -> None:
        """Close the descriptors."""
        for descriptor in (self._schedstat, self._stat):
            if descriptor >= 0:
                os.close(descriptor)
        self._schedstat = self._stat = -1

    def _counts(self) -> tuple[int, int]:
        """Nanoseconds that the run has run, and that it was ready and did not run."""
        with contextlib.suppress(OSError, ValueError):
            if self._schedstat >= 0:
                ran, waited, _ = os.pread(self._schedstat, 64, 0).split()
                return int(ran), int(waited)
        return 0, 0

    def _queued(self) -> bool:
        """Whether the run is ready to run, or runs."""
        with contextlib.suppress(OSError):
            if self._stat >= 0:
                return os.pread(self._stat, 512, 0).rpartition(b")")[2].split()[:1] == [b"R"]
        return False


def _opened(path: str, folder: int | None) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return -1
