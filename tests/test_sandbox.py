"""The attack list: what succeeds in a plain run fails in the sandbox."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attacks_files
import attacks_reach
import pytest
from sandboxes import found, refused, send, write_labels

import mlops_debugger
from mlops_debugger.bank import starter_bank_path
from mlops_debugger.runs.pool import TrainerPool

REFUSALS = (
    "", "PermissionError", "FileNotFoundError", "ModuleNotFoundError", "ProcessLookupError", "OSError", "gaierror",
    "ValueError",
)  # fmt: skip
ATTACKS = [attack for attack in (*attacks_files.ATTACKS, *attacks_reach.ATTACKS) if attack not in attacks_files.TWICE]


def _serve_once_each(server: socket.socket) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        with client:
            client.send(b"secret")


def _echo(server: socket.socket) -> None:
    while True:
        try:
            raw, sender = server.recvfrom(512)
        except OSError:
            return
        server.sendto(raw, sender)


@pytest.fixture(scope="module")
def aim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What there is to be got: files and sockets of this test, and a process that does nothing."""
    folder = tmp_path_factory.mktemp("aim")
    folder.chmod(0o777)
    (folder / "answer.json").write_text("the answer", "utf-8")
    write_labels(folder / "labels.npy")
    package = Path(mlops_debugger.__file__).parent
    token = secrets.token_hex(8)
    servers = [socket.socket(socket.AF_INET, socket.SOCK_STREAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
    servers += [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)]
    addresses = [("127.0.0.1", 0), ("127.0.0.1", 0), f"\0mlops-{token}", str(folder / "socket")]
    for server, address in zip(servers, addresses, strict=True):
        server.bind(address)
        if server.type == socket.SOCK_STREAM:
            server.listen()
        threading.Thread(
            target=_echo if server.type == socket.SOCK_DGRAM else _serve_once_each, args=[server], daemon=True
        ).start()
    victim = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.signal(10, lambda *_: None); input()"], stdin=subprocess.PIPE
    )
    yield {
        "answer": str(folder / "answer.json"), "sealed_labels": str(folder / "labels.npy"), "folder": str(folder),
        "bank": str(starter_bank_path()), "generator": str(package / "projects/loan_outcomes/data.py"),
        "package_root": str(package.parent), "parent": os.getpid(), "victim": victim.pid, "token": token,
        "tcp": servers[0].getsockname()[1], "udp": servers[1].getsockname()[1], "abstract": f"mlops-{token}",
        "socket": str(folder / "socket"), "last": False,
    }  # fmt: skip
    victim.kill()
    victim.communicate()
    for server in servers:
        server.shutdown(socket.SHUT_RDWR) if server.type == socket.SOCK_STREAM else None
        server.close()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_succeeds_outside_and_fails_inside(
    attack: Callable[..., object], aim: dict[str, Any], outside: TrainerPool, request: pytest.FixtureRequest
) -> None:
    assert found(send(outside, attack, aim)), f"the positive control failed: {send(outside, attack, aim).record.meta}"
    if not refused():
        result = send(request.getfixturevalue("inside"), attack, aim)
        assert not found(result)
        # It failed because it was not let, not because something is wrong with it.
        assert str(result.record.meta["error"]).partition(":")[0] in REFUSALS


def test_nothing_is_left_for_the_next_trial(
    aim: dict[str, Any], outside: TrainerPool, request: pytest.FixtureRequest
) -> None:
    attack = attacks_files.leave_something_for_the_next_trial
    assert not found(send(outside, attack, aim))
    assert found(send(outside, attack, {**aim, "last": True}))
    if not refused():
        inside = request.getfixturevalue("inside")
        assert not found(send(inside, attack, aim))
        assert not found(send(inside, attack, aim))


def test_there_are_at_least_forty_attacks() -> None:
    assert len(ATTACKS) >= 40
    assert signal.SIGUSR1 == 10
