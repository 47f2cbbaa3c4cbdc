"""Data-only files: a JSON header of declared length, then little-endian float64 (docs/run-folder.md)."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_debugger.errors import RecordError

MAX_RECORD_BYTES = 64 * 1024 * 1024
_MAX_HEADER_BYTES = 4 * 1024 * 1024
_MAX_SIDES = 4


@dataclass(frozen=True)
class Record:
    """Arrays by name, and what was noted beside them."""

    arrays: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)


def read_record(path: Path) -> Record:
    """Read a data-only file; raises `RecordError` unless it is exactly as long as its header declares."""
    try:
        size = path.stat().st_size
        if size > MAX_RECORD_BYTES:
            raise RecordError(f"{path.name}: expected at most {MAX_RECORD_BYTES} bytes, found {size}")
        raw = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path.name}: expected a record, found none ({error.strerror})") from None
    return parse_record(raw, path.name)


def parse_record(raw: bytes, name: str) -> Record:
    """A record from its bytes; `name` is that of its file, for what `RecordError` says."""
    if len(raw) > MAX_RECORD_BYTES:
        raise RecordError(f"{name}: expected at most {MAX_RECORD_BYTES} bytes, found {len(raw)}")
    if len(raw) < 8:
        raise RecordError(f"{name}: expected 8 bytes of length, found {len(raw)}")
    (length,) = struct.unpack("<Q", raw[:8])
    if length > min(_MAX_HEADER_BYTES, len(raw) - 8):
        raise RecordError(f"{name}: the header claims {length} bytes, found {len(raw) - 8} after it")
    try:
        header = json.loads(raw[8 : 8 + length])
        declared = [(str(item["name"]), tuple(int(side) for side in item["shape"])) for item in header["arrays"]]
        meta = dict(header["meta"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise RecordError(f"{name}: the header is not as documented ({type(error).__name__})") from None
    if any(not 0 <= side <= MAX_RECORD_BYTES for _, shape in declared for side in shape):
        raise RecordError(f"{name}: expected sides from 0 to {MAX_RECORD_BYTES}, found a negative or larger one")
    if any(len(shape) > _MAX_SIDES for _, shape in declared):
        raise RecordError(f"{name}: expected arrays of at most {_MAX_SIDES} sides, found more")
    expected = 8 + length + 8 * sum(math.prod(shape) for _, shape in declared)
    if expected != len(raw):
        raise RecordError(f"{name}: the header declares {expected} bytes, found {len(raw)}")
    arrays: dict[str, NDArray[np.float64]] = {}
    offset = 8 + length
    for label, shape in declared:
        count = math.prod(shape)
        try:
            arrays[label] = np.frombuffer(raw, "<f8", count, offset).reshape(shape)
        except ValueError:  # no values, and sides whose product no machine could address
            raise RecordError(f"{name}: expected a shape that an array can have, found {shape}") from None
        offset += 8 * count
    return Record(arrays, meta)
