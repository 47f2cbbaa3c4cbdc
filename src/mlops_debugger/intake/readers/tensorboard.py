"""TensorBoard: scalars of event files (TFRecord of protobuf), and the hparams.yaml that Lightning adds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlops_debugger.errors import IntakeError
from mlops_debugger.intake import _wire
from mlops_debugger.intake._blocks import tf_records
from mlops_debugger.intake._files import MAX_BINARY, Folder
from mlops_debugger.intake._sources import MAX_POINTS, Candidate, Point, Reader, Source

_FILE = re.compile(r"(?:^|/)events\.out\.tfevents\.(\d{1,12})[^/]*$")
# Numbers of fields in TensorFlow's event.proto, summary.proto and tensor.proto.
_STEP, _SUMMARY, _VALUE, _TAG, _SIMPLE, _TENSOR = 2, 5, 1, 1, 2, 8
_DTYPE, _CONTENT, _FLOATS, _DOUBLES = 1, 4, 5, 6
_DT_FLOAT, _DT_DOUBLE = 1, 2
_EPOCH = "epoch"


def find(folder: Folder) -> list[Candidate]:
    """A folder of event files is a run; its time is that in the names of its files."""
    newest: dict[str, tuple[float, str]] = {}
    for file in folder.files:
        match = _FILE.search(file)
        if match:
            place = file.rpartition("/")[0]
            newest[place] = max(newest.get(place, (0.0, "")), (float(match[1]), file))
    return [Candidate(place, file, when) for place, (when, file) in newest.items()]


def read(folder: Folder, candidate: Candidate) -> Source:
    files = [f for f in folder.files if _FILE.search(f) and f.rpartition("/")[0] == candidate.run]
    found: dict[str, list[Point]] = {}
    notes: list[str] = []
    points = 0
    for file in files:
        records = tf_records(folder.bytes(file, MAX_BINARY))
        if records.ended:
            notes.append(f"{file}: read as far as it goes: {records.ended}")
        try:
            for record in records.records:
                for tag, point in _scalars(record):
                    if points < MAX_POINTS:
                        found.setdefault(tag, []).append(point)
                        points += 1
        except IntakeError as error:
            notes.append(f"{file}: read as far as it goes: {error}")
    if not found:
        raise IntakeError(f"{candidate.file}: expected scalars in the event file, found none: {'; '.join(notes)}")
    final: dict[str, float] = {}
    for name in [name for name in found if name.lower().startswith("test") and len(found[name]) == 1]:
        final[name] = found.pop(name)[0].value
    config: dict[str, object] = {}
    beside = f"{candidate.run}/hparams.yaml".lstrip("/")
    if beside in folder.files:
        try:
            config = folder.yaml(beside)
            files.append(beside)
        except IntakeError as error:
            notes.append(f"left out: {error}")
    return Source(history=_timed(found), final=final, config=config, files=tuple(files), notes=tuple(notes))


def _timed(found: dict[str, list[Point]]) -> dict[str, list[Point]]:
    """The scalar "epoch", which Lightning logs at every step, tells the epoch of the others."""
    clock = {point.step: point.value for point in found.get(_EPOCH, ())}
    whole = all(float(value).is_integer() for value in clock.values())
    first = 1.0 if clock and whole and min(clock.values()) == 0 else 0.0
    return {
        tag: [Point(p.value, p.step, clock[p.step] + first if p.step in clock else None) for p in points]
        for tag, points in found.items()
        if tag != _EPOCH
    }


def _scalars(record: bytes) -> Iterator[tuple[str, Point]]:
    step, summaries = 0, []
    for number, kind, value in _wire.fields(record):
        if number == _STEP and kind == _wire.VARINT and isinstance(value, int):
            step = _wire.signed(value)
        elif number == _SUMMARY and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for entry in _wire.inner(summary, _VALUE):
            scalar = _value(entry)
            if scalar is not None:
                yield _wire.word(entry, _TAG), Point(scalar, float(step))


def _value(entry: bytes) -> float | None:
    """The entry's number: a simple value, or a tensor of one float."""
    for number, kind, value in _wire.fields(entry):
        if number == _SIMPLE and kind == _wire.FIXED32 and isinstance(value, bytes):
            return _wire.float32(value)
        if number == _TENSOR and kind == _wire.BYTES and isinstance(value, bytes):
            return _tensor(value)
    return None


def _tensor(tensor: bytes) -> float | None:
    dtype, held = 0, b""
    for number, kind, value in _wire.fields(tensor):
        if number == _DTYPE and isinstance(value, int):
            dtype = value
        elif isinstance(value, bytes) and number in (_CONTENT, _FLOATS, _DOUBLES) and kind != _wire.VARINT:
            held = value
    if dtype == _DT_FLOAT and len(held) == 4:
        return _wire.float32(held)
    return _wire.float64(held) if dtype == _DT_DOUBLE and len(held) == 8 else None


READER = Reader(70, "TensorBoard event files", find, read)
