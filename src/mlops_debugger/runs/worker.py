"""A warm worker: imports the trainer's libraries once, then forks a child for every run.

Started as `python -m mlops_debugger.runs.worker` by `mlops_debugger.runs.pool`, which speaks JSON lines with it:

    → {"op": "run", "folder": …, "seconds": …, "memory": …, "output": …}   ← {"phase": "trained"} or the end
    → {"op": "serve"}                                                       ← {"phase": "ended", …}

An ended run has a status: completed, crashed, timeout or killed. Libraries are imported by name, because a playing
process must not import them by importing this package.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.abc
import json
import os
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from mlops_debugger.runs.allowance import STARVED, Allowance

_LIBRARIES = (
    "numpy", "pandas", "scipy.stats", "sklearn.preprocessing", "sklearn.model_selection", "sklearn.metrics",
    "sklearn.feature_extraction.text", "sklearn.impute", "yaml", "torch", "torch.nn", "logging", "tempfile",
)  # fmt: skip

HIDDEN = ("pyarrow", "bottleneck", "numexpr", "numba", "opt_einsum")
"""Packages that the trainer's libraries use where they are installed, though they do not require them.

pandas keeps text in Arrow's arrays where pyarrow is there, and sums with bottleneck or numexpr; torch.einsum contracts
in the order that opt_einsum finds. Runs would come out otherwise than in an environment without them, and otherwise
than in the sandbox, which shows required packages alone.
"""


class _Hiding(importlib.abc.MetaPathFinder):
    """Makes the import of a hidden package fail as if it were not installed.

    Not None in sys.modules: scikit-learn takes whatever stands there for the package.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def warm_up() -> None:
    """Import everything and train one step, since the first step imports hundreds of modules more."""
    sys.dont_write_bytecode = True
    sys.meta_path.insert(0, _Hiding())
    warnings.simplefilter("ignore")
    for name in _LIBRARIES:
        importlib.import_module(name)
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Flatten(), torch.nn.Linear(72, 3)
    ).double()
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    loss = torch.nn.functional.cross_entropy(
        model(torch.zeros(4, 1, 8, 8, dtype=torch.float64)), torch.zeros(4, dtype=torch.long)
    )
    loss.backward()
    optimizer.step()
    preprocessing = importlib.import_module("sklearn.preprocessing")
    pandas = importlib.import_module("pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "x"]})
    preprocessing.StandardScaler().fit(frame[["a"]])
    preprocessing.OneHotEncoder().fit(frame[["b"]])
    gc.collect()
    gc.freeze()


def _child(request: dict[str, Any], ready: int, go: int) -> int:
    """Train and, when told to, serve; returns the exit code."""
    folder, memory, output = str(request["folder"]), int(request["memory"]), int(request["output"])
    os.setsid()
    devnull = os.open(os.devnull, os.O_RDWR)
    os.dup2(devnull, 0)
    os.chdir(folder)
    Path("outputs").mkdir(exist_ok=True)
    console = os.open("outputs/console.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(console, 1)
    os.dup2(console, 2)
    virtual = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (virtual + memory, virtual + memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (output, output))
    cpu = int(request["seconds"]) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return train_and_serve(folder, ready, go)


def train_and_serve(folder: str, ready: int, go: int) -> int:
    """Run the workspace: train, say so on `ready`, and serve when `go` says so; returns the exit code."""
    gc.disable()  # a run is short and its memory limited; looking for cycles costs about 4 % of it
    sys.path.insert(0, folder)
    sys.argv = ["pipeline.py"]
    try:
        pipeline = importlib.import_module("pipeline")
        trained = pipeline.train()
        os.write(ready, b"T")
        if os.read(go, 1) != b"S":
            return 4
        for name in ("live", "sealed"):
            pipeline.serve(trained, f"serving/{name}", f"outputs/{name}.bin")
    except BaseException:
        traceback.print_exc()
        return 3
    return 0


class _Run:
    """One forked run and the pipes to it."""

    def __init__(self, request: dict[str, Any]) -> None:
        ready_read, ready_write = os.pipe()
        go_read, go_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 5
            try:
                os.close(ready_read)
                os.close(go_write)
                code = _child(request, ready_write, go_read)
            finally:
                os._exit(code)
        self.allowance = Allowance.of_process(float(request["seconds"]), self.pid)
        os.close(ready_write)
        os.close(go_read)
        self.ready, self.go = ready_read, go_write

    def wait_trained(self) -> bool:
        """True when training is over, False when the child ended or ran out of time."""
        return self.allowance.wait(self.ready) == "ready" and os.read(self.ready, 1) == b"T"

    def finish(self) -> dict[str, Any]:
        """Wait for the end, kill what is left, and say how it ended."""
        # Not the pipe: a run may close it, or write to it, and go on.
        handle = os.pidfd_open(self.pid)
        waited = self.allowance.wait(handle)
        seconds = self.allowance.elapsed
        os.close(handle)
        self.allowance.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if waited != "ready":
                os.killpg(self.pid, signal.SIGKILL)
        _, status, usage = os.wait4(self.pid, 0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        os.close(self.ready)
        os.close(self.go)
        code = os.waitstatus_to_exitcode(status)
        if waited == "starved":
            return {"phase": "failed", "reason": STARVED}
        if waited == "spent" or code == -signal.SIGXCPU:
            word = "timeout"
        elif code == -signal.SIGKILL:
            # Nobody here sent it: the machine ran out of memory, or somebody outside did.
            return {"phase": "failed", "reason": "a run was killed from outside (no memory left on the machine?)"}
        elif code == 0:
            word = "completed"
        else:
            word = "crashed" if code == 3 else "killed"
        return {
            "phase": "ended",
            "status": word,
            "cpu": usage.ru_utime + usage.ru_stime,
            "seconds": seconds,
        }


def main() -> None:
    """Serve requests from standard input until it closes."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warm_up()
    print(json.dumps({"phase": "ready", "pid": os.getpid()}), file=replies, flush=True)
    run: _Run | None = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["op"] == "run":
            run = _Run(request)
            reply = {"phase": "trained"} if run.wait_trained() else run.finish()
        elif run is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(run.go, b"S")
            reply = run.finish()
        else:
            reply = {"phase": "ended", "status": "killed", "cpu": 0.0, "seconds": 0.0}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        # Whoever started this worker is gone: nobody is left to tell.
        main()
