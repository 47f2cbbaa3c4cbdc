"""Each layer of the isolation, really tried, in a process of its own that is forked for it.

Run as a program by `probe`: forking and leaving namespaces need a process with one thread. Prints one JSON object,
layer → what was found; an entry that starts with "!" says why the layer is missing.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from mlops_debugger.runs.sandbox import kernel, landlock, seccomp

_GETPPID = 110


def _processor() -> str:
    if sys.platform != "linux" or not seccomp.supported():
        raise OSError("expected Linux on x86-64: the table of system calls is for that alone")
    return f"Linux {os.uname().release} on x86-64"


def _user_namespace() -> str:
    enter_user_namespace()
    return "entered, ids mapped"


def enter_user_namespace() -> None:
    """Leave for a user namespace in which the own id is 0."""
    user, group = os.getuid(), os.getgid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny", "ascii")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1", "ascii")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1", "ascii")


def _mounts() -> str:
    enter_user_namespace()
    folder = tempfile.mkdtemp(prefix="mlops-probe-")
    try:
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
        kernel.mount("tmpfs", folder, "tmpfs", 0, "size=64k,nr_inodes=16")
        os.close(kernel.clone_mount(folder))
        kernel.set_mount_attributes(folder, kernel.ATTR_RDONLY)
        try:
            Path(folder, "file").touch()
        except OSError:
            return "a read-only memory file system was mounted"
        raise OSError("a read-only mount could be written to")
    finally:
        with contextlib.suppress(OSError):  # where nothing could be mounted
            kernel.unmount(folder)
        Path(folder).rmdir()


def _processes() -> str:
    enter_user_namespace()
    kernel.unshare(kernel.CLONE_NEWPID)
    child = os.fork()
    if child == 0:
        os._exit(0 if os.getpid() == 1 else 1)
    if os.waitpid(child, 0)[1] != 0:
        raise OSError("the first process of a new PID namespace is not number 1")
    return "entered"


def _network() -> str:
    enter_user_namespace()
    kernel.unshare(kernel.CLONE_NEWNET)
    names = [name for _, name in socket.if_nameindex()]
    if names != ["lo"]:
        raise OSError(f"expected the loopback alone in a new network namespace, found {names}")
    return "entered; no interface but a loopback that is down"


def _ipc_and_names() -> str:
    enter_user_namespace()
    kernel.unshare(kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS)
    socket.sethostname("trial")
    return "entered"


def _landlock() -> str:
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    version = landlock.restrict({"/dev": landlock.READ})
    try:
        os.close(os.open("/", os.O_RDONLY | os.O_DIRECTORY))
    except PermissionError:
        return f"version {version}"
    raise OSError("a folder could be opened that no rule allows")


def _seccomp() -> str:
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.install_filter(seccomp.denying_filter((_GETPPID,)))
    try:
        kernel.call(_GETPPID, name="getppid")
    except PermissionError:
        return f"{len(seccomp.ALLOWED) + len(seccomp.CONDITIONAL)} system calls are allowed, all others denied"
    raise OSError("a filtered system call was carried out")


def _limits() -> str:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))
    try:
        bytearray(1 << 29)
    except MemoryError:
        return "memory, CPU, processes, file size, open files"
    raise OSError("memory beyond the limit could be had")


LAYERS: dict[str, Callable[[], str]] = {
    "processor": _processor,
    "user namespace": _user_namespace,
    "mount namespace": _mounts,
    "process namespace": _processes,
    "network namespace": _network,
    "IPC and host name namespaces": _ipc_and_names,
    "Landlock": _landlock,
    "seccomp": _seccomp,
    "limits": _limits,
}


def attempt(layer: Callable[[], str]) -> str:
    """What the layer says, tried in a fork; "!" and the reason where it failed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = layer()
        except Exception as error:  # whatever went wrong, this layer cannot be had
            said = f"!{error}"
        os.write(writer, said.encode()[:4096])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        said = answer.read().decode("utf-8", "replace")
    os.waitpid(child, 0)
    return said or "!the process that tried it died"


def main() -> None:
    """Try every layer."""
    print(json.dumps({name: attempt(layer) for name, layer in LAYERS.items()}))
