"""What a trial may ask of the kernel: a list of allowed system calls, compiled to BPF by hand.

The list is what training was measured to call (strace over every project: read, newfstatat, lseek, write, openat,
close, ioctl, getpid, mmap, fcntl, getdents64, getrandom, prlimit64, mkdir, getcwd, exit_group, sched_getaffinity, brk,
munmap, futex), plus what the C library, NumPy and torch call under other inputs: plain files, memory, threads, clocks
and signals. Everything else answers EPERM: sockets of every family, processes, programs, mounts, namespaces, tracing,
keys, io_uring, userfaultfd, bpf, perf, modules, links, nodes, memory files, shared memory.
"""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass

_ARCHITECTURE = 0xC000003E  # AUDIT_ARCH_X86_64
_X32 = 0x40000000
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _AND, _JEQ, _JGE, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06

# The most frequent first: the filter is read from the top.
ALLOWED = {
    "read": 0, "newfstatat": 262, "lseek": 8, "write": 1, "openat": 257, "close": 3, "getpid": 39, "mmap": 9,
    "munmap": 11, "futex": 202, "brk": 12, "madvise": 28, "mprotect": 10, "mremap": 25, "getdents64": 217,
    "getrandom": 318, "clock_gettime": 228, "stat": 4, "fstat": 5, "lstat": 6, "open": 2, "access": 21,
    "pread64": 17, "pwrite64": 18, "readv": 19, "writev": 20, "preadv": 295, "pwritev": 296, "poll": 7, "select": 23,
    "pselect6": 270, "ppoll": 271, "sched_yield": 24, "dup": 32, "dup2": 33, "dup3": 292, "nanosleep": 35,
    "clock_nanosleep": 230, "clock_getres": 229, "gettimeofday": 96, "time": 201, "times": 100, "getitimer": 36,
    "setitimer": 38, "alarm": 37, "pause": 34,
    "exit": 60, "exit_group": 231, "uname": 63, "fsync": 74, "fdatasync": 75, "truncate": 76, "ftruncate": 77,
    "fallocate": 285, "fadvise64": 221, "getdents": 78, "getcwd": 79, "chdir": 80, "fchdir": 81, "rename": 82,
    "renameat": 264, "renameat2": 316, "mkdir": 83, "mkdirat": 258, "rmdir": 84, "unlink": 87, "unlinkat": 263,
    "readlink": 89, "readlinkat": 267, "faccessat": 269, "faccessat2": 439, "statx": 332, "statfs": 137,
    "fstatfs": 138, "umask": 95, "utimensat": 280, "sendfile": 40, "copy_file_range": 326, "flock": 73,
    "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "getuid": 102, "getgid": 104, "geteuid": 107, "getegid": 108,
    "getresuid": 118, "getresgid": 120, "getgroups": 115, "getppid": 110, "getpgrp": 111, "getsid": 124, "gettid": 186,
    "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "rt_sigpending": 127, "rt_sigtimedwait": 128,
    "rt_sigsuspend": 130, "sigaltstack": 131, "restart_syscall": 219, "kill": 62, "tgkill": 234,
    "set_tid_address": 218, "set_robust_list": 273, "get_robust_list": 274, "rseq": 334, "membarrier": 324,
    "sched_getaffinity": 204, "getcpu": 309, "close_range": 436,
}  # fmt: skip
# Answered as if the kernel were older, so that the C library falls back to a call that the filter can look into.
UNKNOWN = {"clone3": 435, "openat2": 437}

_CLONE, _IOCTL, _PRCTL, _FCNTL, _PRLIMIT = 56, 16, 157, 72, 302
_CHMOD, _FCHMOD, _FCHMODAT = 90, 91, 268
# A thread shares memory and thread group (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD), and comes with no new namespace.
_THREAD = 0x00010900
_NEW_NAMESPACES = 0x7E020080
_SPECIAL_MODE_BITS = 0o7000


@dataclass(frozen=True)
class _Test:
    """`value` of the 32 bits at `offset` of struct seccomp_data, under `mask`."""

    offset: int
    mask: int
    value: int


