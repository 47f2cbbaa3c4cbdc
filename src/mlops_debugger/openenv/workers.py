"""Several server processes on one port, each with its own bank handle, sessions and trainers.

The system spreads connections over them (SO_REUSEPORT); a session stays in its process. Capacity is per process, so a
client may meet a full one while another has room: connecting again helps. This process only watches: it starts a
worker again that died, passes SIGTERM and SIGINT on, and adds nothing to what a connection costs.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from prometheus_client import multiprocess

from mlops_debugger.errors import DebuggerError, ServingError
from mlops_debugger.openenv.metrics import MULTIPROCESS_VARIABLE
from mlops_debugger.openenv.running import DrainingServer, collect_rarely, server_config, service_of
from mlops_debugger.openenv.serving import Serving, open_app

_SETTLED_S = 10.0
_QUICK_DEATHS = 3
_CLOSING_S = 20.0


def serve_with_workers(serving: Serving, host: str, port: int, workers: int, tell: Callable[[str], object]) -> None:
    """Serve with so many processes until interrupted.

    Raises `ServingError` where they cannot start, or keep dying soon after their start.
    """
    reserved = _bind(host, port)
    port = reserved.getsockname()[1]
    with reserved, tempfile.TemporaryDirectory(prefix="mlops-metrics-") as counts, _stopping() as asked:
        os.environ[MULTIPROCESS_VARIABLE] = counts
        try:
            _watch(_Crew(serving, host, port, workers), asked, counts, tell)
        finally:
            del os.environ[MULTIPROCESS_VARIABLE]


class _Crew:
    """The worker processes, by number from 1."""

    def __init__(self, serving: Serving, host: str, port: int, workers: int) -> None:
        self._arguments = (serving, host, port)
        self._context = multiprocessing.get_context("spawn")
        self._count = workers
        self._grace_s = serving.grace_s
        self.started: dict[int, float] = {}
        self.running: dict[int, BaseProcess] = {}
        for number in range(1, workers + 1):
            self.start(number)

    def start(self, number: int) -> None:
        process = self._context.Process(target=_work, args=(*self._arguments, (number, self._count)))
        process.start()
        self.running[number], self.started[number] = process, time.monotonic()

    def stop(self) -> None:
        """End all, the trials in flight answered; kill those that do not end."""
        for process in self.running.values():
            process.terminate()
        deadline = time.monotonic() + self._grace_s + _CLOSING_S
        for process in self.running.values():
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()


def _watch(crew: _Crew, asked: socket.socket, counts: str, tell: Callable[[str], object]) -> None:
    quick = 0
    try:
        while True:
            ready = wait([asked, *(process.sentinel for process in crew.running.values())])
            if asked in ready:
                return
            for number, process in tuple(crew.running.items()):
                if process.is_alive():
                    continue
                process.join()
                multiprocess.mark_process_dead(process.pid, counts)  # type: ignore[no-untyped-call]
                quick = quick + 1 if time.monotonic() - crew.started[number] < _SETTLED_S else 0
                if quick >= _QUICK_DEATHS:
                    raise ServingError(
                        f"expected the workers to go on, found {quick} in a row dead within {_SETTLED_S:.0f} s of "
                        f"their start (exit code {process.exitcode}): see their messages above"
                    )
                tell(f"Worker {number} ended (exit code {process.exitcode}): its sessions are lost; starting it again.")
                crew.start(number)
    finally:
        crew.stop()


def _work(serving: Serving, host: str, port: int, worker: tuple[int, int]) -> None:
    """A worker process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        # What becomes of fixes here is the same for all of them: one says it.
        app = open_app(serving, worker, partial(print, flush=True) if worker[0] == 1 else lambda _: None)
    except DebuggerError as error:
        raise SystemExit(f"error: worker {worker[0]}: {error}") from None
    listening = _bind(host, port)
    collect_rarely()
    server = DrainingServer(server_config(app, host, port), service_of(app), serving.grace_s)
    with contextlib.suppress(KeyboardInterrupt):
        server.run([listening])


def _end_with_parent() -> None:
    """Nobody would stop a worker whose parent was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _bind(host: str, port: int) -> socket.socket:
    """A socket on an address that the other workers bind, too; raises `ServingError`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
    except OSError as error:
        raise ServingError(f"expected to listen on {host}, port {port}, cannot ({error}): choose another") from None
    return bound


@contextlib.contextmanager
def _stopping() -> Iterator[socket.socket]:
    """A socket that becomes readable when this process is asked to end."""
    asked, ask = socket.socketpair()
    ask.setblocking(False)
    before = {number: signal.signal(number, lambda *_: _write(ask)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        asked.close()
        ask.close()


def _write(ask: socket.socket) -> None:
    with contextlib.suppress(OSError):
        ask.send(b"!")
