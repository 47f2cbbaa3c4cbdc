"""The parent's side of the sandbox: keepers, and the runs that they carry out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_debugger.errors import PoolError, SandboxError
from mlops_debugger.projects import Data
from mlops_debugger.runs.allowance import START_SECONDS
from mlops_debugger.runs.results import PINS, Limits, RunResult, assemble
from mlops_debugger.runs.sandbox import wire
from mlops_debugger.runs.sandbox.keeper import RECORDS, TEXTS
from mlops_debugger.runs.sandbox.launch import Plan
from mlops_debugger.runs.sandbox.view import View, view_of_this_machine
from mlops_debugger.runs.warm import WarmPool
from mlops_debugger.runs.workspace import workspace_files

_GRACE_SECONDS = 15.0
_PIPE_BYTES = 1 << 20
_START = "import sys; sys.path.insert(0, sys.argv[1]); from mlops_debugger.runs.sandbox.launch import main; main()"
_FIRST_ID = 60_500
_SLOTS = 200
_Files = Mapping[str, bytes]


class _Slots:
    """Numbers for keepers of this process, so that no two have the same user ids."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._lock = threading.Lock()

    def take(self) -> int:
        with self._lock:
            slot = next((number for number in range(_SLOTS) if number not in self._taken), None)
            if slot is None:
                raise SandboxError(f"expected at most {_SLOTS} keepers in one process, found one more")
            self._taken.add(slot)
            return slot

    def give(self, slot: int) -> None:
        with self._lock:
            self._taken.discard(slot)


_slots = _Slots()


def host_ids(slot: int) -> tuple[int, int] | None:
    """Two ids of the host for this slot where we are root and they are mapped here, else None: our own is used."""
    if os.geteuid() != 0:
        return None
    ids = (_FIRST_ID + 2 * slot, _FIRST_ID + 2 * slot + 1)
    for name in ("uid_map", "gid_map"):
        spans = [line.split() for line in Path("/proc/self", name).read_text("ascii").splitlines()]
        if not all(any(int(first) <= one < int(first) + int(size) for first, _, size in spans) for one in ids):
            return None
    return ids


class Keeper:
    """A started keeper; raises `SandboxError` where the sandbox cannot be set up."""

    def __init__(self, *, libraries: bool = True, extra_calls: tuple[int, ...] = (), view: View | None = None) -> None:
        self._slot = _slots.take()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self.process = subprocess.Popen(
            [sys.executable, "-s", "-P", "-B", "-c", _START, str(Path(__file__).resolve().parents[3])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=PINS,
            bufsize=0,
            cwd="/",
            start_new_session=True,
        )
        if self.process.stdin is None or self.process.stdout is None:
            raise SandboxError("a keeper was started without pipes")
        self._to, self._from = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self._to, False)
        with contextlib.suppress(OSError):  # the larger pipe is for speed alone
            for descriptor in (self._to, self._from):
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        plan = Plan(view or view_of_this_machine(), host_ids(self._slot), libraries, extra_calls)
        try:
            self._ask(plan.plain(), {}, START_SECONDS, ("ready",))
        except BaseException:
            self.kill()
            self.close()
            raise

    def run(self, inputs: _Files, serving: _Files, limits: Limits) -> tuple[dict[str, Any], dict[str, bytes | None]]:
        """One trial: how it ended, and its outputs by name (None where there is no plain file of bounded size)."""
        bounds = {
            "seconds": limits.seconds, "memory": limits.memory, "file": limits.output, "scratch": limits.output,
            "inodes": limits.files,
        }  # fmt: skip
        wait = limits.patience + _GRACE_SECONDS
        size = sum(len(content) + 4096 for content in serving.values())
        reply = self._ask({"op": "run", "serving": size, "limits": bounds}, inputs, wait, ("trained", "ended"))
        if reply["phase"] == "trained":
            reply = self._ask({"op": "serve"}, serving, wait, ("ended",))
        return reply, self._outputs(reply["files"])

    def _ask(
        self, frame: Mapping[str, object], files: _Files, seconds: float, phases: tuple[str, ...]
    ) -> dict[str, Any]:
        """Send a frame with its files, and read the answer; raises `SandboxError` for any other than `phases`."""
        deadline = time.monotonic() + seconds
        listed = {"files": [[name, len(content)] for name, content in files.items()]} if files else {}
        try:
            with contextlib.suppress(BrokenPipeError):  # then it has said why
                wire.send(self._to, {**frame, **listed}, deadline)
                for content in files.values():
                    wire.write_all(self._to, content, deadline)
            reply = wire.receive(self._from, deadline)
        except wire.Late:
            raise SandboxError(f"a keeper gave no answer within {seconds:.0f} s{self._said()}") from None
        except (wire.Ended, ValueError, OSError) as error:
            raise SandboxError(f"a keeper is gone ({type(error).__name__}){self._said()}") from None
        if reply.get("phase") not in phases:
            raise SandboxError(f"{reply.get('reason', 'a keeper answered what was not asked')}{self._said()}")
        return reply

    def _outputs(self, listed: list[list[Any]]) -> dict[str, bytes | None]:
        """Read what was announced, never more than each file may have."""
        most = {**RECORDS, **TEXTS}
        found: dict[str, bytes | None] = {}
        deadline = time.monotonic() + _GRACE_SECONDS
        try:
            for name, size in listed:
                if not -1 <= int(size) <= most.get(name, -1):
                    raise SandboxError(f"a keeper announced {size} bytes of {name}: expected at most {most.get(name)}")
                found[name] = None if size < 0 else wire.read_exactly(self._from, int(size), deadline)
        except (wire.Ended, wire.Late, OSError) as error:
            raise SandboxError(f"a keeper is gone ({type(error).__name__}){self._said()}") from None
        return found

    def _said(self) -> str:
        """The last line that the keeper itself (no trial) wrote on standard error."""
        self._errors.seek(0)
        lines = self._errors.read(1 << 20).decode("utf-8", "replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""

    def kill(self) -> None:
        """End the keeper at once, and with it whatever runs inside."""
        self.process.kill()

    def close(self) -> None:
        """End the keeper and wait for its end."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._errors.close()
        _slots.give(self._slot)


class SandboxPool(WarmPool[Keeper]):
    """Like `TrainerPool`, each run in isolation. Tests leave out the `libraries`, or let `extra_calls` through."""

    def __init__(
        self,
        workers: int = 1,
        limits: Limits | None = None,
        *,
        libraries: bool = True,
        extra_calls: tuple[int, ...] = (),
    ) -> None:
        if workers > _SLOTS:
            raise PoolError(f"expected at most {_SLOTS} keepers, found {workers}")
        super().__init__(workers, limits)
        self._libraries, self._extra_calls = libraries, extra_calls

    def _open(self) -> Keeper:
        return Keeper(libraries=self._libraries, extra_calls=self._extra_calls)

    def _carry_out(
        self, worker: Keeper, sources: Mapping[str, str], data: Data, *, run_id: str, started_at: str
    ) -> RunResult:
        inputs = workspace_files(sources, data, run_id=run_id, started_at=started_at)
        serving = {
            f"serving/{sample}/{name}": content
            for sample, files in data.serving.items()
            for name, content in files.items()
        }
        reply, files = worker.run(inputs, serving, self.limits)
        return assemble(reply["status"], files, data.serving, reply["seconds"], reply["cpu"])
