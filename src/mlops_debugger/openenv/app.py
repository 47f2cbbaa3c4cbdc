"""The server's app: OpenEnv's, around one shared bank.

Settings for those who start it without the command line of `mlops-debugger` are read from the environment:

    MLOPS_DEBUGGER_BANK           a bank; the starter bank when unset
    MLOPS_DEBUGGER_HARNESS_KEY    whoever presents it sees the answer in `state`; nobody does when unset
    MLOPS_DEBUGGER_TOKEN          without it nobody gets anything but /health; everybody does when unset
    MLOPS_DEBUGGER_MAX_SESSIONS   how many connections may play at once; 512 when unset
    MLOPS_DEBUGGER_TRIAL_WORKERS  how many fix trials may run at once; 1 when unset
    MLOPS_DEBUGGER_TRANSCRIPTS    a folder in which finished episodes are kept; they are not when unset
    ENABLE_WEB_INTERFACE          OpenEnv's own: serves its web page at /web, with an episode for every visitor

The two secrets may stand in files that MLOPS_DEBUGGER_HARNESS_KEY_FILE and MLOPS_DEBUGGER_TOKEN_FILE name.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from openenv.core.env_server.http_server import create_fastapi_app
from openenv.core.env_server.types import ConcurrencyConfig

from mlops_debugger.adapters.mcp_server import mount_mcp
from mlops_debugger.bank import Bank
from mlops_debugger.environment.driver import AsyncTrainer, Settings
from mlops_debugger.errors import DebuggerError
from mlops_debugger.openenv import web_page_wanted
from mlops_debugger.openenv.access import AccessMiddleware
from mlops_debugger.openenv.environment import ENVIRONMENT_NAME, MLOpsEnvironment
from mlops_debugger.openenv.frames import FrameMiddleware, bad_request_body, prepare_openenv
from mlops_debugger.openenv.models import MLOpsObservation, MLOpsState, WireAction
from mlops_debugger.openenv.running import DEFAULT_PORT, local_server, run_app, server_config
from mlops_debugger.openenv.service import Service
from mlops_debugger.openenv.status import add_status
from mlops_debugger.watch import TranscriptLog

__all__ = [
    "DEFAULT_MAX_SESSIONS",
    "SESSION_TIMEOUT_S",
    "app_from_environment",
    "create_server_app",
    "local_server",
    "main",
    "run_app",
    "run_from_command_line",
    "server_config",
]

DEFAULT_MAX_SESSIONS = 512
# An agent may think for long between steps, but a forgotten connection must not hold its place for ever.
SESSION_TIMEOUT_S = 3600.0


def create_server_app(
    bank_path: Path | str,
    trainer: AsyncTrainer | None = None,
    harness_key: str | None = None,
    max_sessions: int = DEFAULT_MAX_SESSIONS,
    settings: Settings | None = None,
    *,
    token: str | None = None,
    idle_timeout_s: float = SESSION_TIMEOUT_S,
    log: TranscriptLog | None = None,
    worker: tuple[int, int] = (1, 1),
    web: bool | None = None,
) -> FastAPI:
    """The app, on a bank that is opened once and shared by all sessions; raises `BankError`.

    `trainer` carries out fix trials and decides what it runs (typed config edits, or code as well); without one the
    fix row stays unscored. `harness_key` unseals `state` for connections that present it, `token` is asked of every
    request, of apps that are mounted later too (see `access`). `app.state.service` is what its sessions share; `log`
    is closed with the app. `web` serves the page at /web (see `page`), which needs gradio; OpenEnv's variable decides
    when it is not given.
    """
    bank = Bank(bank_path)
    prepare_openenv()
    service = Service(trainer, max_sessions=max_sessions, idle_timeout_s=idle_timeout_s, log=log, worker=worker)
    # A partial, not a function: OpenEnv reads the class behind it. Its name is what errors call it.
    open_environment = partial(MLOpsEnvironment, bank, None, settings, service=service, drawn=False)
    open_environment.__name__ = ENVIRONMENT_NAME  # type: ignore[attr-defined]
    app: FastAPI = create_fastapi_app(
        open_environment,
        WireAction,
        MLOpsObservation,
        env_name=ENVIRONMENT_NAME,
        concurrency_config=ConcurrencyConfig(max_concurrent_envs=max_sessions, session_timeout=idle_timeout_s),
        state_cls=MLOpsState,
    )
    if web_page_wanted() if web is None else web:
        from mlops_debugger.openenv.page import mount

        app = mount(app, partial(open_environment, drawn=True), max_sessions)
    app.title = "MLOps Pipeline Debugger"
    app.state.service = service
    add_status(app, service)
    app.add_middleware(FrameMiddleware)
    app.add_middleware(
        AccessMiddleware,
        key=harness_key,
        token=token,
        rejected=service.metrics.rejected,
        full=lambda: service.full,
    )
    app.add_exception_handler(DebuggerError, _bad_request)
    app.add_exception_handler(RequestValidationError, bad_request_body)
    service.hall = mount_mcp(app, bank, service.trainer, settings, max_sessions=max_sessions, watch=service.watch)
    app.router.on_shutdown.append(service.close)
    return app


async def _bad_request(_: Request, error: Exception) -> JSONResponse:
    """Over HTTP a wrong reset is the caller's error, told in words; over the WebSocket OpenEnv sends the same words."""
    return JSONResponse({"detail": str(error)}, status_code=400)


def app_from_environment() -> FastAPI:
    """The app as the variables at the top of this module describe it.

    Raises `BankError`, and `EpisodeError` or `ServingError` for values that cannot be used.
    """
    from mlops_debugger.openenv.serving import open_app, serving_from_environment

    return open_app(serving_from_environment(), tell=partial(print, flush=True))


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
