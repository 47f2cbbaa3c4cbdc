"""Finished episodes, kept durably: `serve --transcripts DIR`, `mcp --transcripts DIR`.

Every process appends to a file of its own, `episodes-START-PID.jsonl` (START in UTC; the folder may hold those
of many servers). A line is one finished episode (`EpisodeRecord`) as JSON: what the client saw, and the score.

    {"format": 1, "episode_id": "...", "finished_at": "2026-01-31T12:00:00.000+00:00", "seconds": 3.1,
     "seed": 7, "score": 1.0, "rows": {...}, "unscored": [], "opening": {reset's whole observation},
     "turns": [{"action": {...}, "last_action_result": {...}, "messages": [...], "step_count": 1, "done": false,
                "reward": 0.0, "artifacts_read": [...], "metadata": {...}}, ...]}

An action is written as its fields that were given; one that could not be read as {"unreadable": why}. What every
observation repeats stands in `opening` alone: `observations()` puts them together again, equal to what was sent. The
rows are there even where clients see none; what was planted is not, so a log may be handed to whoever played.

The final reply of an episode is sent only after its line is on the disk (written and fsynced; those that finish at the
same time share one fsync, off the event loop). So `kill -9` loses no finished episode, and a torn last line, which
`read_episodes` skips, is one of which no client heard. Episodes that were not finished are not written.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops_debugger.contract import MLOpsAction, MLOpsObservation
from mlops_debugger.errors import ServingError

FORMAT = 1
_CHANGING = ("last_action_result", "messages", "step_count", "done", "reward", "artifacts_read", "metadata")


class EpisodeRecord(BaseModel):
    """One finished episode. `rows` are the rubric's shares, {} where no diagnosis was accepted."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    episode_id: str
    finished_at: str
    seconds: float
    seed: int
    score: float
    rows: dict[str, float | None]
    unscored: list[str]
    opening: dict[str, Any]
    turns: list[dict[str, Any]]

    def observations(self) -> Iterator[dict[str, Any]]:
        """Every observation as the client got it, reset's first."""
        yield self.opening
        for turn in self.turns:
            yield {**self.opening, **{name: turn[name] for name in _CHANGING}}


class Recording:
    """An episode while it is played."""

    def __init__(self, opening: MLOpsObservation, episode_id: str, seed: int) -> None:
        self._opening, self._episode_id, self._seed = opening, episode_id, seed
        self._started = time.monotonic()
        self._turns: list[dict[str, Any]] = []

    def add(self, action: MLOpsAction | str, observation: MLOpsObservation) -> None:
        """A step: an action, or why what came could not be read, and its answer."""
        given = {"unreadable": action} if isinstance(action, str) else action.model_dump(exclude_defaults=True)
        values = vars(observation)
        self._turns.append({"action": given, **{name: values[name] for name in _CHANGING}})

    def finish(self, score: float, rows: dict[str, float | None], unscored: tuple[str, ...]) -> dict[str, Any]:
        """The record, ready for JSON."""
        return {
            "format": FORMAT,
            # A client chose it; half a character, which JSON can spell, is no text.
            "episode_id": self._episode_id.encode("utf-8", "backslashreplace").decode(),
            "finished_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "seconds": round(time.monotonic() - self._started, 3),
            "seed": self._seed,
            "score": score,
            "rows": rows,
            "unscored": list(unscored),
            "opening": self._opening.model_dump(),
            "turns": self._turns,
        }


class TranscriptLog:
    """Appends records to a new file in `folder`; raises `ServingError` where it cannot be made.

    `broken` says why nothing can be written any more: a failed write that could not be undone.
    """

    def __init__(self, folder: Path) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        self.path = folder / f"episodes-{stamp}-{os.getpid()}.jsonl"
        self.broken: str | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self.path, flags, 0o600)
            _sync_folder(folder)
        except OSError as error:
            raise ServingError(
                f"expected to write transcripts into {folder}, cannot ({error.strerror}): name another folder"
            ) from None
        self._size = 0
        self._closed = False
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[tuple[dict[str, Any], Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="transcripts", daemon=True)
        self._thread.start()

    async def add(self, record: dict[str, Any]) -> None:
        """Return when the record is on the disk; raises `ServingError` where it cannot be."""
        done: Future[None] = Future()
        with self._lock:
            if self._closed:
                raise ServingError("the transcript log is closed: this episode is not in it")
            self._waiting.put((record, done))
        await asyncio.wrap_future(done)

    def close(self) -> None:
        """Write what was handed in, and close the file."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._waiting.put(None)
        self._thread.join()
        os.close(self._file)

    def _write_all(self) -> None:
        """In a thread: whatever waits is written at once and shares one fsync."""
        going = True
        while going:
            batch = [self._waiting.get()]
            with contextlib.suppress(queue.Empty):
                while True:
                    batch.append(self._waiting.get_nowait())
            going = None not in batch
            handed = [item for item in batch if item is not None]
            if not handed:
                continue
            error: Exception | None = None
            try:
                self._write(b"".join(_line(record) for record, _ in handed))
            except (OSError, ValueError, TypeError, ServingError) as caught:
                error = ServingError(f"the transcript could not be written to {self.path}: {caught}")
            for _, done in handed:
                # A session that is gone has cancelled its wait; its episode is written all the same.
                if done.set_running_or_notify_cancel():
                    done.set_exception(error) if error else done.set_result(None)

    def _write(self, data: bytes) -> None:
        if self.broken is not None:
            raise ServingError(self.broken)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError as error:
            self._undo(error)
            raise
        self._size += len(data)

    def _undo(self, error: OSError) -> None:
        """Half a line must not be glued to the next one. (After a failed fsync nobody knows what is on the disk.)"""
        try:
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)
        except OSError:
            self.broken = f"an earlier write failed and could not be undone ({error.strerror}): restart the server"


def read_episodes(path: Path) -> Iterator[EpisodeRecord]:
    """The episodes of a file, or of every log in a folder, oldest file first.

    A last line without its end was cut off by a crash before any client had its reply: it is skipped. Raises
    `ServingError` on any other line that is no record.
    """
    for file in sorted(path.glob("episodes-*.jsonl")) if path.is_dir() else [path]:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    yield EpisodeRecord.model_validate(json.loads(line))
                except (ValidationError, ValueError) as error:
                    reason = str(error).splitlines()[0]
                    raise ServingError(
                        f"{file}, line {number}: expected a finished episode, found something else ({reason}): "
                        "remove the line"
                    ) from None


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
