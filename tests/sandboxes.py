"""Sending attacks: the same text into a trial and, as the positive control, into a plain run."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attacks_prelude
import attacks_reach
import numpy as np
from scenarios import scenario

from mlops_debugger.grading import TrialRequest, Trials
from mlops_debugger.projects import Data
from mlops_debugger.runs.pool import RunResult, TrainerPool
from mlops_debugger.runs.sandbox.pool import SandboxPool
from mlops_debugger.runs.sandbox.probe import probe

CLOCK = "2026-02-02T08:00:00"
_FRAME = """
def train():
    with open("data/aim.json") as handle:
        aim = json.load(handle)
    try:
        return ATTACK(aim), ""
    except BaseException as error:
        return None, f"{type(error).__name__}: {error}"


def serve(trained, inputs, output):
    header = json.dumps({"arrays": [], "meta": dict(zip(("found", "error"), trained))}).encode()
    for path in (output, "outputs/record.bin"):
        with open(path, "wb") as handle:
            handle.write(struct.pack("<Q", len(header)) + header)
"""


def text_of(attack: Callable[..., object]) -> str:
    """The attack as a project's `pipeline.py`: it runs in place of training, and its record says what it found."""
    tools = "\n\n".join(inspect.getsource(tool) for tool in attacks_reach.TOOLS)
    prelude = inspect.getsource(attacks_prelude)
    body = inspect.getsource(attack)
    return f"{prelude}\nAim = dict\n\n{tools}\n\n{body}\n{_FRAME}".replace("ATTACK", attack.__name__)


def alone(attack: Callable[..., object]) -> str:
    """The attack without NumPy: these keepers have imported no library."""
    return text_of(attack).replace("import numpy as np\n", "")


def data_of(aim: Mapping[str, Any]) -> Data:
    """A workspace that holds the aim alone."""
    serving = {name: {"rows.csv": b"row\n"} for name in ("live", "sealed")}
    return Data({"aim.json": json.dumps(dict(aim)).encode()}, serving, {})


def send(pool: TrainerPool | SandboxPool, attack: Callable[..., object] | str, aim: Mapping[str, Any]) -> RunResult:
    """Carry the attack out there."""
    text = attack if isinstance(attack, str) else text_of(attack)
    return pool.run({"pipeline.py": text}, data_of(aim), run_id="run-1", started_at=CLOCK)


def found(result: RunResult) -> object:
    """What an attack got hold of; fails where the run itself did not end well."""
    assert result.status == "completed", (result.status, result.console)
    return result.record.meta["found"]


def refused() -> bool:
    """On a machine without complete isolation: code patches are refused, which is what there is to test of them."""
    if probe().complete:
        return False
    request = TrialRequest(scenario(), "a: 1\n", "x = 1\n", touches_code=True, touches=1)
    with Trials() as trials:
        result = trials.run(request)
    assert result.status == "refused"
    assert "doctor" in result.detail
    return True


def write_labels(path: Path) -> None:
    """Labels as somebody might leave them on a disk."""
    np.save(path, np.arange(5) / 7)


def descendants(pid: int) -> list[int]:
    """The processes below `pid`, from /proc."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(folder.joinpath("stat").read_text("utf-8").rpartition(")")[2].split()[1])
        except OSError:
            continue
    below = [pid]
    for one in below:
        below += [child for child, parent in parents.items() if parent == one]
    return below[1:]
