"""What a machine can isolate: tried for real, also where layers are missing, and nothing falls back silently."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from scenarios import scenario
from typer.testing import CliRunner

import mlops_debugger
from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.cli import app
from mlops_debugger.edits import CODE, CONFIG
from mlops_debugger.errors import IsolationError, RunError, SandboxError
from mlops_debugger.grading import TrialRequest, Trials, grade, prepare
from mlops_debugger.grading.diagnosis import Diagnosis
from mlops_debugger.projects import projects
from mlops_debugger.runs.sandbox import kernel, seccomp
from mlops_debugger.runs.sandbox.pool import Keeper, host_ids
from mlops_debugger.runs.sandbox.probe import Layer, Machine, probe
from mlops_debugger.runs.sandbox.view import LABELLED_DATA, view_of_this_machine

ROOT = str(Path(mlops_debugger.__file__).parents[1])
UNABLE = Machine((Layer("user namespace", False, True, "unshare: Operation not permitted"),))
NUMBERS = {"unshare": 272, "mount": 165, "pivot_root": 155, "mount_setattr": 442, "landlock": 444, "setns": 308}
DOCTOR = "from mlops_debugger.cli import app\napp(['doctor', '--json'])\n"
DENIED = """
import sys
sys.path.insert(0, sys.argv[1])
from mlops_debugger.runs.sandbox import kernel, seccomp
kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
kernel.install_filter(seccomp.denying_filter(tuple(int(word) for word in sys.argv[2].split())))
"""
# Enters a user namespace in which it is somebody without rights, as on a machine without root.
ORDINARY = """
import os, sys
sys.path.insert(0, sys.argv[1])
from mlops_debugger.runs.sandbox import kernel
user, group = os.getuid(), os.getgid()
kernel.unshare(kernel.CLONE_NEWUSER)
for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {user} 1"), ("gid_map", f"1000 {group} 1")):
    with open(f"/proc/self/{name}", "w") as handle:
        handle.write(text)
kernel.drop_bounding_set()
kernel.drop_capabilities()
"""


def run(text: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", text, ROOT, *words], capture_output=True, text=True, timeout=120, check=False
    )


def test_the_doctor_says_what_is_there() -> None:
    told = CliRunner().invoke(app, ["doctor", "--json"])
    report = json.loads(told.stdout)
    assert told.exit_code == (0 if report["complete"] else 1)
    assert report["complete"] == probe().complete
    assert {"Landlock", "seccomp", "network namespace", "a whole trial"} <= {item["name"] for item in report["layers"]}
    table = CliRunner().invoke(app, ["doctor"])
    assert table.exit_code == told.exit_code
    assert ("run in the sandbox" if report["complete"] else "refused") in table.stdout


def leftovers() -> set[Path]:
    """Folders that setting up a sandbox makes for a moment."""
    return {path for kind in ("view", "probe") for path in Path(tempfile.gettempdir()).glob(f"mlops-{kind}-*")}


@pytest.mark.parametrize("call", NUMBERS)
def test_a_machine_without_a_layer_is_told_and_refuses(call: str) -> None:
    """The kernel itself denies a call, as containers do; the doctor must notice, whatever else works."""
    before, until = leftovers(), time.monotonic() + 30
    done = run(DENIED + DOCTOR, str(NUMBERS[call]))
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert not report["complete"]
    missing = [item for item in report["layers"] if item["needed"] and not item["works"]]
    assert missing
    assert all(item["found"] for item in missing)
    assert "refused" in report["allowed"]["code_patches"]
    left = leftovers() - before
    while left and time.monotonic() < until:  # somebody else's go by themselves
        time.sleep(0.05)
        left &= leftovers()
    assert not left
    assert "plain process" in report["allowed"]["config_edits"]


def test_the_doctor_needs_nothing_but_the_kernel() -> None:
    """No bubblewrap, no other program: nothing is on the path."""
    words = [sys.executable, "-c", f"import sys; sys.path.insert(0, {ROOT!r})\n{DOCTOR}"]
    done = subprocess.run(words, env={"PATH": "/nowhere"}, capture_output=True, text=True, timeout=120, check=False)
    assert json.loads(done.stdout)["complete"] == probe().complete


def test_isolation_is_the_same_without_root() -> None:
    if not probe().complete:
        return
    if os.geteuid() != 0:  # then all the other tests are this test
        assert host_ids(0) is None
        return
    done = run(ORDINARY + DOCTOR)
    report = json.loads(done.stdout)
    assert report["complete"], report
    assert not next(item for item in report["layers"] if item["name"] == "own user ids")["works"]


ATTACK = """
sys.path[:0] = [sys.argv[2]]
import json
import attacks_files, attacks_floods, attacks_reach
from sandboxes import alone, send
from mlops_debugger.runs.pool import Limits
from mlops_debugger.runs.sandbox.pool import SandboxPool
aim = json.loads(sys.argv[3])
through = {}
with SandboxPool(1, Limits(memory=96 << 20, output=2 << 20, files=64), libraries=False) as pool:
    for attack in [*attacks_files.ATTACKS, *attacks_reach.ATTACKS, *attacks_floods.SPACE]:
        result = send(pool, alone(attack), aim)
        through[attack.__name__] = bool(result.record.meta.get("found"))
