"""This project's own layout: the six artifacts in the folder or its outputs/, record.bin (docs/run-folder.md)."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_debugger.contract import ARTIFACTS
from mlops_debugger.environment.log import parse_log
from mlops_debugger.errors import IntakeError, RecordError
from mlops_debugger.intake._files import Folder
from mlops_debugger.intake._sources import Candidate, Point, Reader, Source, number
from mlops_debugger.runs.records import Record, read_record

_PLACES = ("", "outputs/")


def _first(folder: Folder, name: str) -> str | None:
    return next((place + name for place in _PLACES if place + name in folder.files), None)


def find(folder: Folder) -> list[Candidate]:
    names = (*ARTIFACTS, "record.bin")
    found = [file for name in names if (file := _first(folder, name)) is not None]
    return [Candidate("", found[0], folder.modified(found[0]))] if found else []


def read(folder: Folder, candidate: Candidate) -> Source:
    artifacts: dict[str, str] = {}
    notes: list[str] = []
    files: list[str] = []
    for name in ARTIFACTS:
        file = _first(folder, name)
        if file is None:
            continue
        try:
            text = folder.text(file)
            if name.endswith(".json"):
                folder.json(file)
            elif name == "config.yaml":
                folder.yaml(file)
        except IntakeError as error:
            notes.append(f"left out: {error}")
            continue
        artifacts[name] = text
        files.append(file)
    record = Record()
    file = _first(folder, "record.bin")
    if file is not None:
        try:
            record = read_record(folder.path(file))
            files.append(file)
        except RecordError as error:
            notes.append(f"left out: {error}")
    config = folder.yaml(file) if "config.yaml" in artifacts and (file := _first(folder, "config.yaml")) else {}
    history = _logged(artifacts.get("train.log", ""))
    if "Traceback (most recent call last)" in artifacts.get("train.log", ""):
        notes.append("train.log holds a traceback: the run may have crashed")
    return Source(
        history=history,
        config=config,
        artifacts=artifacts,
        arrays=record.arrays,
        meta=record.meta,
        files=tuple(files),
        notes=tuple(notes),
        counts_updates=True,
    )


def _logged(text: str) -> dict[str, list[Point]]:
    """Series of train.log by epoch, whatever the log's layout."""
    series = parse_log(text).tree.get("metrics") if text else None
    if not isinstance(series, Mapping):
        return {}
    steps = series.get("step")
    at = {epoch: number(step) for epoch, step in steps.items()} if isinstance(steps, Mapping) else {}
    found: dict[str, list[Point]] = {}
    for name, by_epoch in series.items():
        if name != "step" and isinstance(by_epoch, Mapping):
            points = [
                Point(value, at.get(epoch), float(epoch))
                for epoch, item in by_epoch.items()
                if (value := number(item)) is not None
            ]
            if points:
                found[name] = points
    return found


READER = Reader(10, "artifacts and record.bin", find, read)
