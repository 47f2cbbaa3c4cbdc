"""A server as its operator describes it: `serve` on the command line, or the variables of the environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI

from mlops_debugger.bank import starter_bank_path
from mlops_debugger.environment.driver import Settings
from mlops_debugger.errors import EpisodeError
from mlops_debugger.openenv.app import DEFAULT_MAX_SESSIONS, SESSION_TIMEOUT_S, create_server_app
from mlops_debugger.openenv.keys import HARNESS_KEY_VARIABLE, TOKEN_VARIABLE, read_secret
from mlops_debugger.openenv.running import DEFAULT_GRACE_S, DEFAULT_PORT, allow_open_files, run_app
from mlops_debugger.openenv.trials import TRIAL_NICE, AsyncTrials
from mlops_debugger.watch import TranscriptLog


@dataclass(frozen=True)
class Serving:
    """Everything that a worker process needs to know; `max_sessions` and `trial_workers` are for each of them.

    `harness_key` and `token` are secrets and stay out of what is printed.
    """

    bank_path: Path = field(default_factory=starter_bank_path)
    harness_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    max_sessions: int = DEFAULT_MAX_SESSIONS
    idle_timeout_s: float = SESSION_TIMEOUT_S
    trial_workers: int = 1
    trial_nice: int = TRIAL_NICE
    allow_code: bool = False
    settings: Settings = field(default_factory=Settings)
    transcripts: Path | None = None
    grace_s: float = DEFAULT_GRACE_S


def open_app(
    serving: Serving, worker: tuple[int, int] = (1, 1), tell: Callable[[str], object] = lambda _: None
) -> FastAPI:
    """The app of one server process, its trainers and log closed when it ends.

    Raises `BankError`, and `ServingError` where the machine does not allow what is asked for. `tell` is told what
    becomes of fixes here, and of limits that were raised.
    """
    raised = allow_open_files(serving.max_sessions, serving.trial_workers)
    trainer = AsyncTrials(workers=serving.trial_workers, allow_code=serving.allow_code, nice=serving.trial_nice)
    for line in (trainer.policy, raised):
        if line:
            tell(line)
    app = create_server_app(
        serving.bank_path,
        trainer,
        serving.harness_key,
        serving.max_sessions,
        serving.settings,
        token=serving.token,
        idle_timeout_s=serving.idle_timeout_s,
        log=TranscriptLog(serving.transcripts) if serving.transcripts else None,
        worker=worker,
    )
    # Not a `with` around the server: uvicorn ends by the signal that stopped it, and nothing after it would run.
    app.router.on_shutdown.append(trainer.close)
    return app


def serve(
    serving: Serving,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    *,
    workers: int = 1,
    tell: Callable[[str], object] = print,
) -> None:
    """Serve until interrupted; raises `BankError` and `ServingError`.

    Fixes are graded by training again, in the sandbox. Where this machine has none, config edits run with limits, and
    code patches, a stranger's code, only with `allow_code`; they are left unscored otherwise. `tell` is told which.
    """
    if workers == 1:
        run_app(open_app(serving, tell=tell), host, port, serving.grace_s)
        return
    from mlops_debugger.openenv.workers import serve_with_workers

    tell(
        f"{workers} workers with {serving.max_sessions} sessions and {serving.trial_workers} trials at once each: "
        f"{workers * serving.max_sessions} sessions in all."
    )
    serve_with_workers(serving, host, port, workers, tell)


def serving_from_environment() -> Serving:
    """A server as the variables that `app` lists describe it; raises `EpisodeError` and `ServingError`."""
    transcripts = os.environ.get("MLOPS_DEBUGGER_TRANSCRIPTS")
    return Serving(
        bank_path=Path(os.environ.get("MLOPS_DEBUGGER_BANK") or starter_bank_path()),
        harness_key=read_secret("harness key", None, HARNESS_KEY_VARIABLE),
        token=read_secret("token", None, TOKEN_VARIABLE),
        max_sessions=_count("MLOPS_DEBUGGER_MAX_SESSIONS", DEFAULT_MAX_SESSIONS),
        trial_workers=_count("MLOPS_DEBUGGER_TRIAL_WORKERS", 1),
        transcripts=Path(transcripts) if transcripts else None,
    )


def _count(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise EpisodeError(f"expected {variable} to be a whole number from 1, found {text!r:.80}")
    return int(text)
