"""uvicorn as these servers need it: set up for many small messages, ending only when trials in flight are answered."""

from __future__ import annotations

import contextlib
import gc
import resource
import socket
import threading
import time
from collections.abc import Iterator
from types import FrameType

import uvicorn
from fastapi import FastAPI

from mlops_debugger.errors import EpisodeError, ServingError
from mlops_debugger.openenv.frames import MAX_BODY_BYTES
from mlops_debugger.openenv.service import Service

DEFAULT_PORT = 8000
DEFAULT_GRACE_S = 30.0
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 10.0
_CLOSING_S = 5
_SPARE_FILES = 256
_GENERATIONS = (50_000, 20, 20)
_FILES_PER_TRIAL = 16


def server_config(app: FastAPI, host: str = "127.0.0.1", port: int = DEFAULT_PORT) -> uvicorn.Config:
    """uvicorn on uvloop. Messages are small and local: compressing each costs more than it saves."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=MAX_BODY_BYTES,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_CLOSING_S,
    )


class DrainingServer(uvicorn.Server):
    """Closes its sockets only when trials in flight are answered, at the latest after `grace_s` seconds.

    uvicorn itself closes every WebSocket at once. A second interrupt (Ctrl-C) ends the waiting.
    """

    def __init__(self, config: uvicorn.Config, service: Service | None, grace_s: float = DEFAULT_GRACE_S) -> None:
        super().__init__(config)
        self._service, self._grace_s = service, grace_s
        self._hurry = threading.Event()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self._hurry.set()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._service is not None:
            for server in self.servers:
                server.close()
            await self._service.drain(self._grace_s, self._hurry)
        await super().shutdown(sockets)


def service_of(app: FastAPI) -> Service | None:
    """The service of an app that `create_server_app` made."""
    service = getattr(app.state, "service", None)
    return service if isinstance(service, Service) else None


def collect_rarely() -> None:
    """Set Python's garbage collector up for a process that does nothing but serve.

    It keeps every scenario that was played in memory, parsed, some 200 containers each, and no garbage among them. With
    Python's own thresholds many sessions together make it look through all of that, and all that was imported, again
    and again: without sockets, 57 of the 88 microseconds that a step cost more than a trivial environment's at 256
    sessions. Nearly everything is freed without the collector anyway; what waits for it is bounded by the first
    threshold.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GENERATIONS)


def run_app(app: FastAPI, host: str, port: int, grace_s: float = DEFAULT_GRACE_S) -> None:
    """Serve an app until interrupted."""
    collect_rarely()
    with contextlib.suppress(KeyboardInterrupt):
        DrainingServer(server_config(app, host, port), service_of(app), grace_s).run()


@contextlib.contextmanager
def local_server(app: FastAPI, grace_s: float = 0.0) -> Iterator[str]:
    """The app on a free port of 127.0.0.1, served by a thread of this process; gives its URL.

    Raises `EpisodeError` if it does not come up.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0))
        server = DrainingServer(server_config(app), service_of(app), grace_s)
        thread = threading.Thread(target=server.run, args=([listening],), name="openenv-server", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(grace_s + _STOP_TIMEOUT_S)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise EpisodeError(f"expected the server to start within {_START_TIMEOUT_S:.0f} s, it did not: see its log")
        time.sleep(0.01)


def allow_open_files(max_sessions: int, trial_workers: int) -> str | None:
    """Raise this process' limit of open files to what so many sessions and trials need; says so where it did.

    Raises `ServingError` where the hard limit is lower: sessions would fail one by one, long after the start.
    """
    needed = max_sessions + _FILES_PER_TRIAL * trial_workers + _SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return None
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ServingError(
            f"expected at least {needed} open files to be allowed for {max_sessions} sessions, found a hard limit of "
            f"{hard}: raise it (ulimit -Hn, LimitNOFILE=, docker run --ulimit nofile=), or serve fewer sessions"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return f"Raised the limit of open files from {soft} to {needed}, for {max_sessions} sessions."
