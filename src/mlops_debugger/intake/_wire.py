"""Protocol Buffers, the wire format alone: fields by number, as bytes and numbers. No schema, no generated code."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from mlops_debugger.errors import IntakeError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_MAX_FIELDS = 200_000
Field = tuple[int, int, int | bytes]


def fields(message: bytes) -> Iterator[Field]:
    """(number, wire type, value) of every field: whole numbers unsigned, fixed ones and strings as bytes.

    Raises `IntakeError` where the bytes are no message: cut short, a length beyond the end, a group, no number.
    """
    at, end = 0, len(message)
    for _ in range(_MAX_FIELDS):
        if at == end:
            return
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if not number:
            raise IntakeError("expected a protobuf message, found a field without a number")
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, at = _varint(message, at)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise IntakeError(f"expected a protobuf message, found wire type {kind}")
        if size > end - at:
            raise IntakeError(f"expected a protobuf message, found a field of {size} bytes where {end - at} are left")
        yield number, kind, message[at : at + size]
        at += size
    raise IntakeError(f"expected at most {_MAX_FIELDS} fields in a protobuf message, found more")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Base 128, low part first, at most 64 bits; and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise IntakeError("expected a protobuf message, found one that is cut short")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise IntakeError("expected a protobuf message, found a number of more than 64 bits")


def inner(message: bytes, number: int) -> Iterator[bytes]:
    """The messages or strings in the fields by that number."""
    for found, kind, value in fields(message):
        if found == number and kind == BYTES and isinstance(value, bytes):
            yield value


def word(message: bytes, number: int) -> str:
    """The last string in the fields by that number; empty where there is none."""
    found = b""
    for value in inner(message, number):
        found = value
    return found.decode("utf-8", "replace")


def signed(value: int) -> int:
    """An int64, as the wire holds it, as a whole number."""
    return value - (1 << 64) if value >> 63 else value


def float32(value: bytes) -> float:
    return float(struct.unpack("<f", value)[0])


def float64(value: bytes) -> float:
    return float(struct.unpack("<d", value)[0])
