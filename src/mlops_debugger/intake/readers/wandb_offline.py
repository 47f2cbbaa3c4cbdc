"""Weights & Biases: run-*.wandb of offline and online runs, blocks of protobuf records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from mlops_debugger.errors import IntakeError
from mlops_debugger.intake import _wire
from mlops_debugger.intake._blocks import wandb_records
from mlops_debugger.intake._files import MAX_BINARY, Folder
from mlops_debugger.intake._sources import MAX_POINTS, Candidate, Point, Reader, Source, number

_RUN = re.compile(r"(?:^|/)(?:offline-)?run-(\d{8})_(\d{6})-([^/]+)/[^/]+\.wandb$")
# Numbers of fields in wandb_internal.proto.
_HISTORY, _SUMMARY, _CONFIG, _RUN_RECORD = 2, 3, 5, 17
_ITEM, _KEY, _NESTED, _JSON = 1, 1, 2, 16
_HISTORY_STEP, _STEP_NUMBER = 2, 1
_RUN_CONFIG, _RUN_NAME = 4, 8
_STEPS = ("trainer/global_step", "train/global_step", "global_step")
_EPOCHS = ("epoch", "train/epoch", "trainer/epoch")


def find(folder: Folder) -> list[Candidate]:
    """A file each; the time is that in the name of its folder."""
    found = []
    for file in folder.files:
        if file.endswith(".wandb"):
            match = _RUN.search(file)
            run = match[3] if match else file.rpartition("/")[2].removesuffix(".wandb").removeprefix("run-")
            when = float(match[1] + match[2]) if match else folder.modified(file)
            found.append(Candidate(run, file, when, file.rpartition("/")[0].rpartition("/")[2] if match else ""))
    return found


def read(folder: Folder, candidate: Candidate) -> Source:
    records = wandb_records(folder.bytes(candidate.file, MAX_BINARY), candidate.file)
    notes = [f"{candidate.file}: read as far as it goes: {records.ended}"] if records.ended else []
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    left = MAX_POINTS
    try:
        for record in records.records:
            for kind, _, body in _wire.fields(record):
                if not isinstance(body, bytes):
                    continue
                if kind == _HISTORY and left > 0:
                    rows.append(_row(body))
                    left -= len(rows[-1])
                elif kind == _SUMMARY:
                    summary.update(_items(body))
                elif kind == _CONFIG:
                    config.update(_items(body))
                elif kind == _RUN_RECORD:
                    for given in _wire.inner(body, _RUN_CONFIG):
                        config.update(_items(given))
    except IntakeError as error:
        notes.append(f"{candidate.file}: read as far as it goes: {error}")
    history = _history(rows)
    if not history:
        raise IntakeError(f"{candidate.file}: expected a history of numbers, found none: did the run log anything?")
    final = {
        name: value for name, item in summary.items() if name not in history and (value := number(item)) is not None
    }
    config = {name: item for name, item in config.items() if not name.startswith("_")}
    return Source(history=history, final=final, config=config, files=(candidate.file,), notes=tuple(notes))


def _items(body: bytes) -> dict[str, Any]:
    """The updates of a config, summary or history record by key, nested keys dotted."""
    found: dict[str, Any] = {}
    for item in _wire.inner(body, _ITEM):
        key = _wire.word(item, _KEY) or ".".join(part.decode("utf-8", "replace") for part in _wire.inner(item, _NESTED))
        try:
            value = json.loads(_wire.word(item, _JSON))
        except (ValueError, RecursionError):
            continue
        if key:
            found[key] = value
    return found


def _row(body: bytes) -> dict[str, Any]:
    row = _items(body)
    for step in _wire.inner(body, _HISTORY_STEP):
        for field, _, value in _wire.fields(step):
            if field == _STEP_NUMBER and isinstance(value, int):
                row.setdefault("_step", _wire.signed(value))
    return row


def _history(rows: list[dict[str, Any]]) -> dict[str, list[Point]]:
    """Series by key. Updates are counted by a step of the trainer alone: `_step` counts calls of log."""
    found: dict[str, list[Point]] = {}
    names = {name for row in rows for name in row}
    steps = next((name for name in _STEPS if name in names), "")
    epochs = next((name for name in _EPOCHS if name in names), "")
    for row in rows:
        step = number(row.get(steps or "_step"))
        for name, value in _numbers(row):
            if name not in (steps, epochs) and not name.startswith("_"):
                found.setdefault(name, []).append(Point(value, step, number(row.get(epochs))))
    return found


def _numbers(row: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, item in row.items():
        value = number(item)
        if value is not None:
            yield name, value


READER = Reader(60, "Weights & Biases run", find, read)
