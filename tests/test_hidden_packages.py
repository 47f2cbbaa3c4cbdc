"""Runs come out alike wherever they are trained: packages that nobody requires are hidden from the trainer's libraries."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path

import pytest

from mlops_debugger.edits import CODE
from mlops_debugger.forge.plant import variation_of
from mlops_debugger.projects import projects
from mlops_debugger.runs.pool import RunResult, TrainerPool
from mlops_debugger.runs.worker import HIDDEN
from mlops_debugger.runs.workspace import render

# A line that tells on the console what pandas keeps text in, which is what templates could come to depend on.
TELLING = '\nprint("text is kept in", pd.Series(["a"]).dtype.storage, flush=True)\n'
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
"""
SEEN = "import pandas"


def run(project: str, more: str = "") -> RunResult:
    item = projects()[project]
    variation = variation_of(item, 11)
    sources = render(item, variation)
    sources[CODE] += more
    with TrainerPool() as pool:
        return pool.run(sources, item.generate(11, variation.data), run_id="run-1", started_at="2026-02-02T08:00:00")


def content(result: RunResult) -> tuple[object, ...]:
    assert result.status == "completed", result.console
    arrays = {name: values.tobytes() for name, values in result.record.arrays.items()}
    served = {name: {k: v.tobytes() for k, v in record.arrays.items()} for name, record in result.predictions.items()}
    return result.outputs, arrays, result.record.meta, served


def interpreter(folder: Path, first: str) -> str:
    """A Python whose warm workers carry out `first` before anything else."""
    lines = f"{first}\nimport runpy, sys\nrunpy.run_module(sys.argv[2], run_name='__main__', alter_sys=False)\n"
    (folder / "start.py").write_text(lines)
    path = folder / "python"
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(folder / "start.py"))} "$@"\n')
    path.chmod(0o755)
    return str(path)


@pytest.mark.slow
def test_artifacts_are_byte_identical_with_and_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here, and in an environment without the hidden packages; the control sees pyarrow where it is installed."""
    here = run("review_stars", TELLING)
    assert "text is kept in python" in here.console
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", interpreter(tmp_path, WITHOUT.format(hidden=HIDDEN)))
        elsewhere = run("review_stars", TELLING)
    assert content(here) == content(elsewhere) and here.console == elsewhere.console
    if importlib.util.find_spec("pyarrow") is not None:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", interpreter(tmp_path, SEEN))
            assert "text is kept in pyarrow" in run("review_stars", TELLING).console
