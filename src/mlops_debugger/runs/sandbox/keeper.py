"""The keeper: imports the trainer's libraries inside the isolation, then forks a trial for every run.

It runs no stranger's code and keeps none of their data: the files of a trial go through it by `splice` and `sendfile`,
from pipe to memory file system and back, and never enter its memory, of which every later trial gets a copy.

    → {"op": "run", "files": [[name, bytes], …], "serving": bytes, "limits": {…}}     ← {"phase": "trained"} or the end
    → {"op": "serve", "files": [[name, bytes], …]}
                                          ← {"phase": "ended", …, "files": [[name, bytes], …]} and their content

Frames are those of `wire`; announced files follow them. `failed` instead of `ended` says that it is not the trial's
doing. A trial's files are a memory file system each for inputs (read-only) and outputs, gone with it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import stat
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_debugger.runs.allowance import STARVED, Allowance
from mlops_debugger.runs.sandbox import kernel, wire
from mlops_debugger.runs.sandbox.enter import PIPES, confine
from mlops_debugger.runs.sandbox.view import WORK, View
from mlops_debugger.runs.worker import train_and_serve, warm_up

OUTPUTS = f"{WORK}/outputs"
TEMPORARY = f"{OUTPUTS}/tmp"  # noqa: S108 - a memory file system of the trial's own
_MOUNT = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
_ISOLATED, _TRAINED = b"I", b"T"
_MIB = 1 << 20
RECORDS = dict.fromkeys(("record.bin", "live.bin", "sealed.bin"), 64 * _MIB)
"""Outputs that count only whole, and the most bytes of each."""
TEXTS = dict.fromkeys(("train.log", "dataset_stats.json", "eval_results.json", "console.txt"), 4 * _MIB)
"""Outputs of which the first bytes are taken."""


@dataclass
class _Trial:
    """A running trial as its keeper sees it."""

    pid: int
    ready: int
    go: int
    inputs: int
    outputs: int
    allowance: Allowance
    cpu: int
    memory: int


class Keeper:
    """Serves frames on descriptors 0 and 1 until the first closes."""

    def __init__(self, view: View, processes: int, *, own_user: bool, extra_calls: tuple[int, ...]) -> None:
        self._view = view
        self._processes = processes
        self._statm = os.open("self/statm", os.O_RDONLY | os.O_CLOEXEC, dir_fd=processes)
        self._own_user = own_user
        self._extra = extra_calls
        self._self = os.pidfd_open(os.getpid())

    def run(self, libraries: bool) -> None:
        """Warm up, say so, and carry out what is asked."""
        os.environ["TMPDIR"] = tempfile.tempdir = TEMPORARY
        sys.path[:] = [path for path in self._view.search if Path(path).exists()]
        sys.path_importer_cache.clear()
        if libraries:
            # torch makes a folder for its compiler on the way; no later trial sees it.
            kernel.mount("tmpfs", WORK, "tmpfs", _MOUNT, "mode=755,size=1m")
            Path(TEMPORARY).mkdir(parents=True)
            warm_up()
            kernel.unmount(WORK)
        wire.send(1, {"phase": "ready", "pid": os.getpid()})
        while True:
            request = wire.receive(0)
            if request["op"] != "run":
                raise ValueError(f"expected a run, found {request['op']}")
            self._carry_out(request)

    def _carry_out(self, request: dict[str, Any]) -> None:
        limits = request["limits"]
        inputs, outputs = self._mount(request, limits)
        try:
            trial = self._fork(inputs, outputs, limits)
            try:
                reply = self._converse(trial)
            finally:
                os.close(trial.ready)
                os.close(trial.go)
            self._reply(reply, outputs)
        finally:
            os.close(inputs)
            os.close(outputs)
            kernel.unmount(OUTPUTS)
            kernel.unmount(WORK)

    def _mount(self, request: dict[str, Any], limits: dict[str, Any]) -> tuple[int, int]:
        """Fresh inputs and outputs; the inputs are read-only but through the descriptor that is returned first."""
        room = sum(int(size) for _, size in request["files"]) + int(request["serving"]) + (1 << 20)
        kernel.mount("tmpfs", WORK, "tmpfs", _MOUNT, f"mode=755,size={room},nr_inodes=4096")
        inputs = kernel.clone_mount(WORK)
        _place(inputs, request["files"])
        Path(OUTPUTS).mkdir()
        kernel.set_mount_attributes(WORK, kernel.ATTR_RDONLY)
        bounds = f"mode=700,size={int(limits['scratch'])},nr_inodes={int(limits['inodes'])}"
        kernel.mount("tmpfs", OUTPUTS, "tmpfs", _MOUNT, bounds)
        Path(TEMPORARY).mkdir()
        if self._own_user:
            for path in (OUTPUTS, TEMPORARY):
                os.chown(path, 1, 1)
        return inputs, os.open(OUTPUTS, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def _fork(self, inputs: int, outputs: int, limits: dict[str, Any]) -> _Trial:
        """Fork the trial as the first process of a PID namespace: when it ends, all that it started ends."""
        ready, told = os.pipe()
        heard, go = os.pipe()
        seconds, cpu = float(limits["seconds"]), int(limits["seconds"]) + 2
        virtual = int(os.pread(self._statm, 64, 0).split()[0]) * resource.getpagesize()
        kernel.unshare(kernel.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            code = 5
            try:
                confine(
                    self._view, (told, heard), limits, memory=virtual + int(limits["memory"]), cpu=cpu,
                    own_user=self._own_user, extra_calls=self._extra,
                )  # fmt: skip
                os.write(PIPES[0], _ISOLATED)
                code = train_and_serve(WORK, *PIPES)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        kernel.setns(self._self, kernel.CLONE_NEWPID)
        os.close(told)
        os.close(heard)
        outer = self._outer_id_of_child()
        allowance = Allowance.of_process(seconds, outer, self._processes) if outer else Allowance(seconds)
        return _Trial(pid, ready, go, inputs, outputs, allowance, cpu, int(limits["memory"]))

    def _outer_id_of_child(self) -> str:
        """The trial's id outside, where `_processes` was opened; empty where the kernel does not say."""
        try:
            children = os.open("thread-self/children", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._processes)
        except OSError:
            return ""
        try:
            return (os.read(children, 64).decode("ascii").split() or [""])[-1]
        finally:
            os.close(children)

    def _converse(self, trial: _Trial) -> dict[str, Any]:
        """Through training and serving to the end; a trial that ends before it is isolated is our own failure."""
        isolated = _hear(trial) == _ISOLATED
        if isolated and _hear(trial) == _TRAINED:
            wire.send(1, {"phase": "trained"})
            try:
                request = wire.receive(0)
                os.mkdir("serving", 0o755, dir_fd=trial.inputs)
                _place(trial.inputs, request["files"])
            except BaseException:
                os.kill(trial.pid, signal.SIGKILL)
                os.waitpid(trial.pid, 0)
                raise
            with contextlib.suppress(BrokenPipeError):
                os.write(trial.go, b"S")
        return _finish(trial, isolated)

    def _reply(self, reply: dict[str, Any], outputs: int) -> None:
        """Send how it ended, then the outputs that are plain files of bounded size. Nobody writes to them any more."""
        found: list[tuple[str, int, int]] = []
        try:
            for name in (*RECORDS, *TEXTS):
                found.append((name, *_plain_file(outputs, name)))
            wire.send(1, {**reply, "files": [[name, size] for name, _, size in found]})
            for _, descriptor, size in found:
                sent = 0
                while sent < size:
                    sent += os.sendfile(1, descriptor, sent, size - sent)
        finally:
            for _, descriptor, _ in found:
                if descriptor >= 0:
                    os.close(descriptor)


