"""CSV and JSON lines of metrics, a row each time something was logged."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

from mlops_debugger.errors import IntakeError
from mlops_debugger.intake._files import Folder
from mlops_debugger.intake._sources import Point, from_rows

STEPS = ("step", "global_step", "iteration", "iter", "batch", "trainer/global_step", "steps", "_step")
EPOCHS = ("epoch", "epochs", "Epoch", "epoch_num", "round")
_MAX_COLUMNS = 5_000
_HEAD = 64 * 1024


def header(folder: Folder, file: str) -> list[str]:
    """Names of the columns of a CSV file; empty where the first line is none, or cannot be read."""
    try:
        with folder.path(file).open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return []
    line = head.decode("utf-8-sig", "replace").partition("\n")[0].strip("\r")
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=_delimiter(line)), [])]
    except csv.Error:
        return []


def _delimiter(line: str) -> str:
    return max(",\t;", key=line.count)


def csv_history(folder: Folder, file: str) -> dict[str, list[Point]]:
    """Series by column. Raises `IntakeError` where the file is no table of numbers."""
    text = folder.text(file)
    names = header(folder, file)
    if len(names) > _MAX_COLUMNS:
        raise IntakeError(f"{file}: expected at most {_MAX_COLUMNS} columns, found {len(names)}")
    if len(set(names)) < len(names):
        raise IntakeError(f"{file}: expected a name for every column, each once, found {', '.join(names[:8])!r}")
    first = text.partition("\n")[0]
    lines = csv.reader(io.StringIO(text), delimiter=_delimiter(first))
    try:
        next(lines, None)
        rows: list[dict[str, object]] = [dict(zip(names, line, strict=False)) for line in lines if any(line)]
    except csv.Error as error:
        raise IntakeError(f"{file}: expected a CSV table, found something else ({error})") from None
    return _series(rows, file)


def jsonl_history(folder: Folder, file: str) -> dict[str, list[Point]]:
    """Series by key; lines that are no JSON object are left out. Raises `IntakeError` where none is one."""
    rows = list(_objects(folder.text(file)))
    if not rows:
        raise IntakeError(f"{file}: expected a JSON object a line, found none")
    return _series(rows, file)


def _objects(text: str) -> Iterator[dict[str, object]]:
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield {str(key): value for key, value in found.items()}


def _series(rows: list[dict[str, object]], file: str) -> dict[str, list[Point]]:
    if rows and not any(name in row for row in rows for name in (*STEPS, *EPOCHS)):
        rows = [{**row, "step": number} for number, row in enumerate(rows, start=1)]
    found = from_rows(rows, STEPS, EPOCHS)
    if not found:
        raise IntakeError(f"{file}: expected columns of numbers beside epoch or step, found none")
    return found
