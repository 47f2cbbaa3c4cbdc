"""Real runs in warm workers: repeatable, bounded, and honest when they crash."""

from __future__ import annotations

import json
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mlops_debugger.edits import CODE, CONFIG
from mlops_debugger.errors import PoolError, RecordError
from mlops_debugger.forge.plant import plant, variation_of
from mlops_debugger.projects import projects
from mlops_debugger.runs import workspace
from mlops_debugger.runs.measure import harm, measure, with_live
from mlops_debugger.runs.pool import Limits, RunResult, TrainerPool
from mlops_debugger.runs.records import read_record
from mlops_debugger.runs.workspace import render

CLOCK = "2026-02-02T08:00:00"


@pytest.fixture(scope="module")
def pool() -> Iterator[TrainerPool]:
    with TrainerPool(1, Limits(seconds=60)) as warm:
        yield warm


@pytest.fixture(scope="module")
def other_pool() -> Iterator[TrainerPool]:
    with TrainerPool(1) as warm:
        yield warm


def run(pool: TrainerPool, project: str, seed: int, **changed: str) -> RunResult:
    item = projects()[project]
    variation = variation_of(item, seed)
    sources = {**render(item, variation), **changed}
    return pool.run(sources, item.generate(seed, variation.data), run_id="run-1", started_at=CLOCK)


def content(result: RunResult) -> tuple[object, ...]:
    arrays = {name: values.tobytes() for name, values in result.record.arrays.items()}
    served = {name: {k: v.tobytes() for k, v in record.arrays.items()} for name, record in result.predictions.items()}
    return result.outputs, arrays, result.record.meta, served


@pytest.mark.slow
@pytest.mark.parametrize("project", projects())
def test_a_run_is_byte_identical_in_any_process_and_order(
    project: str, pool: TrainerPool, other_pool: TrainerPool
) -> None:
    first = run(pool, project, 11)
    assert first.status == "completed", first.console
    another = run(other_pool, project, 12)
    assert content(first) == content(run(other_pool, project, 11))
    assert content(first) != content(another)


@pytest.mark.parametrize("project", projects())
def test_a_healthy_run_is_good_and_honest(project: str, pool: TrainerPool) -> None:
    item = projects()[project]
    data = item.generate(21, variation_of(item, 21).data)
    result = run(pool, project, 21)
    figures = measure(item, data, result)
    assert figures.actual > 0.4
    assert all(abs(figures.reported[split] - figures.recomputed[split]) < 0.005 for split in ("validation", "test"))
    assert abs(figures.reported["test"] - figures.actual) < 0.15
    assert harm(figures, figures) == 0.0
    report = json.loads(with_live(item, data, result)["eval_results.json"])
    assert report["live"]["n"] == len(data.labels["live"].row_id)
    assert "live" not in json.loads(result.outputs["eval_results.json"])


@pytest.mark.slow
def test_equivalent_spellings_train_alike(pool: TrainerPool) -> None:
    for name, item in projects().items():
        variation = variation_of(item, 31)
        data = item.generate(31, variation.data)
        results = []
        for position in (0, 1):
            spellings = {slot.name: min(position, len(slot.spellings) - 1) for slot in item.slots}
            changed = type(variation)(variation.config, spellings, variation.data, variation.style)
            results.append(pool.run(render(item, changed), data, run_id="run-1", started_at=CLOCK))
        assert [r.status for r in results] == ["completed"] * 2, results[-1].console
        first, second = (r.predictions["sealed"].arrays["prediction"].tobytes() for r in results)
        assert first == second, name


def test_a_crash_is_a_result_with_a_real_log(pool: TrainerPool) -> None:
    item = projects()["loan_outcomes"]
    config = render(item, variation_of(item, 5))[CONFIG].replace("label: outcome", "label: outcome_next_year")
    result = run(pool, "loan_outcomes", 5, **{CONFIG: config})
    assert result.status == "crashed"
    assert "KeyError" in result.outputs["train.log"]
    assert 'File "preprocessing.py"' in result.outputs["train.log"]
    assert str(pool.root) not in result.outputs["train.log"]
    figures = measure(item, item.generate(5, variation_of(item, 5).data), result)
    assert harm(figures, figures) == 1.0


