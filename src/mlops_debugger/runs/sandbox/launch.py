"""From a started interpreter to a warm keeper in namespaces of its own.

Started by `pool` as a fresh process with an empty environment; the first frame on its standard input is the plan.
It stays outside as a thin waiter: killing it kills the keeper, and with the keeper everything in its PID namespace.

As root the view is built first, and the user namespace that is entered then maps two unprivileged ids of the host: one
for the keeper (0 inside), one for its trials (1 inside). Otherwise the only id there is is mapped to 0, and a trial is
told apart from its keeper by capabilities, PID namespace, Landlock and seccomp alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import tempfile
import traceback
from dataclasses import dataclass
from typing import Any

from mlops_debugger.runs.sandbox import keeper, kernel, wire
from mlops_debugger.runs.sandbox.view import View, build, read_view

_PRIVATE = (
    kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWPID
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What a keeper is started with. `ids` are the host's ids for keeper and trial; None takes the caller's own."""

    view: View
    ids: tuple[int, int] | None
    libraries: bool
    extra_calls: tuple[int, ...]

    def plain(self) -> dict[str, Any]:
        """As JSON can carry it."""
        return {"view": self.view.plain(), "ids": self.ids, "libraries": self.libraries, "extra": self.extra_calls}


def read_plan(plain: dict[str, Any]) -> Plan:
    """What `plain` gave."""
    ids = plain["ids"]
    return Plan(
        read_view(plain["view"]),
        (int(ids[0]), int(ids[1])) if ids else None,
        bool(plain["libraries"]),
        tuple(int(number) for number in plain["extra"]),
    )


def main() -> None:
    """Read the plan, isolate, keep."""
    plan = read_plan(wire.receive(0))
    processes = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        isolate(plan)
    except OSError as error:
        wire.send(1, {"phase": "failed", "reason": f"the sandbox cannot be set up here: {error}"})
        sys.exit(1)
    child = os.fork()
    if child == 0:
        _keep(plan, processes)
    for descriptor in (0, 1, processes):
        os.close(descriptor)
    _, status = os.waitpid(child, 0)
    sys.exit(0 if status == 0 else 1)


def isolate(plan: Plan) -> None:
    """Enter the namespaces with the view as root; children of this process are in a new PID namespace."""
    root = tempfile.mkdtemp(prefix="mlops-view-")
    try:
        if plan.ids is None:
            _enter_with_own_id()
            _build(plan.view, root)
        else:
            with _mapper(plan.ids) as entered:
                kernel.unshare(kernel.CLONE_NEWNS)
                _build(plan.view, root)
                kernel.unshare(_PRIVATE)
                entered()
            os.setgroups([])
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
    except OSError:
        with contextlib.suppress(OSError):
            kernel.unmount(root)
        with contextlib.suppress(OSError):
            os.rmdir(root)  # noqa: PTH106
        raise
    socket.sethostname("trial")


def _build(view: View, root: str) -> None:
    """Build the view; the folder that it was mounted on is removed by a process that still sees it."""
    descriptor = os.open(os.path.dirname(root), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)  # noqa: PTH120
    try:
        build(view, root)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.basename(root), dir_fd=descriptor)  # noqa: PTH119
    finally:
        os.close(descriptor)


def _enter_with_own_id() -> None:
    user, group = os.getuid(), os.getgid()
    kernel.unshare(_PRIVATE)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _mapper(ids: tuple[int, int]) -> Any:
    """A forked process that stays outside and writes the id maps of this one once it has entered its namespace."""
    me = os.getpid()
    asked, ask = os.pipe()
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(ask)
            if os.read(asked, 1) == b"M":
                for name in ("uid_map", "gid_map"):
                    descriptor = os.open(f"/proc/{me}/{name}", os.O_WRONLY | os.O_CLOEXEC)
                    os.write(descriptor, f"0 {ids[0]} 1\n1 {ids[1]} 1\n".encode())
                    os.close(descriptor)
                os.write(tell, b"D")
                code = 0
        finally:
            os._exit(code)
    os.close(asked)
    os.close(tell)

    def entered() -> None:
        os.write(ask, b"M")
        if os.read(told, 1) != b"D":
            raise PermissionError("the ids of the sandbox could not be mapped")

    try:
        yield entered
    finally:
        os.close(ask)
        os.close(told)
        os.waitpid(child, 0)


def _keep(plan: Plan, processes: int) -> None:
    """The keeper's process; it ends with its standard input, or with the waiter outside."""
    code = 1
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        seen = [path for path in plan.view.forbidden if os.path.lexists(path)]
        if seen:
            wire.send(1, {"phase": "failed", "reason": f"the sandbox shows what it must not show: {seen[0]}"})
        else:
            own_user = plan.ids is not None
            keeper.Keeper(plan.view, processes, own_user=own_user, extra_calls=plan.extra_calls).run(plan.libraries)
            code = 0
    except wire.Ended:
        code = 0
    except BaseException as error:
        traceback.print_exc()
        wire.send(1, {"phase": "failed", "reason": f"the keeper failed: {type(error).__name__}: {error}"})
    finally:
        os._exit(code)
