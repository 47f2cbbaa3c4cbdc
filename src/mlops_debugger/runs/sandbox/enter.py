"""The last steps of a forked trial before it runs a stranger's code: nothing inherited, nothing left to gain."""

from __future__ import annotations

import fcntl
import os
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_debugger.runs.sandbox import kernel, landlock, seccomp
from mlops_debugger.runs.sandbox.view import DEVICES, WORK, View

PIPES = (3, 4)
"""Where a trial finds its pipes: to its keeper, and from it."""
_TRIAL = 1
_PROCESSES = 32
_OPEN_FILES = 128
_STACK = 8 << 20


def confine(
    view: View,
    pipes: tuple[int, int],
    limits: Mapping[str, Any],
    *,
    memory: int,
    cpu: int,
    own_user: bool,
    extra_calls: tuple[int, ...],
) -> None:
    """Give up everything but `pipes` (then `PIPES`); raises `OSError` where a step fails, and then nothing may run.

    `memory` is the address space in bytes, `cpu` in seconds. Descriptors 1 and 2 become outputs/console.txt.
    """
    os.setsid()
    os.chdir(WORK)
    _only(pipes)
    _limit(limits, memory, cpu)
    kernel.drop_bounding_set()
    kernel.prctl(kernel.PR_SET_SECUREBITS, kernel.SECUREBITS)
    if own_user:
        os.setgroups([])
        os.setresgid(_TRIAL, _TRIAL, _TRIAL)
        os.setresuid(_TRIAL, _TRIAL, _TRIAL)
    _console()
    kernel.drop_capabilities()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict(_rights(view))
    kernel.install_filter(seccomp.training_filter(extra_calls))


def _only(pipes: tuple[int, int]) -> None:
    """Keep the pipes, as descriptors 3 and 4; the keeper's own channel becomes /dev/null, everything else is closed."""
    beyond = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    null = os.open("/dev/null", os.O_RDWR)
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, PIPES[-1] + 1) for descriptor in (null, *pipes)]
    for descriptor in (0, 1, 2):
        os.dup2(high[0], descriptor)
    for descriptor, kept in zip(high[1:], PIPES, strict=True):
        os.dup2(descriptor, kept, inheritable=False)
    os.closerange(PIPES[-1] + 1, beyond)


def _console() -> None:
    console = os.open("outputs/console.txt", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    for descriptor in (1, 2):
        os.dup2(console, descriptor)
    os.close(console)


def _limit(limits: Mapping[str, Any], memory: int, cpu: int) -> None:
    for kind, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, int(limits["file"])),
        (resource.RLIMIT_NPROC, _PROCESSES),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_STACK, _STACK),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, 64),
        (resource.RLIMIT_NICE, 0),
        (resource.RLIMIT_RTPRIO, 0),
    ):
        most = resource.getrlimit(kind)[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (value, value))


def _rights(view: View) -> dict[str, int]:
    """Read what the view holds, write below outputs, and use the four devices."""
    rights = {path: landlock.READ for path in (*view.visible, *view.beneath, WORK, "/etc") if Path(path).exists()}
    rights |= dict.fromkeys(DEVICES, landlock.DEVICE)
    return {**rights, f"{WORK}/outputs": landlock.SCRATCH}
