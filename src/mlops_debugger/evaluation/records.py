"""What is kept of a finished episode: a line of JSON, complete in itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops_debugger.agents import Usage
from mlops_debugger.errors import EvaluationError

NO_FAULT = "no_fault"
"""Stands where a category stands, for healthy controls."""


class Turn(BaseModel):
    """An action, as its non-default fields, and what came of it (long answers shortened)."""

    model_config = ConfigDict(frozen=True)

    action: dict[str, Any]
    result: str
    messages: list[str] = []


class Truth(BaseModel):
    """What was planted; `fault` and the rest are empty for a healthy control."""

    model_config = ConfigDict(frozen=True)

    fault: str
    category: str
    file: str
    field: str
    gold_fix: str

    @property
    def is_control(self) -> bool:
        return not self.fault


class Transcript(BaseModel):
    """One finished episode. `truth` is None where the server keeps it sealed.

    `rows` are the rubric's shares (None where a row could not be scored, {} where they are withheld); `unscored` names
    the rows that the score lacks; `error` says why an agent broke off, which scores 0. `later_scores` are those of
    further attempts on the same episode, of agents that want them: they count for nothing. `usage` is what an agent
    used of a language model, over all its attempts.
    """

    model_config = ConfigDict(frozen=True)

    agent: str
    run_id: str
    split: str
    task: str
    index: int
    tier: str
    dataset: str
    truth: Truth | None
    score: float
    rows: dict[str, float | None] = {}
    unscored: list[str] = []
    steps: int
    duplicates: int
    seconds: float
    error: str = ""
    later_scores: list[float] = []
    usage: Usage | None = None
    turns: list[Turn] = []

    @property
    def key(self) -> tuple[str, str]:
        """What makes an episode the same one when an evaluation is resumed."""
        return self.agent, self.run_id


class Journal:
    """Transcripts as JSON lines, appended and flushed as they come; a torn last line is dropped when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._done = list(read_transcripts(path, repair=True)) if path.is_file() else []
        self._handle: IO[str] = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    @property
    def done(self) -> list[Transcript]:
        """What was there already, then what has been added."""
        return list(self._done)

    def add(self, transcript: Transcript) -> None:
        with self._lock:
            self._handle.write(transcript.model_dump_json() + "\n")
            self._handle.flush()
            self._done.append(transcript)

    def close(self) -> None:
        self._handle.close()


def read_transcripts(path: Path, *, repair: bool = False) -> Iterator[Transcript]:
    """The transcripts of a file; raises `EvaluationError` on a line that is not one.

    `repair` cuts off a last line that an interruption left unfinished.
    """
    raw = path.read_bytes()
    if repair and raw and not raw.endswith(b"\n"):
        raw = raw[: raw.rfind(b"\n") + 1]
        path.write_bytes(raw)
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), start=1):
        try:
            yield Transcript.model_validate(json.loads(line))
        except (ValueError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise EvaluationError(
                f"{path}, line {number}: expected a transcript ({reason}): remove the line, or use another --out"
            ) from None
