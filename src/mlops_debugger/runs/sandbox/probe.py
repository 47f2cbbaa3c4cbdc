"""What this machine can isolate, and what is therefore allowed."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mlops_debugger.errors import RecordError, SandboxError
from mlops_debugger.runs.records import parse_record
from mlops_debugger.runs.results import PINS, Limits
from mlops_debugger.runs.sandbox.pool import Keeper, host_ids
from mlops_debugger.runs.sandbox.view import view_of_this_machine

_SECONDS = 60.0
_TRY = "import sys; sys.path.insert(0, sys.argv[1]); from mlops_debugger.runs.sandbox.layers import main; main()"


@dataclass(frozen=True)
class Layer:
    """One layer: whether it works here, whether isolation needs it, and what was found."""

    name: str
    works: bool
    needed: bool
    found: str


@dataclass(frozen=True)
class Machine:
    """What was found of a machine."""

    layers: tuple[Layer, ...]

    @property
    def complete(self) -> bool:
        """Whether a stranger's code can be isolated completely."""
        return bool(self.layers) and all(layer.works for layer in self.layers if layer.needed)

    @property
    def missing(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.needed and not layer.works)

    @property
    def code_patches(self) -> str:
        """What becomes of code patches, in words."""
        if self.complete:
            return "run in the sandbox"
        names = ", ".join(layer.name for layer in self.missing) or "nothing was tried"
        return f"refused: they cannot be isolated here (missing: {names})"

    @property
    def config_edits(self) -> str:
        """What becomes of edits of config.yaml, in words."""
        return "run in the sandbox" if self.complete else "run in a plain process, with limits of time and memory"


@functools.cache
def probe() -> Machine:
    """Try every layer and then a whole trial; tried once a process. Nothing that fails here raises."""
    found = _layers()
    layers = [Layer(name, not said.startswith("!"), True, said.removeprefix("!")) for name, said in found.items()]
    if all(layer.works for layer in layers):
        layers.append(_trial())
    else:
        layers.append(Layer("a whole trial", False, True, "not tried: a layer is missing"))
    return Machine((*layers, _ids(), _bubblewrap()))


def _layers() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[3])
    command = [sys.executable, "-s", "-P", "-B", "-c", _TRY, root]
    try:
        done = subprocess.run(command, env=PINS, capture_output=True, text=True, timeout=_SECONDS, check=False)
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return {"layers": f"!they could not be tried: {type(error).__name__}"}
    return {str(name): str(said) for name, said in found.items()}


def _trial() -> Layer:
    """A trial without libraries that tries what it must not be able to do."""
    name = "a whole trial"
    view = view_of_this_machine()
    inputs = {
        "pipeline.py": Path(__file__).with_name("selftest.py").read_bytes(),
        "data/forbidden.json": json.dumps(view.forbidden).encode(),
    }
    try:
        keeper = Keeper(libraries=False)
        try:
            reply, files = keeper.run(inputs, {"serving/live/none": b""}, Limits(seconds=_SECONDS))
        finally:
            keeper.kill()
            keeper.close()
        if reply["status"] != "completed":
            said = (files["console.txt"] or b"").decode("utf-8", "replace").strip().splitlines()
            return Layer(name, False, True, f"it {reply['status']}: {said[-1] if said else 'no message'}")
        report = parse_record(files["record.bin"] or b"", "record.bin").meta
    except (SandboxError, RecordError, OSError) as error:
        return Layer(name, False, True, str(error))
    could = [str(what) for what, done in report.items() if done]
    if could or not report:
        return Layer(name, False, True, f"it could {', '.join(could) or 'not report'}")
    return Layer(name, True, True, f"it could do none of {len(report)} things that it must not do")


def _ids() -> Layer:
    ids = host_ids(0)
    if ids is None:
        return Layer("own user ids", False, False, "started without root: keeper and trials have the id of the caller")
    return Layer("own user ids", True, False, f"two for each worker, from {ids[0]}")


def _bubblewrap() -> Layer:
    path = shutil.which("bwrap")
    return Layer("bubblewrap", path is not None, False, f"{'found' if path else 'not installed'}; it would add nothing")
