"""A trial of the sandbox itself: a `pipeline.py` that reports what it can reach. Run inside, never imported.

It gets, as data/forbidden.json, paths that must not be there. Every entry of the report is something that a trial must
not be able to do, and whether it could.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path


def _could(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _open(number: int) -> bool:
    return _could(lambda: os.fstat(number))


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def train() -> dict[str, bool]:
    """Try; gives what could be done by name."""
    forbidden = json.loads(Path("data/forbidden.json").read_text("utf-8"))
    report = {f"see {path}": os.path.lexists(path) for path in forbidden}
    report |= {
        "see other processes": Path("/proc/1").exists() or os.getpid() != 1,
        "hold capabilities": _could(lambda: os.setgroups([0])),
        "write to its inputs": _could(lambda: Path("pipeline.py").write_text("", "utf-8")),
        "write outside its folder": _could(lambda: Path("/etc/passwd").write_text("", "utf-8")),
        "open a TCP socket": _could(lambda: socket.socket(socket.AF_INET)),
        "open a local socket": _could(lambda: socket.socket(socket.AF_UNIX)),
        "start a process": _could(_fork),
        "start a program": _could(lambda: os.execv(sys.executable, [sys.executable])),  # noqa: S606 - it must fail
        "make a link": _could(lambda: Path("outputs/link").symlink_to("/etc/passwd")),
        "inherit descriptors": any(_open(number) for number in range(5, 1024)),
        "inherit an environment": any(name in os.environ for name in ("HOME", "PATH", "USER", "PYTHONPATH")),
        "inherit more code than its own": any(name.startswith("mlops_debugger.p") for name in sys.modules),
    }
    return report


def serve(report: dict[str, bool], inputs: str, output: str) -> None:
    """Write the report as the record of this run and as both predictions."""
    header = json.dumps({"arrays": [], "meta": report}).encode()
    for path in (output, "outputs/record.bin"):
        Path(path).write_bytes(struct.pack("<Q", len(header)) + header)