def test_compiled_sources_change_nothing(pool: TrainerPool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    item = projects()["loan_outcomes"]
    sources = render(item, variation_of(item, 5))
    broken = {
        CONFIG: sources[CONFIG].replace("label: outcome", "label: outcome_next_year"),
        CODE: sources[CODE] + "\nthis is no Python\n",
    }
    folder = re.compile(re.escape(str(pool.root)) + r"/[^/]+")
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    changes = [{}, *({name: text} for name, text in broken.items())]
    compiled = [run(pool, "loan_outcomes", 5, **change) for change in changes]
    assert workspace.bytecode.cache_info().hits and not list(tmp_path.iterdir())
    asked, other_code = [], workspace.bytecode("model.py", b"raise RuntimeError('compiled')")

    def tampered(name: str, source: bytes) -> bytes | None:
        asked.append(name)
        return other_code if name == "model.py" else None

    monkeypatch.setattr(workspace, "bytecode", tampered)
    assert "RuntimeError: compiled" in run(pool, "loan_outcomes", 5).console, "what is compiled is what runs"
    assert {"model.py", "engine.py", "pipeline.py"} < set(asked)
    assert CODE not in asked, "what fixes edit may be a stranger's: the run alone parses it"
    monkeypatch.setattr(workspace, "bytecode", lambda name, source: None)
    for change, one in zip(changes, compiled, strict=True):
        other = run(pool, "loan_outcomes", 5, **change)
        assert (other.status, content(other)) == (one.status, content(one))
        assert folder.sub("", other.console) == folder.sub("", one.console)
    assert [one.status for one in compiled] == ["completed", "crashed", "crashed"]
    assert "SyntaxError" in compiled[2].console and "line" in compiled[2].console


@pytest.mark.slow
def test_time_and_memory_are_limited() -> None:
    item = projects()["loan_outcomes"]
    code = render(item, variation_of(item, 5))[CODE]
    with TrainerPool(1, Limits(seconds=3, memory=512 * 1024**2)) as tight:
        endless = run(tight, "loan_outcomes", 5, **{CODE: code + "\nwhile True:\n    pass\n"})
        greedy = run(tight, "loan_outcomes", 5, **{CODE: code + "\nBLOCK = np.ones((1024, 1024, 1024))\n"})
    assert endless.status == "timeout"
    assert greedy.status == "crashed"
    assert "Unable to allocate" in greedy.console


def test_serving_inputs_are_not_there_while_training(pool: TrainerPool) -> None:
    item = projects()["loan_outcomes"]
    code = render(item, variation_of(item, 5))[CODE]
    probe = "\nimport os\nif os.path.exists('serving'):\n    raise RuntimeError('seen')\n"
    assert run(pool, "loan_outcomes", 5, **{CODE: code + probe}).status == "completed"


@pytest.mark.slow
def test_a_dead_worker_is_replaced(pool: TrainerPool) -> None:
    with TrainerPool(1) as fragile:
        run(fragile, "loan_outcomes", 5)
        next(iter(fragile._all)).process.kill()
        with pytest.raises(PoolError):
            run(fragile, "loan_outcomes", 5)
        assert run(fragile, "loan_outcomes", 5).status == "completed"


def test_no_workspace_is_left(pool: TrainerPool) -> None:
    run(pool, "loan_outcomes", 5)
    assert list(pool.root.iterdir()) == []


def test_a_silent_fault_is_measured_from_outside(pool: TrainerPool) -> None:
    item = projects()["loan_outcomes"]
    planted = plant(item, "label_order_at_serving", 7)
    assert planted is not None
    data = item.generate(7, planted.variation.data)
    healthy, broken = (
        measure(item, data, pool.run(sources, data, run_id="run-1", started_at=CLOCK))
        for sources in (planted.healthy, planted.broken)
    )
    assert healthy.reported == broken.reported
    assert harm(broken, healthy) > 0.2


def test_rows_that_are_trained_on_and_evaluated_are_counted(pool: TrainerPool) -> None:
    item = projects()["loan_outcomes"]
    variation = variation_of(item, 5)
    sources, data = render(item, variation), item.generate(5, variation.data)
    cheat = "\n\nhonest = split_rows\n\n\ndef split_rows(*given):\n    rows = dict(honest(*given))\n"
    cheat += '    rows["train"] = np.append(rows["train"], rows["test"][:40])\n    return rows\n'
    plain, cheating = (
        measure(item, data, pool.run({**sources, CODE: code}, data, run_id="run-1", started_at=CLOCK))
        for code in (sources[CODE], sources[CODE] + cheat)
    )
    assert plain.trained_on == {"validation": 0, "test": 0}
    assert cheating.trained_on == {"validation": 0, "test": 40}


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "8 bytes"),
        (struct.pack("<Q", 1 << 40), "claims"),
        (struct.pack("<Q", 2) + b"{}", "not as documented"),
        (struct.pack("<Q", 57) + b'{"arrays": [{"name": "a", "shape": [3]}], "meta": {}}    ' + b"\0" * 16, "declares"),
        (
            struct.pack("<Q", 58) + b'{"arrays": [{"name": "a", "shape": [-1]}], "meta": {}}    ' + b"\0" * 16,
            "negative",
        ),
    ],
)
def test_forged_records_are_refused(raw: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(raw)
    with pytest.raises(RecordError, match=says):
        read_record(path)


def test_records_are_plain_numbers(pool: TrainerPool) -> None:
    result = run(pool, "loan_outcomes", 5)
    assert all(values.dtype == np.float64 for values in result.record.arrays.values())
    assert {"test.row_id", "test.prediction", "test.score", "epoch.train_loss", "initial.loss"} <= set(
        result.record.arrays
    )


@pytest.mark.parametrize(
    "shape", ["[1e999]", "[-1]", "[0, 99999999999999999999]", "[0,0,0,0,0]", "[0, 67108864, 67108864, 67108864]"]
)
def test_a_record_of_an_absurd_shape_is_refused(shape: str, tmp_path: Path) -> None:
    header = f'{{"arrays": [{{"name": "x", "shape": {shape}}}], "meta": {{}}}}'.encode()
    (tmp_path / "record.bin").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(RecordError, match=r"record\.bin"):
        read_record(tmp_path / "record.bin")
