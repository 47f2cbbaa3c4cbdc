"""Frames between the parent and a keeper: four bytes of length, a JSON object, then the files that it announces."""

from __future__ import annotations

import contextlib
import json
import os
import select
import struct
import time
from collections.abc import Mapping
from typing import Any

MAX_FRAME_BYTES = 1 << 20


class Ended(Exception):
    """The other side closed its end."""


class Late(Exception):
    """The other side said nothing in time."""


def send(descriptor: int, frame: Mapping[str, object], deadline: float | None = None) -> None:
    """Write one frame."""
    raw = json.dumps(frame).encode()
    write_all(descriptor, struct.pack("<I", len(raw)) + raw, deadline)


def write_all(descriptor: int, raw: bytes, deadline: float | None = None) -> None:
    """Write all of `raw`; with a deadline (monotonic seconds) the descriptor must not block. Raises `Late`."""
    view = memoryview(raw)
    while view:
        if deadline is not None and not select.select([], [descriptor], [], max(0.0, deadline - time.monotonic()))[1]:
            raise Late
        with contextlib.suppress(BlockingIOError):
            view = view[os.write(descriptor, view) :]


def receive(descriptor: int, deadline: float | None = None) -> dict[str, Any]:
    """Read one frame; raises `Ended`, `Late`, and `ValueError` for what is none."""
    (length,) = struct.unpack("<I", read_exactly(descriptor, 4, deadline))
    if length > MAX_FRAME_BYTES:
        raise ValueError(f"expected a frame of at most {MAX_FRAME_BYTES} bytes, found one of {length}")
    frame = json.loads(read_exactly(descriptor, length, deadline))
    if not isinstance(frame, dict):
        raise ValueError("expected a frame to be a JSON object, found something else")
    return frame


def read_exactly(descriptor: int, size: int, deadline: float | None = None) -> bytes:
    """Read `size` bytes."""
    parts: list[bytes] = []
    while size > 0:
        if deadline is not None and not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise Late
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            raise Ended
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
