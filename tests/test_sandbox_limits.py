"""Floods and trials that do not end: bounded inside, and nothing outlives a trial."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attacks_floods
import attacks_reach
import pytest
from sandboxes import alone, descendants, found, refused, send

from mlops_debugger.errors import PoolError, SandboxError
from mlops_debugger.runs.pool import Limits, TrainerPool
from mlops_debugger.runs.sandbox.pool import Keeper, SandboxPool

MIB = 1 << 20
# fork, vfork, clone, wait4, setsid, clone3, pipe, pipe2: what the filter of a trial denies.
PROCESS_CALLS = (57, 58, 56, 61, 112, 435, 22, 293)
SMALL = Limits(seconds=30, memory=96 * MIB, output=2 * MIB, files=64)
FLOOD = {"much": 8 * MIB, "many": 200, "few": 40}


@pytest.fixture(scope="module")
def small() -> Iterator[SandboxPool]:
    with SandboxPool(1, SMALL, libraries=False) as pool:
        yield pool


@pytest.fixture(scope="module")
def short() -> Iterator[SandboxPool]:
    with SandboxPool(1, Limits(seconds=0.8), libraries=False) as pool:
        yield pool


@pytest.mark.parametrize("attack", attacks_floods.SPACE, ids=lambda attack: attack.__name__)
def test_a_flood_is_bounded(
    attack: Callable[..., object], outside: TrainerPool, request: pytest.FixtureRequest
) -> None:
    memory = attack in (attacks_floods.allocate, attacks_floods.map_shared_memory)
    aim = {**FLOOD, "much": 128 * MIB} if memory else FLOOD
    assert found(send(outside, attack, aim)) is True
    if not refused():
        result = send(request.getfixturevalue("small"), alone(attack), aim)
        # Either it was stopped, or nothing is left to write its record with.
        assert result.status in ("crashed", "killed") or not found(result)
        told = len(result.console)
        assert told <= SMALL.output


@pytest.mark.parametrize("attack", attacks_floods.TIME, ids=lambda attack: attack.__name__)
def test_a_trial_that_does_not_end_is_ended(
    attack: Callable[..., object], outside: TrainerPool, request: pytest.FixtureRequest
) -> None:
    assert found(send(outside, attack, {"seconds": 0.05, "close": False}))
    if not refused():
        short = request.getfixturevalue("short")
        assert send(short, alone(attack), {"seconds": 600, "close": True}).status == "timeout"
        assert found(send(short, alone(attacks_floods.sleep), {"seconds": 0}))


def test_every_limit_is_set() -> None:
    """CPU time is two seconds beyond wall time; the rest is what `Limits` and the sandbox say. Hard limits, all of them."""
    text = (
        "import json, resource, struct\ndef train():\n"
        "    names = [name for name in dir(resource) if name.startswith('RLIMIT_')]\n"
        "    return {name: resource.getrlimit(getattr(resource, name)) for name in names}\n"
        "def serve(limits, inputs, output):\n"
        "    header = json.dumps({'arrays': [], 'meta': {'found': limits}}).encode()\n"
        "    for path in (output, 'outputs/record.bin'):\n"
        "        open(path, 'wb').write(struct.pack('<Q', len(header)) + header)\n"
    )
    if refused():
        return
    with SandboxPool(1, SMALL, libraries=False) as pool:
        limits = found(send(pool, text, {}))
    assert isinstance(limits, dict)
    wanted = {"CPU": 32, "FSIZE": SMALL.output, "CORE": 0, "MEMLOCK": 0, "MSGQUEUE": 0, "NPROC": 32, "NOFILE": 128}
    assert {name: limits[f"RLIMIT_{name}"] for name in wanted} == {name: [value] * 2 for name, value in wanted.items()}
    assert SMALL.memory < limits["RLIMIT_AS"][0] == limits["RLIMIT_AS"][1] < SMALL.memory + (1 << 30)


def test_a_fork_bomb_is_denied_and_bounded_even_without_the_filter(outside: TrainerPool) -> None:
    assert found(send(outside, attacks_floods.fork_many, FLOOD)) is True
    if not refused():
        with SandboxPool(1, SMALL, libraries=False) as strict:
            assert not found(send(strict, alone(attacks_floods.fork_many), {**FLOOD, "few": 1}))
        with SandboxPool(1, SMALL, libraries=False, extra_calls=PROCESS_CALLS) as loose:
            assert found(send(loose, alone(attacks_reach.fork), FLOOD))
            result = send(loose, alone(attacks_floods.fork_many), FLOOD)
            assert not found(result)
            assert "BlockingIOError" in str(result.record.meta["error"])


def processes_of_a_namespace(pid: int) -> list[int]:
    """The processes in the PID namespace of `pid`, and in those below it."""
    wanted = Path(f"/proc/{pid}/ns/pid").stat().st_ino
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in _namespaces(folder / "ns/pid"):
                found.append(int(folder.name))
        except OSError:  # over meanwhile
            continue
    return sorted(found)


def _namespaces(path: Path) -> list[int]:
    """The inode of a PID namespace and of those above it."""
    inodes = []
    descriptor = os.open(path, os.O_RDONLY)
    while True:
        inodes.append(os.fstat(descriptor).st_ino)
        try:
            above = fcntl.ioctl(descriptor, 0xB702)  # NS_GET_PARENT; EPERM at the top
        except PermissionError:
            return inodes
        finally:
            os.close(descriptor)
        descriptor = above


def test_a_daemon_does_not_outlive_its_trial(outside: TrainerPool) -> None:
    survivor = found(send(outside, attacks_floods.leave_a_daemon, {}))
    assert isinstance(survivor, int)
    os.kill(survivor, 0)  # the control: there it still is
    os.kill(survivor, signal.SIGKILL)
    if refused():
        return
    with SandboxPool(1, SMALL, libraries=False) as strict:
        assert not found(send(strict, alone(attacks_floods.leave_a_daemon), {}))
    with SandboxPool(1, SMALL, libraries=False, extra_calls=PROCESS_CALLS) as loose:
        assert found(send(loose, alone(attacks_floods.leave_a_daemon), {})), "it must start for this to be a test"
        waiter = next(iter(loose._all)).process.pid
        (keeper,) = descendants(waiter)
        assert processes_of_a_namespace(keeper) == [keeper]


def test_killing_the_waiter_outside_ends_everything() -> None:
    if refused():
        return
    keeper = Keeper(libraries=False)
    (inner,) = descendants(keeper.process.pid)
    watch = os.pidfd_open(inner)
    keeper.kill()
    keeper.close()
    import select

    assert select.select([watch], [], [], 10)[0], "the keeper lives on"
    os.close(watch)


def test_a_killed_keeper_is_our_failure_and_is_replaced() -> None:
    if refused():
        return
    with SandboxPool(1, SMALL, libraries=False) as pool:
        assert found(send(pool, alone(attacks_floods.sleep), {"seconds": 0}))
        next(iter(pool._all)).kill()
        with pytest.raises(SandboxError, match="gone"):
            send(pool, alone(attacks_floods.sleep), {"seconds": 0})
        assert found(send(pool, alone(attacks_floods.sleep), {"seconds": 0}))


def test_a_trial_killed_from_outside_is_our_failure() -> None:
    if refused():
        return
    import threading
    import time

    with SandboxPool(1, SMALL, libraries=False) as pool:
        assert found(send(pool, alone(attacks_floods.sleep), {"seconds": 0}))
        (keeper,) = descendants(next(iter(pool._all)).process.pid)

        def kill() -> None:
            while not (below := descendants(keeper)):
                time.sleep(0.01)
            time.sleep(0.2)
            os.kill(below[0], signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        with pytest.raises(SandboxError, match="killed from outside"):
            send(pool, alone(attacks_floods.sleep), {"seconds": 20})
        thread.join()


def test_a_plain_run_killed_from_outside_is_our_failure(outside: TrainerPool) -> None:
    """In a plain process the run can do it to itself: what counts is that it was no limit of ours."""
    text = "import os, signal\ndef train():\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    with pytest.raises(PoolError, match="killed from outside"):
        send(outside, text, {})


def test_a_trial_cannot_kill_itself_out_of_a_verdict() -> None:
    """An infrastructure failure is not scored: a trial must not be able to look like one."""
    if refused():
        return
    ways: dict[str, Any] = {
        "kill": "os.kill(os.getpid(), 9)\n    time.sleep(20)",
        "exit as if not isolated": "os._exit(5)",
        "exit well": "os._exit(0)",
        "crash": "ctypes.string_at(0)",
        "abort": "os.abort()",
    }
    with SandboxPool(1, Limits(seconds=1), libraries=False) as pool:
        for way, line in ways.items():
            text = f"import ctypes, os, time\ndef train():\n    {line}\n"
            assert send(pool, text, {}).status in ("crashed", "killed", "timeout"), way
