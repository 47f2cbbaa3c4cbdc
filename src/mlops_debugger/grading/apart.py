"""Trials in a process of their own, so that whoever waits for them has its interpreter to itself.

Generating data for a trial and measuring its runs is Python, too: in a thread of a server it would hold the interpreter
lock for milliseconds at a time, and every other session's step would wait for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

from mlops_debugger.errors import PoolError, RunError
from mlops_debugger.grading.diagnosis import TrialRequest, TrialResult
from mlops_debugger.grading.trial import Trials

_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from mlops_debugger.grading.apart import main; main(sys.argv[2:])"
)
_KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
_CLOSE_SECONDS = 10.0


class TrialsApart:
    """`Trials` behind a process that is started with the first trial, and again when it died. Safe to share by threads.

    `nice` (0 to 19) is how far that process and its trainers stand back behind others of this machine.
    """

    def __init__(self, *, workers: int = 1, allow_code: bool = False, nice: int = 0) -> None:
        self._arguments = (str(workers), str(int(allow_code)))
        self._nice = nice
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._closed = False

    def submit(self, request: TrialRequest) -> Future[TrialResult]:
        """What `Trials.run` gives, later; the future raises `RunError`. Sending takes a millisecond."""
        with self._lock:
            if self._closed:
                raise PoolError("the trials are closed: open others")
            if self._process is None or self._process.ended:
                self._process = _Process(self._arguments, self._nice)
            return self._process.submit(request)

    def close(self) -> None:
        """End the process; a trial that is not over fails."""
        with self._lock:
            process, self._process, self._closed = self._process, None, True
        if process is not None:
            process.close()


class _Process:
    """A started process: requests go out in order, results come back as they are ready."""

    def __init__(self, arguments: tuple[str, ...], nice: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            root = str(Path(__file__).resolve().parents[2])
            self._child = subprocess.Popen(
                [sys.executable, "-c", _START, root, str(theirs.fileno()), *arguments],
                stdin=subprocess.DEVNULL,
                # Nothing else of this environment: a server's has its secrets.
                env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
                pass_fds=(theirs.fileno(),),
                # An interrupt at the terminal is for the server, which lets trials in flight finish.
                start_new_session=True,
            )
        with contextlib.suppress(ProcessLookupError):
            lowest = min(19, os.getpriority(os.PRIO_PROCESS, 0) + nice)
            os.setpriority(os.PRIO_PROCESS, self._child.pid, lowest)
        self._connection = Connection(ours.detach())
        self._lock = threading.Lock()
        self._pending: dict[int, Future[TrialResult]] = {}
        self._number = 0
        self.ended = False
        self._reader = threading.Thread(target=self._read, name="trials", daemon=True)
        self._reader.start()

    def submit(self, request: TrialRequest) -> Future[TrialResult]:
        future: Future[TrialResult] = Future()
        with self._lock:
            self._number += 1
            number = self._number
            self._pending[number] = future
            try:
                if self.ended:
                    raise OSError
                self._connection.send((number, request))
            except OSError:
                self._pending.pop(number, None)
                future.set_exception(PoolError("the process of the trials is gone: try again"))
        return future

    def _read(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                number, outcome = self._connection.recv()
                with self._lock:
                    future = self._pending.pop(number)
                if future.set_running_or_notify_cancel():
                    if isinstance(outcome, TrialResult):
                        future.set_result(outcome)
                    else:
                        future.set_exception(PoolError(str(outcome)))
        with self._lock:
            self.ended, left = True, tuple(self._pending.values())
            self._pending.clear()
        for future in left:
            if future.set_running_or_notify_cancel():
                future.set_exception(PoolError("the process of the trials ended before this one was over"))
        self._child.wait()
        self._connection.close()

    def close(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._connection.send(None)
        try:
            self._child.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
        self._reader.join()


def main(arguments: list[str]) -> None:
    """The process: carries out what comes until it is told to end, or whoever started it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    descriptor, workers, allow_code = (int(argument) for argument in arguments)
    connection, lock = Connection(descriptor), threading.Lock()

    def carry_out(number: int, request: TrialRequest) -> None:
        outcome: TrialResult | str
        try:
            outcome = trials.run(request)
        except RunError as error:
            outcome = str(error)
        except Exception as error:
            # A stranger's fix is in it: whatever it does to the parent's side is told, and costs no other trial.
            outcome = f"a trial failed with {type(error).__name__}: {error}"
        with lock, contextlib.suppress(OSError):
            connection.send((number, outcome))

    with Trials(workers=workers, allow_code=bool(allow_code)) as trials:
        threads = ThreadPoolExecutor(workers, thread_name_prefix="trial")
        with contextlib.suppress(EOFError, OSError):
            while (received := connection.recv()) is not None:
                threads.submit(carry_out, *received)
        threads.shutdown(wait=False, cancel_futures=True)
    # Threads that still wait for their trainers must not keep the process: their trainers are stopped.
    os._exit(0)
