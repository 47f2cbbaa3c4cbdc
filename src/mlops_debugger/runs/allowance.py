"""How long a run may take: time for which it had to wait for a processor is not its own."""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import Literal, Self

PATIENCE = 10.0
"""Wall time at most, in multiples of the allowance: a machine busier than that cannot judge."""
STARVED = "the machine was too busy for a run: it hardly got a processor"
_LEAST_WAIT_S = 0.01


class Allowance:
    """`seconds` of time that a run spends computing or idle, not counting what others kept the processor from it.

    `waiting` is a descriptor of the run's /proc/PID/schedstat, whose second number is the nanoseconds that its first
    thread was ready and did not run; it is closed with the allowance. Where there is none (-1), all wall time counts.
    """

    def __init__(self, seconds: float, waiting: int = -1) -> None:
        self._seconds, self._waiting = seconds, waiting
        self._started = time.monotonic()

    @classmethod
    def of_process(cls, seconds: float, process: int | str, folder: int | None = None) -> Self:
        """For the process with this id in the /proc that `folder` is open on; this machine's own by default."""
        path = f"{process}/schedstat" if folder is not None else f"/proc/{process}/schedstat"
        try:
            waiting = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
        except OSError:
            waiting = -1
        return cls(seconds, waiting)

    @property
    def elapsed(self) -> float:
        """Wall seconds since the start."""
        return time.monotonic() - self._started

    def wait(self, descriptor: int) -> Literal["ready", "spent", "starved"]:
        """Wait until `descriptor` can be read: `spent` when the run used its time up, `starved` when it got too little.

        Asked again, it goes on with what is left.
        """
        while True:
            left = self._seconds + self._waited() - self.elapsed
            patience = PATIENCE * self._seconds - self.elapsed
            if select.select([descriptor], [], [], max(0.0, min(left, patience)))[0]:
                return "ready"
            if self._seconds + self._waited() - self.elapsed < _LEAST_WAIT_S:
                return "spent"
            if patience < _LEAST_WAIT_S:
                return "starved"

    def close(self) -> None:
        """Close the descriptor."""
        if self._waiting >= 0:
            os.close(self._waiting)
            self._waiting = -1

    def _waited(self) -> float:
        """Seconds that the run was ready and did not run."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            if self._waiting >= 0:
                return int(os.pread(self._waiting, 64, 0).split()[1]) / 1e9
        return 0.0
