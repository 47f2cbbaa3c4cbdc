"""Landlock: which paths a process may open, whatever its user id and its mounts say."""

from __future__ import annotations

import ctypes
import os
import stat
import struct

from mlops_debugger.runs.sandbox.kernel import call

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_FLAG = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << bit for bit in range(6))
_MAKE_DIR, _MAKE_REG = 1 << 7, 1 << 8
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_ALL = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_BIND_TCP_AND_CONNECT_TCP = 3
_ABSTRACT_SOCKETS_AND_SIGNALS = 3
_FOR_FILES = _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

READ = _READ_FILE | _READ_DIR
DEVICE = _READ_FILE | _WRITE_FILE
# No links, nodes, sockets or programs.
SCRATCH = READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE


def abi() -> int:
    """The kernel's version of Landlock; raises `OSError` where there is none."""
    return call(_CREATE, None, 0, _VERSION_FLAG, name="landlock_create_ruleset")


def restrict(rights: dict[str, int]) -> int:
    """Allow these rights below these paths and nothing else, TCP and signals to others included; gives the version.

    A later version of Landlock restricts more: 4 TCP, 6 abstract sockets and signals. Needs no_new_privs.
    """
    version = abi()
    files = _ALL[min(version, 5)]
    fields = (
        files,
        _BIND_TCP_AND_CONNECT_TCP if version >= 4 else 0,
        _ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0,
    )
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    record = ctypes.create_string_buffer(struct.pack("<QQQ", *fields)[:size], size)
    ruleset = call(_CREATE, record, size, 0, name="landlock_create_ruleset")
    try:
        for path, allowed in rights.items():
            _allow_below(ruleset, path, allowed & files)
        call(_RESTRICT, ruleset, 0, name="landlock_restrict_self")
    finally:
        os.close(ruleset)
    return version


def _allow_below(ruleset: int, path: str, allowed: int) -> None:
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(parent).st_mode):
            allowed &= _FOR_FILES
        rule = ctypes.create_string_buffer(struct.pack("<Qi", allowed, parent), 12)
        call(_ADD, ruleset, 1, rule, 0, name=f"landlock_add_rule {path}")
    finally:
        os.close(parent)
