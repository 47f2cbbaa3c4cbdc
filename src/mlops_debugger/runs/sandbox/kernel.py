"""System calls that Python does not wrap. Each raises `OSError` with the call's name; x86-64 and Linux only."""

from __future__ import annotations

import ctypes
import os
import struct

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV, ATTR_NOEXEC = 1, 2, 4, 8

PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS = 1, 24, 28, 38
PR_SET_SECCOMP = 22
# NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE, each locked: no program start gives capabilities back.
SECUREBITS = 0x01 | 0x02 | 0x04 | 0x08 | 0x40 | 0x80

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_AT_EMPTY_PATH = 0x1000
_OPEN_TREE_CLONE = 1
_PIVOT_ROOT, _CAPSET, _OPEN_TREE, _MOUNT_SETATTR = 155, 126, 428, 442
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63


def call(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None, name: str) -> int:
    """A raw system call; integers are passed as 64 bits."""
    wide = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    return _checked(_LIBC.syscall(ctypes.c_long(number), *wide), name)


def unshare(flags: int) -> None:
    """Leave namespaces for new ones; a new PID namespace holds the children to come."""
    _checked(_LIBC.unshare(ctypes.c_int(flags)), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Join the namespace(s) `kind` of a process (its pidfd)."""
    _checked(_LIBC.setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    words = [os.fsencode(word) for word in (source, target, kind, options)]
    result = _LIBC.mount(words[0], words[1], words[2] or None, ctypes.c_ulong(flags), words[3] or None)
    _checked(result, f"mount {target}")


def unmount(target: str) -> None:
    """Take a mount out of the tree; it is freed once nothing holds it open."""
    _checked(_LIBC.umount2(os.fsencode(target), ctypes.c_int(MNT_DETACH)), f"umount {target}")


def pivot_root(new_root: str) -> None:
    """Make `new_root` the root, and let go of the old one."""
    os.chdir(new_root)
    call(_PIVOT_ROOT, b".", b".", name="pivot_root")
    unmount(".")
    os.chdir("/")


def set_mount_attributes(path: str, attributes: int, *, recursive: bool = False) -> None:
    """Add ATTR_… to a mount (and to those below it)."""
    record = ctypes.create_string_buffer(struct.pack("<QQQQ", attributes, 0, 0, 0), 32)
    flags = _AT_RECURSIVE if recursive else 0
    call(_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(path), flags, record, 32, name=f"mount_setattr {path}")


def clone_mount(path: str) -> int:
    """A second, unattached mount of what is mounted at `path`, as a descriptor of its root folder."""
    return call(_OPEN_TREE, _AT_FDCWD, os.fsencode(path), _OPEN_TREE_CLONE | os.O_CLOEXEC, name=f"open_tree {path}")


def prctl(option: int, value: int = 0) -> None:
    """prctl(2) with one argument."""
    arguments = [ctypes.c_ulong(item) for item in (value, 0, 0, 0)]
    _checked(_LIBC.prctl(ctypes.c_int(option), *arguments), f"prctl {option}")


def install_filter(program: bytes) -> None:
    """Install a seccomp filter (an array of struct sock_filter); needs no_new_privs."""
    code = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(program) // 8, ctypes.addressof(code)), 16)
    arguments = (ctypes.c_ulong(2), header, ctypes.c_ulong(0), ctypes.c_ulong(0))
    _checked(_LIBC.prctl(ctypes.c_int(PR_SET_SECCOMP), *arguments), "seccomp")


def drop_bounding_set() -> None:
    """No program start may ever give a capability again; needs CAP_SETPCAP."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # beyond the last capability that this kernel knows
            return


def drop_capabilities() -> None:
    """Clear the permitted, effective and inheritable sets."""
    header = ctypes.create_string_buffer(struct.pack("<Ii", _CAPABILITY_VERSION_3, 0), 8)
    sets = ctypes.create_string_buffer(24)
    call(_CAPSET, header, sets, name="capset")


def _checked(result: int, name: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result