def _argument(index: int, value: int, mask: int = 0xFFFFFFFF) -> _Test:
    return _Test(16 + 8 * index, mask, value)


def _any_of(index: int, *values: int) -> tuple[tuple[_Test, ...], ...]:
    return tuple((_argument(index, value),) for value in values)


# Calls that are allowed with some arguments: a list of alternatives, each a list of tests that must all hold.
CONDITIONAL: dict[int, tuple[tuple[_Test, ...], ...]] = {
    _IOCTL: _any_of(1, 0x5401, 0x5413, 0x541B, 0x5450, 0x5451),  # TCGETS, TIOCGWINSZ, FIONREAD, FIONCLEX, FIOCLEX
    _FCNTL: _any_of(1, 0, 1, 2, 3, 4, 1030),  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC
    _PRLIMIT: ((_argument(2, 0), _Test(16 + 8 * 2 + 4, 0xFFFFFFFF, 0)),),  # reading a limit, not setting one
    _CLONE: ((_argument(0, _THREAD, _THREAD | _NEW_NAMESPACES),),),
    _PRCTL: _any_of(0, 15, 16, 0x53564D41),  # PR_SET_NAME, PR_GET_NAME, PR_SET_VMA (names for memory)
    _CHMOD: ((_argument(1, 0, _SPECIAL_MODE_BITS),),),
    _FCHMOD: ((_argument(1, 0, _SPECIAL_MODE_BITS),),),
    _FCHMODAT: ((_argument(2, 0, _SPECIAL_MODE_BITS),),),
}


def supported() -> bool:
    """Whether the tables above are those of this machine."""
    return platform.machine() == "x86_64" and struct.calcsize("P") == 8


def training_filter(extra: tuple[int, ...] = ()) -> bytes:
    """The filter of a trial. `extra` calls are let through as well: tests show what the other layers do alone."""
    program = _head()
    for number in (*ALLOWED.values(), *extra):
        program += _if_number(number, [_step(_RETURN, _ALLOW)])
    for number, alternatives in CONDITIONAL.items():
        if number not in extra:
            program += _if_number(number, _alternatives(alternatives))
    for number in UNKNOWN.values():
        if number not in extra:
            program += _if_number(number, [_step(_RETURN, _ERRNO | errno.ENOSYS)])
    return b"".join([*program, _step(_RETURN, _ERRNO | errno.EPERM)])


def denying_filter(numbers: tuple[int, ...]) -> bytes:
    """A filter that answers EPERM to these calls alone: how a machine looks that does not permit them."""
    program = _head()
    for number in numbers:
        program += _if_number(number, [_step(_RETURN, _ERRNO | errno.EPERM)])
    return b"".join([*program, _step(_RETURN, _ALLOW)])


def _head() -> list[bytes]:
    """Only calls of this architecture: those of 32 bits have other numbers."""
    return [
        _step(_LOAD, 4),
        _jump(_JEQ, _ARCHITECTURE, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, 0),
        _jump(_JGE, _X32, 0, 1),
        _step(_RETURN, _ERRNO | errno.EPERM),
    ]


def _if_number(number: int, body: list[bytes]) -> list[bytes]:
    """`body` for this call; it must return, since it may have loaded something else."""
    return [_jump(_JEQ, number, 0, len(body)), *body]


def _alternatives(alternatives: tuple[tuple[_Test, ...], ...]) -> list[bytes]:
    steps: list[bytes] = []
    for tests in alternatives:
        for position, test in enumerate(tests):
            left = 3 * (len(tests) - position - 1) + 1
            steps += [_step(_LOAD, test.offset), _step(_AND, test.mask), _jump(_JEQ, test.value, 0, left)]
        steps.append(_step(_RETURN, _ALLOW))
    return [*steps, _step(_RETURN, _ERRNO | errno.EPERM)]


def _step(code: int, value: int) -> bytes:
    return struct.pack("<HBBI", code, 0, 0, value)


def _jump(code: int, value: int, when_true: int, when_false: int) -> bytes:
    return struct.pack("<HBBI", code, when_true, when_false, value)
