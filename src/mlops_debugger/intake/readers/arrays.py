"""Saved arrays: NPZ files (never pickled ones) and meta.json, both with the names of docs/run-folder.md."""

from __future__ import annotations

import io
import math
import re
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from mlops_debugger.errors import IntakeError
from mlops_debugger.intake._files import MAX_BINARY, Folder
from mlops_debugger.intake._sources import Candidate, Reader, Source

MAX_UNPACKED = 256 * 1024 * 1024
MAX_VALUES = MAX_UNPACKED // 8
_MAX_MEMBERS = 1_000
_MAX_HEADER = 10_000
_SPLIT = re.compile(r"(train|validation|val|valid|test)[._]+(\w+)")
_NAMED = {"val": "validation", "valid": "validation"}
_PER_ROW = frozenset(
    [
        "row_id",
        "row_hash",
        "group",
        "time",
        "target",
        "source_target",
        "prediction",
        "score",
        "features",
        "unknown_share",
        "length",
    ]
)
_EPOCH = (
    "train_loss val_loss val_metric lr grad_norm grad_norm_max clipped_share zero_share layer_grad_norm "
    "layer_update_ratio"
)
_OTHERS = frozenset(("step.loss", "initial.loss", "source.series", *(f"epoch.{name}" for name in _EPOCH.split())))
_META = frozenset(
    [
        "task",
        "kind",
        "metric",
        "source_classes",
        "classes",
        "model_outputs",
        "fingerprints",
        "feature_names",
        "feature_kinds",
        "layers",
        "trainable",
        "rows",
        "batch_size",
        "steps_per_epoch",
        "epochs_planned",
        "epochs_run",
        "ended",
        "best_epoch",
        "evaluated_epoch",
    ]
)


def find(folder: Folder) -> list[Candidate]:
    """One candidate: all NPZ files and the meta.json of the folder and its outputs/."""
    files = [f for f in folder.files if f.removeprefix("outputs/").count("/") == 0]
    files = [f for f in files if f.endswith(".npz") or f.rpartition("/")[2] == "meta.json"]
    return [Candidate("", files[0])] if files else []


def read(folder: Folder, candidate: Candidate) -> Source:
    arrays: dict[str, NDArray[np.float64]] = {}
    meta: dict[str, Any] = {}
    files: list[str] = []
    notes: list[str] = []
    for file in folder.files:
        if file.removeprefix("outputs/").count("/"):
            continue
        try:
            if file.endswith(".npz"):
                found = _arrays(folder.bytes(file, MAX_BINARY), file, notes)
                arrays = {**found, **arrays}
                files += [file] if found else []
            elif file.rpartition("/")[2] == "meta.json":
                noted = {key: value for key, value in folder.json(file).items() if key in _META}
                meta |= noted
                files += [file] if noted else []
        except IntakeError as error:
            notes.append(f"left out: {error}")
    return Source(arrays=arrays, meta=meta, files=tuple(files), notes=tuple(notes))


def _name(member: str) -> str | None:
    """The array's name in docs/run-folder.md, or None."""
    name = member.removesuffix(".npy")
    if name in _OTHERS:
        return name
    if (other := name.replace("_", ".", 1)) in _OTHERS:
        return other
    match = _SPLIT.fullmatch(name)
    if match is None or match[2] not in _PER_ROW:
        return None
    return f"{_NAMED.get(match[1], match[1])}.{match[2]}"


def _arrays(content: bytes, file: str, notes: list[str]) -> dict[str, NDArray[np.float64]]:
    """Raises `IntakeError` where the file is no archive of arrays, or would unpack to more than is read."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        members = archive.infolist()
        if len(members) > _MAX_MEMBERS:
            raise IntakeError(f"{file}: expected at most {_MAX_MEMBERS} arrays, found {len(members)}")
        if sum(member.file_size for member in members) > MAX_UNPACKED:
            raise IntakeError(f"{file}: expected arrays of at most {MAX_UNPACKED} bytes, found more: save fewer rows")
        found: dict[str, NDArray[np.float64]] = {}
        left = MAX_VALUES
        for member in members:
            name = _name(member.filename)
            if name is None:
                notes.append(f"{file}: {member.filename[:80]!r} is no name of docs/run-folder.md and was left out")
                continue
            with archive.open(member) as stream:
                found[name] = _array(stream.read(MAX_UNPACKED), f"{file}: {name}", left)
            left -= found[name].size
        return found
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise IntakeError(f"{file}: expected NPZ as numpy.savez writes it, found something else ({reason})") from None


def _array(content: bytes, what: str, limit: int) -> NDArray[np.float64]:
    """A member's array of at most `limit` values as float64; the shape that its header declares is not trusted."""
    stream = io.BytesIO(content)
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise IntakeError(f"{what}: expected NPY of version 1 or 2, found {version}")
    reading = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = reading(stream, max_header_size=_MAX_HEADER)
    if dtype.hasobject:
        raise IntakeError(f"{what}: expected numbers, found pickled objects, which are never read: save plain arrays")
    if dtype.kind not in "biuf":
        raise IntakeError(f"{what}: expected numbers, found {dtype}: save positions of classes, not their names")
    count = math.prod(shape)
    if any(side < 0 for side in shape) or count * dtype.itemsize != len(content) - stream.tell():
        raise IntakeError(f"{what}: the header declares {shape} of {dtype}, found {len(content) - stream.tell()} bytes")
    if count > limit:
        raise IntakeError(f"{what}: expected at most {MAX_VALUES} values in one file, found more: save fewer rows")
    values = np.frombuffer(content, dtype, count, stream.tell())
    with np.errstate(all="ignore"):
        return values.reshape(shape, order="F" if fortran else "C").astype(np.float64)


READER = Reader(100, "arrays (NPZ) and meta.json", find, read)
