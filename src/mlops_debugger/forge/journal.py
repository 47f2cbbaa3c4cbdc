"""The journal of a build: every finished try, kept through any interruption."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import zstandard

import mlops_debugger
from mlops_debugger.errors import ForgeError
from mlops_debugger.forge.unit import Try


class Journal:
    """Every finished try, written as it comes: what is in flight is all that an interruption can lose."""

    def __init__(self, path: Path, seed_base: str, secret: str = "") -> None:
        """Begin a journal or go on with it; a new one draws its secret unless one is given."""
        self.path = path
        # Somebody who looks into the journal while it grows must not end the build.
        self._db = sqlite3.connect(path, timeout=120.0)
        self._db.execute("CREATE TABLE IF NOT EXISTS head(key TEXT PRIMARY KEY, value TEXT)")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS try(project TEXT, fault TEXT, number INTEGER, blob BLOB,"
            " PRIMARY KEY(project, fault, number))"
        )
        with self._db:
            self._db.execute("INSERT OR IGNORE INTO head VALUES ('seed_base', ?)", (seed_base,))
            self._db.execute("INSERT OR IGNORE INTO head VALUES ('secret', ?)", (secret or secrets.token_hex(16),))
            self._db.execute("INSERT OR IGNORE INTO head VALUES ('version', ?)", (mlops_debugger.__version__,))
        found = self.head("seed_base")
        if found != seed_base:
            raise ForgeError(
                f"{path} was begun with --seed-base {found}, found {seed_base}: use that one, or another --out"
            )

    def head(self, key: str) -> str:
        """A word about the whole build; "" where there is none."""
        row = self._db.execute("SELECT value FROM head WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else ""

    def note(self, key: str, value: str) -> None:
        """Keep a word about the whole build, once."""
        with self._db:
            self._db.execute("INSERT OR IGNORE INTO head VALUES (?, ?)", (key, value))

    def add(self, outcome: Try) -> None:
        blob = zstandard.compress(outcome.model_dump_json().encode(), 3)
        with self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO try VALUES (?, ?, ?, ?)",
                (outcome.project, outcome.fault or "", outcome.index, blob),
            )

    def get(self, project: str, fault: str | None, index: int) -> Try:
        """One try; raises `ForgeError` where there is none."""
        row = self._db.execute(
            "SELECT blob FROM try WHERE project = ? AND fault = ? AND number = ?", (project, fault or "", index)
        ).fetchone()
        if row is None:
            raise ForgeError(f"expected try {index} of {fault} on {project} in {self.path}, found none: forge it anew")
        return _read(row[0])

    def tries(self) -> Iterator[Try]:
        return tries_in(self._db)

    def close(self) -> None:
        self._db.close()


def tries_in(db: sqlite3.Connection) -> Iterator[Try]:
    """The tries of an open journal, by project, fault and number."""
    for (blob,) in db.execute("SELECT blob FROM try ORDER BY project, fault, number"):
        yield _read(blob)


def _read(blob: bytes) -> Try:
    return Try.model_validate_json(zstandard.decompress(blob))