print(json.dumps(through))
"""


def test_every_attack_fails_without_root_too(tmp_path: Path) -> None:
    if not probe().complete or os.geteuid() != 0:
        return
    (tmp_path / "answer.json").write_text("the answer", "utf-8")
    aim: dict[str, Any] = {
        "answer": str(tmp_path / "answer.json"), "sealed_labels": str(tmp_path / "x.npy"), "folder": str(tmp_path),
        "bank": str(starter_bank_path()), "generator": f"{ROOT}/mlops_debugger/projects/loan_outcomes/data.py",
        "package_root": ROOT, "parent": os.getpid(), "victim": os.getpid(), "token": "token", "tcp": 9, "udp": 9,
        "abstract": "token", "socket": str(tmp_path / "socket"), "last": True, "much": 128 << 20, "many": 200, "few": 40,
    }  # fmt: skip
    done = run(ORDINARY + ATTACK, str(Path(__file__).parent), json.dumps(aim))
    through = json.loads(done.stdout.splitlines()[-1])
    assert len(through) > 60
    assert not [name for name, success in through.items() if success]


def verdict_of_the_filter(program: bytes, number: int, arguments: tuple[int, ...] = (), arch: int = 0xC000003E) -> int:
    """What a seccomp filter answers: the six instructions that it is made of, carried out."""
    words = [*(tuple(part) for part in __import__("struct").iter_unpack("<HBBI", program))]
    data = [number, arch, 0, 0]
    for argument in (*arguments, *(0,) * (6 - len(arguments))):
        data += [argument & 0xFFFFFFFF, argument >> 32]
    at = accumulator = 0
    while True:
        code, when_true, when_false, value = words[at]
        at += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            accumulator = data[value // 4]
        elif code == 0x54:
            accumulator &= value
        else:
            hit = accumulator == value if code == 0x15 else accumulator >= value
            at += when_true if hit else when_false


ALLOW, EPERM, ENOSYS, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
# Calls that no positive control may try: modules, reboot, kexec, swap, clocks, quotas, ports, accounting.
DANGEROUS = {
    "init_module": 175, "finit_module": 313, "delete_module": 176, "reboot": 169, "kexec_load": 246, "kexec_file_load": 320,
    "swapon": 167, "swapoff": 168, "settimeofday": 164, "clock_settime": 227, "adjtimex": 159, "quotactl": 179, "iopl": 172,
    "ioperm": 173, "acct": 163, "syslog": 103, "open_by_handle_at": 304, "ptrace": 101, "process_vm_writev": 311,
    "mount": 165, "move_mount": 429, "fsopen": 430, "pivot_root": 155, "chroot": 161, "setns": 308, "unshare": 272,
    "execve": 59, "execveat": 322, "fork": 57, "vfork": 58, "socket": 41, "io_uring_setup": 425, "bpf": 321,
    "perf_event_open": 298, "userfaultfd": 323, "keyctl": 250, "add_key": 248, "request_key": 249, "seccomp": 317,
    "personality": 135, "modify_ldt": 154, "memfd_create": 319, "shmget": 29, "mq_open": 240, "msgget": 68, "semget": 64,
    "pidfd_getfd": 438, "kcmp": 312, "move_pages": 279, "mbind": 237, "vmsplice": 278, "splice": 275, "tee": 276,
}  # fmt: skip


@pytest.mark.parametrize("name", DANGEROUS)
def test_the_filter_denies_what_nobody_may_try(name: str) -> None:
    program = seccomp.training_filter()
    assert verdict_of_the_filter(program, 0) == ALLOW
    assert verdict_of_the_filter(program, DANGEROUS[name]) == EPERM


def test_the_filter_looks_into_arguments() -> None:
    program = seccomp.training_filter()
    cases = {
        (56, (0x3D0F00,)): ALLOW,  # a thread as glibc starts it
        (56, (17,)): EPERM,  # a process
        (56, (0x3D0F00 | 0x10000000,)): EPERM,  # a thread in a new user namespace
        (302, (0, 7, 0)): ALLOW, (302, (0, 7, 1)): EPERM, (302, (0, 7, 1 << 32)): EPERM,  # get and set a limit
        (16, (1, 0x5401)): ALLOW, (16, (1, 0x5412)): EPERM,  # TCGETS, TIOCSTI
        (157, (15,)): ALLOW, (157, (22,)): EPERM,  # PR_SET_NAME, PR_SET_SECCOMP
        (90, (0, 0o644)): ALLOW, (90, (0, 0o4755)): EPERM, (268, (0, 0, 0o2755)): EPERM,
        (72, (1, 3)): ALLOW, (72, (1, 1031)): EPERM,  # F_GETFL, F_SETPIPE_SZ
        (435, ()): ENOSYS, (437, ()): ENOSYS,
    }  # fmt: skip
    for (number, arguments), verdict in cases.items():
        assert verdict_of_the_filter(program, number, arguments) == verdict, (number, arguments)
    assert verdict_of_the_filter(program, 0, arch=0x40000003) == KILL  # 32-bit calls have other numbers
    assert verdict_of_the_filter(program, 0x40000000) == EPERM  # and so has x32


def test_the_view_holds_what_is_needed_and_nothing_else() -> None:
    view = view_of_this_machine()
    seen = [*view.visible, *view.beneath]
    assert any(path.endswith("/torch") for path in seen)
    assert not [
        path for path in seen if "mlops" in Path(path).name or path.endswith(("/fastapi", "/openenv", "/pytest"))
    ]
    assert any(path.endswith(LABELLED_DATA[0]) for path in view.covered)


def test_the_view_holds_what_templates_import() -> None:
    """A project that imports another library has to name it in `view.PACKAGES`."""
    view = view_of_this_machine()
    names = {Path(path).name.removesuffix(".py") for path in (*view.visible, *view.beneath)}
    imported: set[str] = set()
    for project in projects().values():
        own = {Path(name).stem for name in project.sources()}
        for name, text in project.sources().items():
            if name.endswith(".py"):
                imported |= modules_of(text) - own
    assert {"numpy", "torch", "sklearn"} <= imported
    assert imported - set(sys.stdlib_module_names) <= names


def modules_of(text: str) -> set[str]:
    """The top-level modules that a source imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_a_view_that_shows_too_much_is_refused(tmp_path: Path) -> None:
    if not probe().complete:
        return
    view = view_of_this_machine()
    (tmp_path / "answer").touch()
    tmp_path.chmod(0o755)
    leaky = type(view)(
        (*view.visible, str(tmp_path)), view.covered, view.beneath, (str(tmp_path / "answer"),), view.search
    )
    with pytest.raises(SandboxError, match="must not show"):
        Keeper(libraries=False, view=leaky)