def _place(folder: int, files: list[list[Any]]) -> None:
    """Move files from standard input into `folder` without reading them."""
    for name, size in files:
        head, _, _ = str(name).rpartition("/")
        parts = head.split("/") if head else []
        for depth in range(len(parts)):
            with contextlib.suppress(FileExistsError):
                os.mkdir("/".join(parts[: depth + 1]), 0o755, dir_fd=folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(str(name), flags, 0o444, dir_fd=folder)
        try:
            left = int(size)
            while left:
                moved = os.splice(0, descriptor, left)
                if not moved:
                    raise wire.Ended
                left -= moved
        finally:
            os.close(descriptor)


def _plain_file(folder: int, name: str) -> tuple[int, int]:
    """(descriptor, bytes) of an output, (−1, −1) where it is missing, a link, not a plain file, or too large."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return -1, -1
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size > RECORDS.get(name, found.st_size):
        os.close(descriptor)
        return -1, -1
    return descriptor, min(found.st_size, TEXTS.get(name, found.st_size))


def _hear(trial: _Trial) -> bytes:
    """One byte of the trial, nothing when it ended or ran out of time."""
    return os.read(trial.ready, 1) if trial.allowance.wait(trial.ready) == "ready" else b""


def _finish(trial: _Trial, isolated: bool) -> dict[str, Any]:
    """Wait for the end, which is that of everything the trial started, and say how it ended."""
    handle = os.pidfd_open(trial.pid)
    try:
        # Not the pipe: a trial may close it, or write to it, and go on.
        waited = trial.allowance.wait(handle)
        if waited != "ready":
            os.kill(trial.pid, signal.SIGKILL)
        _, status, usage = os.wait4(trial.pid, 0)
    finally:
        os.close(handle)
        trial.allowance.close()
    code, cpu = os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
    reply = {"phase": "ended", "cpu": cpu, "seconds": trial.allowance.elapsed}
    if waited == "starved":
        return {**reply, "phase": "failed", "reason": STARVED}
    if not isolated:
        return {**reply, "phase": "failed", "reason": "a trial could not be isolated"}
    if waited == "spent" or (code == -signal.SIGKILL and cpu >= trial.cpu - 1):
        return {**reply, "status": "timeout"}
    if code == -signal.SIGKILL and usage.ru_maxrss * 1024 < trial.memory // 2:
        # Nothing inside can send this signal to the first process of a PID namespace: somebody outside did. One that
        # held half of its allowance may itself be why the machine ran out of memory: that is its own doing.
        return {
            **reply,
            "phase": "failed",
            "reason": "a trial was killed from outside (no memory left on the machine?)",
        }
    return {**reply, "status": {0: "completed", 3: "crashed"}.get(code, "killed")}
