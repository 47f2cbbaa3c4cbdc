"""MLflow's SQLite store: mlflow.db, opened read-only; nothing that a stranger's schema names is trusted."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from mlops_debugger.errors import IntakeError
from mlops_debugger.intake._files import Folder
from mlops_debugger.intake._mlflow import nested, timed
from mlops_debugger.intake._sources import MAX_POINTS, Candidate, Reader, Source

_MAX_BYTES = 1024 * 1024 * 1024
_MAX_RUNS = 2_000
_STEPS = 5_000  # progress is looked at after so many instructions of SQLite's machine …
_MAX_CALLS = 20_000  # … and so often at most: some seconds
_READ = frozenset((sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION))
_TABLES = frozenset(("runs", "params", "metrics"))


def find(folder: Folder) -> list[Candidate]:
    """The runs of every store, deleted ones left out."""
    found: list[Candidate] = []
    for file in folder.named("mlflow.db", "mlruns.db"):
        with _opened(folder, file) as base:
            rows = base.execute(
                "SELECT run_uuid, name, start_time FROM runs WHERE lifecycle_stage = 'active' "
                "ORDER BY start_time DESC LIMIT ?",
                (_MAX_RUNS,),
            )
            for run, name, started in rows:
                when = float(started) if isinstance(started, int | float) else 0.0
                found.append(Candidate(str(run), file, when, str(name or "")))
    return found


def read(folder: Folder, candidate: Candidate) -> Source:
    with _opened(folder, candidate.file) as base:
        given = base.execute("SELECT key, value FROM params WHERE run_uuid = ? LIMIT 5000", (candidate.run,)).fetchall()
        logged = base.execute(
            "SELECT key, step, value, is_nan FROM metrics WHERE run_uuid = ? ORDER BY timestamp LIMIT ?",
            (candidate.run, MAX_POINTS),
        ).fetchall()
    metrics: dict[str, list[tuple[float, float]]] = {}
    for key, step, value, is_nan in logged:
        if isinstance(step, int | float) and isinstance(value, int | float):
            metrics.setdefault(str(key), []).append((float(step), float("nan") if is_nan else float(value)))
    if not metrics:
        raise IntakeError(f"{candidate.file}: expected metrics of run {candidate.run}, found none: choose another run")
    history, final = timed(metrics)
    config = nested({str(key): str(value) for key, value in given})
    return Source(history=history, final=final, config=config, files=(candidate.file,))


@contextlib.contextmanager
def _opened(folder: Folder, file: str) -> Iterator[sqlite3.Connection]:
    """A read-only connection that gives up after some seconds; raises `IntakeError` for what is no such store."""
    path = folder.path(file)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise IntakeError(f"{file}: expected at most {_MAX_BYTES} bytes, found more: export the run")
        # Immutable: SQLite writes no journal or lock beside somebody's file.
        base = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    except (OSError, sqlite3.Error) as error:
        raise IntakeError(f"{file}: expected MLflow's SQLite store, found none that opens ({error})") from None
    calls = 0

    def count() -> int:
        nonlocal calls
        calls += 1
        return int(calls > _MAX_CALLS)

    try:
        base.execute("PRAGMA trusted_schema = OFF")
        base.set_progress_handler(count, _STEPS)
        base.set_authorizer(_allowed)
        yield base
    except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
        raise IntakeError(f"{file}: expected MLflow's SQLite store, found something else ({error})") from None
    finally:
        base.close()


def _allowed(action: int, first: str | None, second: str | None, base: str | None, through: str | None) -> int:
    """Reading three tables, nothing else; `through` names a view, which no store of MLflow has in their place."""
    if action not in _READ or through is not None:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_READ and first not in _TABLES:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


READER = Reader(40, "MLflow's SQLite store", find, read)
