"""The server: OpenEnv's app around one shared bank, and uvicorn set up for it.

Settings for those who start it without the command line of `mlops-debugger` are read from the environment:

    MLOPS_DEBUGGER_BANK           a bank; the starter bank when unset
    MLOPS_DEBUGGER_HARNESS_KEY    whoever presents it sees the answer in `state`; nobody does when unset
    MLOPS_DEBUGGER_MAX_SESSIONS   how many connections may play at once; 64 when unset
    MLOPS_DEBUGGER_TRIAL_WORKERS  how many fix trials may run at once; 1 when unset
    ENABLE_WEB_INTERFACE          OpenEnv's own: serves its web page at /web, with an episode for every visitor
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from openenv.core.env_server.http_server import create_fastapi_app
from openenv.core.env_server.types import ConcurrencyConfig

from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.environment.driver import AsyncTrainer, Settings
from mlops_debugger.errors import DebuggerError, EpisodeError
from mlops_debugger.openenv import web_page_wanted
from mlops_debugger.openenv.access import HarnessKeyMiddleware
from mlops_debugger.openenv.environment import ENVIRONMENT_NAME, MLOpsEnvironment
from mlops_debugger.openenv.models import MLOpsObservation, MLOpsState, WireAction
from mlops_debugger.openenv.trials import AsyncTrials

DEFAULT_MAX_SESSIONS = 64
DEFAULT_PORT = 8000
# An agent may think for long between steps, but a forgotten connection must not hold its place for ever.
SESSION_TIMEOUT_S = 3600.0
# The largest message a client has reason to send is a diagnosis of some kilobytes.
MAX_MESSAGE_BYTES = 1 << 20
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 10.0
# An open web page keeps a stream of events open, which a server that stops must not wait for.
_CLOSING_S = 5


def create_server_app(
    bank_path: Path | str,
    trainer: AsyncTrainer | None = None,
    harness_key: str | None = None,
    max_sessions: int = DEFAULT_MAX_SESSIONS,
    settings: Settings | None = None,
    web: bool | None = None,
) -> FastAPI:
    """The app, on a bank that is opened once and shared by all sessions; raises `BankError`.

    `trainer` carries out fix trials and decides what it runs (typed config edits, or code as well); without one the
    fix row stays unscored. `harness_key` unseals `state` for connections that present it (see `access`). `web` serves
    the page at /web (see `page`), which needs gradio; OpenEnv's variable decides when it is not given.
    """
    bank = Bank(bank_path)

    def open_environment() -> MLOpsEnvironment:
        return MLOpsEnvironment(bank, trainer, settings)

    app: FastAPI = create_fastapi_app(
        open_environment,
        WireAction,
        MLOpsObservation,
        env_name=ENVIRONMENT_NAME,
        concurrency_config=ConcurrencyConfig(max_concurrent_envs=max_sessions, session_timeout=SESSION_TIMEOUT_S),
        state_cls=MLOpsState,
    )
    if web_page_wanted() if web is None else web:
        from mlops_debugger.openenv.page import mount

        app = mount(app, open_environment, max_sessions)
    app.title = "MLOps Pipeline Debugger"
    app.add_middleware(HarnessKeyMiddleware, key=harness_key)
    app.add_exception_handler(DebuggerError, _bad_request)
    return app


async def _bad_request(_: Request, error: Exception) -> JSONResponse:
    """Over HTTP a wrong reset is the caller's error, told in words; over the WebSocket OpenEnv sends the same words."""
    return JSONResponse({"detail": str(error)}, status_code=400)


def server_config(app: FastAPI, host: str = "127.0.0.1", port: int = DEFAULT_PORT) -> uvicorn.Config:
    """uvicorn on uvloop. Messages are small and local: compressing each costs more than it saves."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=MAX_MESSAGE_BYTES,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_CLOSING_S,
    )


def serve(
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    *,
    bank_path: Path | str | None = None,
    harness_key: str | None = None,
    max_sessions: int = DEFAULT_MAX_SESSIONS,
    trial_workers: int = 1,
    allow_code: bool = False,
    settings: Settings | None = None,
    tell: Callable[[str], object] = print,
) -> None:
    """Serve a bank (the starter bank when none is named) until interrupted; raises `BankError`.

    Fixes are graded by training again, in the sandbox. Where this machine has none, config edits run with limits, and
    code patches, a stranger's code, only with `allow_code`; they are left unscored otherwise. `tell` is told which.
    """
    trainer = AsyncTrials(workers=trial_workers, allow_code=allow_code)
    tell(trainer.policy)
    app = create_server_app(bank_path or starter_bank_path(), trainer, harness_key, max_sessions, settings)
    # Not a `with` around the server: uvicorn ends by the signal that stopped it, and nothing after it would run.
    app.router.on_shutdown.append(trainer.close)
    run_app(app, host, port)


def run_app(app: FastAPI, host: str, port: int) -> None:
    """Serve an app until interrupted."""
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(server_config(app, host, port)).run()


@contextlib.contextmanager
def local_server(app: FastAPI) -> Iterator[str]:
    """The app on a free port of 127.0.0.1, served by a thread of this process; gives its URL.

    Raises `EpisodeError` if it does not come up.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(server_config(app))
        thread = threading.Thread(target=server.run, args=([listening],), name="openenv-server", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_STOP_TIMEOUT_S)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise EpisodeError(f"expected the server to start within {_START_TIMEOUT_S:.0f} s, it did not: see its log")
        time.sleep(0.01)


def app_from_environment() -> FastAPI:
    """The app as the variables at the top of this module describe it; raises `BankError` and `EpisodeError`."""
    max_sessions = _count("MLOPS_DEBUGGER_MAX_SESSIONS", DEFAULT_MAX_SESSIONS)
    trainer = AsyncTrials(workers=_count("MLOPS_DEBUGGER_TRIAL_WORKERS", 1))
    print(trainer.policy, flush=True)
    bank_path = os.environ.get("MLOPS_DEBUGGER_BANK") or starter_bank_path()
    app = create_server_app(bank_path, trainer, os.environ.get("MLOPS_DEBUGGER_HARNESS_KEY"), max_sessions)
    app.router.on_shutdown.append(trainer.close)
    return app


def _count(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise EpisodeError(f"expected {variable} to be a whole number from 1, found {text!r:.80}")
    return int(text)


def run_from_command_line(app: FastAPI) -> None:
    """Serve `app` at the address given on the command line."""
    parser = argparse.ArgumentParser(description="Serve the MLOps Pipeline Debugger over OpenEnv.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    arguments = parser.parse_args()
    run_app(app, arguments.host, arguments.port)


def main() -> None:
    """The `server` script."""
    run_from_command_line(app_from_environment())