def trial(code: str = "") -> TrialRequest:
    bank = Bank(starter_bank_path())
    entry = next(e for e in bank.entries if e.project == "loan_outcomes" and e.fault == "bottleneck_width_one")
    item = bank.get(entry.scenario_id)
    bank.close()
    config = item.artifacts[CONFIG] + "# looked at\n"
    return TrialRequest(item, config, item.artifacts[CODE] + code, touches_code=bool(code), touches=1)


def gold(request: TrialRequest) -> TrialRequest:
    made = prepare(request.scenario, Diagnosis("config_error", CONFIG, "x", request.scenario.gold_fix))
    assert made is not None
    return made


def test_code_is_refused_where_it_cannot_be_isolated() -> None:
    with Trials(machine=lambda: UNABLE) as trials:
        result = trials.run(trial("# looked at\n"))
        assert "refused" in trials.policy
    assert result.status == "refused"
    assert "doctor" in result.detail
    assert issubclass(IsolationError, RunError)
    graded = grade(scenario(), Diagnosis("config_error", CONFIG, "optim.lr", "x: y = 1"), result)
    assert graded.unscored == ("fix",)


def test_an_operators_word_is_said_aloud() -> None:
    with Trials(allow_code=True, machine=lambda: UNABLE) as trials:
        assert "WITHOUT a sandbox" in trials.policy
    with Trials(allow_code=True) as trials:
        assert ("sandbox, code patches too" in trials.policy) == probe().complete


@pytest.mark.slow
def test_config_edits_are_tried_either_way_with_one_verdict() -> None:
    """In a plain process or in the sandbox, the hidden seeds one after the other or at once."""
    right = gold(trial())
    with Trials(machine=lambda: UNABLE) as plain, Trials(workers=2) as trials:
        one, other = plain.run(right), trials.run(right)
    assert one.status == other.status == "completed"
    assert len(one.figures) == 3
    assert [figures.model_dump(exclude={"seconds"}) for figures in one.figures] == [
        figures.model_dump(exclude={"seconds"}) for figures in other.figures
    ]


def test_a_sandbox_that_fails_is_our_failure_and_not_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that was able and is no longer: every trial says so, none runs unprotected."""
    able = Machine((Layer("everything", True, True, ""),))
    monkeypatch.setattr("mlops_debugger.runs.sandbox.pool._START", "raise SystemExit(1)")
    with Trials(machine=lambda: able) as trials:
        result = trials.run(trial("# looked at\n"))
    assert result.status == "infrastructure"
    graded = grade(scenario(), Diagnosis("config_error", CONFIG, "optim.lr", "x: y = 1"), result)
    assert graded.unscored == ("fix",)
    assert graded.rows["fix"] is None


def test_kernel_calls_name_themselves() -> None:
    with pytest.raises(OSError, match="mount /nowhere"):
        kernel.mount("none", "/nowhere", "nosuchfs")
