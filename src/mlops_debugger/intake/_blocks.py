"""Framing of records in binary logs: TFRecord (TensorBoard) and blocks as in LevelDB's log (Weights & Biases).

A run that was killed leaves its last record half written. So reading ends at the first record that is cut short or
fails its checksum; what came before it is used, and the reason is told.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from mlops_debugger.errors import IntakeError

_CASTAGNOLI = 0x82F63B78
_MASK = 0xA282EAD8
MAX_RECORD = 8 * 1024 * 1024
MAX_RECORDS = 500_000
_CHECKED = 4 * 1024 * 1024  # bytes whose checksums are computed: in Python that is slow

_HEADER = b":W&B"
_MAGIC = 0xBEE1
_BLOCK = 32 * 1024
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


@dataclass(frozen=True)
class Records:
    """Records in order, and why reading ended before the end of the file ("" where it did not)."""

    records: tuple[bytes, ...]
    ended: str = ""


def _table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_CASTAGNOLI if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _table()


def masked_crc(data: bytes) -> int:
    """CRC-32C of the data, rotated and shifted as TFRecord stores it."""
    crc = 0xFFFF_FFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFF_FFFF
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFF_FFFF


def tf_records(content: bytes) -> Records:
    """Records of a TFRecord file. Every length is checked by its checksum, data for the first 4 MB."""
    found: list[bytes] = []
    at = 0
    while at < len(content):
        if len(found) >= MAX_RECORDS:
            return Records(tuple(found), f"more than {MAX_RECORDS} records")
        if at + 12 > len(content):
            return Records(tuple(found), "the last record is cut short")
        size, crc = struct.unpack_from("<QI", content, at)
        if crc != masked_crc(content[at : at + 8]):
            return Records(tuple(found), f"record {len(found) + 1} fails its checksum")
        if size > MAX_RECORD:
            return Records(tuple(found), f"record {len(found) + 1} claims {size} bytes, at most {MAX_RECORD} are read")
        if at + 12 + size + 4 > len(content):
            return Records(tuple(found), "the last record is cut short")
        data = content[at + 12 : at + 12 + size]
        (crc,) = struct.unpack_from("<I", content, at + 12 + size)
        if at < _CHECKED and crc != masked_crc(data):
            return Records(tuple(found), f"record {len(found) + 1} fails its checksum")
        found.append(data)
        at += 16 + size
    return Records(tuple(found))


def wandb_records(content: bytes, file: str) -> Records:
    """Records of a .wandb file. Raises `IntakeError` where it does not begin like one."""
    if len(content) < 7 or content[:4] != _HEADER:
        raise IntakeError(f"{file}: expected a .wandb file, which begins with :W&B, found another beginning")
    magic, version = struct.unpack_from("<HB", content, 4)
    if magic != _MAGIC or version != 0:
        raise IntakeError(f"{file}: expected a .wandb file of version 0, found version {version}: sync it with wandb")
    found: list[bytes] = []
    parts: list[bytes] = []
    at = 7
    while at < len(content):
        left = _BLOCK - at % _BLOCK
        if left < 7:
            at += left
            continue
        if at + 7 > len(content):
            return Records(tuple(found), "the last record is cut short")
        crc, size, kind = struct.unpack_from("<IHB", content, at)
        if crc == size == kind == 0:
            at += left  # the rest of the block was allocated and never written
            continue
        data = content[at + 7 : at + 7 + size]
        if size > left - 7 or len(data) < size:
            return Records(tuple(found), "the last record is cut short")
        if crc != zlib.crc32(data, zlib.crc32(bytes([kind]))):
            return Records(tuple(found), f"record {len(found) + 1} fails its checksum")
        if kind not in (_FULL, _FIRST, _MIDDLE, _LAST) or (kind in (_FULL, _FIRST)) == bool(parts):
            return Records(tuple(found), f"record {len(found) + 1} has parts that do not fit together")
        parts.append(data)
        if sum(map(len, parts)) > MAX_RECORD or len(found) >= MAX_RECORDS:
            return Records(tuple(found), f"record {len(found) + 1} is longer than what is read")
        if kind in (_FULL, _LAST):
            found.append(b"".join(parts))
            parts = []
        at += 7 + size
    return Records(tuple(found), "the last record is cut short" if parts else "")
