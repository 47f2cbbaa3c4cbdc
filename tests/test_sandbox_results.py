"""What a trial hands back: read as data, measured by the parent, whatever the trial says of itself."""

from __future__ import annotations

import json
import os
import pickle
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attacks_files
import numpy as np
import pytest
from sandboxes import CLOCK, alone, data_of, found, refused, send

from mlops_debugger.bank import Bank, Figures, Scenario, SeedProof, starter_bank_path
from mlops_debugger.edits import CODE, CONFIG
from mlops_debugger.errors import RecordError
from mlops_debugger.forge.plant import variation_of
from mlops_debugger.grading.rubric import seed_verdict
from mlops_debugger.grading.trial import run_once
from mlops_debugger.projects import projects
from mlops_debugger.runs.measure import measure, with_live
from mlops_debugger.runs.pool import RunResult, TrainerPool
from mlops_debugger.runs.records import Record, parse_record
from mlops_debugger.runs.sandbox.pool import SandboxPool
from mlops_debugger.runs.workspace import render

_HEALTHY = Figures(
    crashed=False, finite=True, actual=0.8, live=0.8, reported={"validation": 0.8, "test": 0.8},
    recomputed={"validation": 0.8, "test": 0.8}, split_sizes={"validation": 50, "test": 50},
    class_shares={"validation": [], "test": []}, epochs=10, parameters=100,
)  # fmt: skip
PROOF = SeedProof(healthy=_HEALTHY, broken=_HEALTHY, harm=0.5)
HONEST = 'struct.pack("<Q", 27) + b\'{"arrays": [], "meta": {}}  \'[:27]'
WRITER = """
import json, os, pickle, struct
def train():
    pass
def serve(trained, inputs, output):
    for path in {paths}:
        {way}
"""


@pytest.fixture(scope="module")
def bare() -> Iterator[SandboxPool]:
    with SandboxPool(1, libraries=False) as pool:
        yield pool


def write(raw: str) -> str:
    return f'open(path, "wb").write({raw})'


def header(text: str, payload: str = 'b""') -> str:
    return write(f"struct.pack('<Q', {len(text)}) + {text.encode()!r} + {payload}")


WAYS = {
    "nothing": "pass",
    "empty": write('b""'),
    "truncated": header('{"arrays": [{"name": "a", "shape": [9]}], "meta": {}}', "bytes(8)"),
    "longer than declared": header('{"arrays": [], "meta": {}}', "bytes(8)"),
    "an endless header": write('struct.pack("<Q", 1 << 62)'),
    "a huge file": 'open(path, "wb").truncate((64 << 20) + 8)',
    "a huge shape": header('{"arrays": [{"name": "a", "shape": [4611686018427387904, 4]}], "meta": {}}'),
    "a negative shape": header('{"arrays": [{"name": "a", "shape": [-1]}], "meta": {}}'),
    "many sides": header('{"arrays": [{"name": "a", "shape": [1,1,1,1,1,1]}], "meta": {}}', "bytes(8)"),
    "deep nesting": write("struct.pack('<Q', 200000) + b'[' * 200000"),
    "a pickle": write("pickle.dumps(dict(a=1))"),
    "a zip file": write("b'PK\\x03\\x04' + bytes(100)"),
    "a folder": "os.mkdir(path)",
}


def hand_back(pool: SandboxPool | TrainerPool, way: str, paths: str = '(output, "outputs/record.bin")') -> RunResult:
    return send(pool, WRITER.format(way=way, paths=paths), {})


@pytest.mark.parametrize("way", WAYS)
def test_a_forged_result_is_a_crash(way: str, bare: SandboxPool) -> None:
    if not refused():
        assert hand_back(bare, write(HONEST)).status == "completed"  # the control: it is the content that counts
        result = hand_back(bare, WAYS[way])
        assert result.status == "crashed"
        assert not result.record.arrays


class _Payload:
    """What a pickle can do to whoever loads it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def test_a_pickled_result_is_never_loaded(tmp_path: Path) -> None:
    raw = pickle.dumps(_Payload(tmp_path / "ran"))
    with pytest.raises(RecordError):
        parse_record(raw, "record.bin")
    assert not (tmp_path / "ran").exists()
    pickle.loads(raw)  # noqa: S301 - the positive control, on our own text
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["train.log", "eval_results.json", "console.txt"])
def test_a_huge_text_is_cut(name: str, bare: SandboxPool) -> None:
    if not refused():
        way = 'open(path, "wb").write(b"[" * (6 << 20))'
        result = hand_back(bare, way, f'("outputs/{name}",)')
        text = result.console if name == "console.txt" else result.outputs[name]
        size = len(text)
        assert size == 4 << 20


@pytest.mark.slow
def test_another_trial_is_out_of_reach(outside: TrainerPool) -> None:
    """Another trial's outputs, while it runs and where they lie."""
    text = (
        "import glob, os\ndef train():\n"
        "    import json\n    aim = json.load(open('data/aim.json'))\n"
        "    seen = glob.glob(aim['runs'] + '/*/workspace/outputs/secret.txt') + glob.glob('/trial/*/secret.txt')\n"
        "    print('SEEN', [open(path).read() for path in seen], flush=True)\n"
    )
    other = outside.root / "other/workspace/outputs"
    other.mkdir(parents=True)
    (other / "secret.txt").write_text("theirs", "utf-8")
    assert "SEEN ['theirs']" in send(outside, text, {"runs": str(outside.root)}).console
    if refused():
        return
    victim = "import time\ndef train():\n    open('outputs/secret.txt', 'w').write('theirs')\n    time.sleep(1.5)\n"
    with SandboxPool(2, libraries=False) as pool, ThreadPoolExecutor(1) as threads:
        running = threads.submit(send, pool, victim, {})
        time.sleep(0.7)
        assert "SEEN []" in send(pool, text, {"runs": str(outside.root)}).console
        assert not running.done(), "the other trial must be running for this to be a test"
        running.result()
        assert "SEEN []" in send(pool, text, {"runs": str(outside.root)}).console


def memory_holds(pid: int, mark: bytes) -> bool:
    """Whether a process has these bytes anywhere in its writable memory."""
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, rights, *_ = line.split()
            if rights.startswith("rw"):
                start, end = (int(part, 16) for part in span.split("-"))
                memory.seek(start)
                try:
                    if mark in memory.read(end - start):
                        return True
                except OSError:
                    continue
    return False


def test_a_keeper_remembers_nothing_of_a_trial() -> None:
    """Every trial gets a copy of its keeper's memory: it must not hold what was sent to or came from others."""
    if refused():
        return
    from test_sandbox_limits import descendants

    mark = os.urandom(12).hex()
    text = f"def train():\n    print({mark!r}, flush=True)\n"
    with SandboxPool(1, libraries=False) as pool:
        assert mark in send(pool, text, {"mark": mark}).console
        (keeper,) = descendants(next(iter(pool._all)).process.pid)
        assert memory_holds(os.getpid(), mark.encode())  # the control
        assert not memory_holds(keeper, mark.encode())


@pytest.mark.parametrize("project", ["loan_outcomes", "meter_digits"])
def test_a_trial_gives_the_bytes_of_a_plain_run(
    project: str, outside: TrainerPool, request: pytest.FixtureRequest
) -> None:
    if not refused():
        same_bytes(project, outside, request.getfixturevalue("inside"))


@pytest.mark.slow
@pytest.mark.parametrize("project", sorted(projects().keys() - {"loan_outcomes", "meter_digits"}))
def test_every_project_gives_the_bytes_of_a_plain_run(
    project: str, outside: TrainerPool, request: pytest.FixtureRequest
) -> None:
    if not refused():
        same_bytes(project, outside, request.getfixturevalue("inside"))


def same_bytes(project: str, one: TrainerPool, other: SandboxPool) -> None:
    assert content(healthy(project, one)) == content(healthy(project, other))


def healthy(project: str, pool: TrainerPool | SandboxPool, more: str = "") -> RunResult:
    item = projects()[project]
    variation = variation_of(item, 11)
    sources = render(item, variation)
    sources[CODE] += more
    result = pool.run(sources, item.generate(11, variation.data), run_id="run-1", started_at=CLOCK)
    assert result.status == "completed", result.console
    return result


def content(result: RunResult) -> tuple[object, ...]:
    arrays = {name: values.tobytes() for name, values in result.record.arrays.items()}
    served = {name: {k: v.tobytes() for k, v in record.arrays.items()} for name, record in result.predictions.items()}
    return result.outputs, arrays, result.record.meta, served


def test_patched_libraries_are_gone_with_their_trial(request: pytest.FixtureRequest) -> None:
    if refused():
        return
    inside = request.getfixturevalue("inside")
    before = content(healthy("loan_outcomes", inside))
    patch = (
        "\nimport builtins, torch, sys\n_adam = torch.optim.Adam.step\n"
        "np.mean = lambda *a, **k: 1.0\nbuiltins.sorted = list\nsys.modules['yaml'] = None\n"
        "torch.nn.functional.cross_entropy = lambda o, t, **k: o.sum() * 0\n"
    )
    patched = inside.run(
        {**render(projects()["loan_outcomes"], variation_of(projects()["loan_outcomes"], 11))}
        | {CODE: render(projects()["loan_outcomes"], variation_of(projects()["loan_outcomes"], 11))[CODE] + patch},
        projects()["loan_outcomes"].generate(11, variation_of(projects()["loan_outcomes"], 11).data),
        run_id="run-1",
        started_at=CLOCK,
    )
    assert content(patched) != before  # the control: inside its own trial it does what it wants
    assert content(healthy("loan_outcomes", inside)) == before


MEMORY = """
import os as _os
_transform = transform_evaluation
def transform_evaluation(frame, encoders):
    known = pd.read_csv("data/snapshots.csv", parse_dates=["month"])
    label = [name for name in known.columns if name.startswith("outcome")][0]
    seen = dict(zip(known["row_id"], known[label]))
    inputs = [name for name in known.columns if name not in ("row_id",) and not name.startswith("outcome")]
    facts = {tuple(map(str, row)): one for row, one in zip(clean(known)[inputs].to_numpy(), known[label])}
    hits = sum(tuple(map(str, row)) in facts for row in frame[inputs].to_numpy())
    print("MEMORY", "serving" if _os.path.exists("serving") else "training", len(frame), hits, flush=True)
    return _transform(frame, encoders)
"""


def test_what_was_seen_in_training_does_not_answer_sealed_rows(
    request: pytest.FixtureRequest, outside: TrainerPool
) -> None:
    """A patch that memorises knows every row of the reported splits and none of the sealed ones."""
    pool = outside if refused() else request.getfixturevalue("inside")
    told = re.findall(r"MEMORY (\w+) (\d+) (\d+)", healthy("loan_outcomes", pool, MEMORY).console)
    trained = [(int(rows), int(hits)) for phase, rows, hits in told if phase == "training"]
    served = [(int(rows), int(hits)) for phase, rows, hits in told if phase == "serving"]
    assert trained and all(rows == hits for rows, hits in trained)
    assert len(served) == 2 and all(hits == 0 for _, hits in served)


def hostile_arrays(name: str, n: int) -> list[np.ndarray[Any, Any]]:
    """Arrays that no run would write, for a split or a sample of n rows."""
    rows = np.arange(n, dtype=float)
    return [
        np.array(1.0), np.empty(0), np.empty((0, 4)), np.full(n, np.nan), np.full(n, np.inf), np.full(n, -1e308),
        np.full((n, 3), 2.0), np.full((1, n), 2.0), np.full(n, 1e300), rows, -rows, rows + 0.5, np.zeros((n, 1, 1, 1)),
    ]  # fmt: skip


REPORTS = (
    "", "null", "[]", "1e999", "[" * 100_000, '{"test": []}', '{"test": {"f1": "1"}}', '{"test": {"f1": NaN}}',
    '{"test": {"f1": 1e999, "rmse": 1e999}}', '{"test": {"f1": ' + "9" * 400 + "}}", '{"test": {"f1": true}}',
    '{"test": {"f1": ' + "9" * 5000 + "}}", '{"test": null, "validation": {"f1": [1]}}',
)  # fmt: skip
METAS: tuple[dict[str, Any], ...] = (
    {}, {"classes": []}, {"classes": {"train": None}}, {"classes": {"train": [[], {}, None, 1]}}, {"classes": {"train": []}},
    {"classes": ["x"] * 5}, {"epochs_run": 10**400, "parameters": -1}, {"epochs_run": "9", "parameters": [1]},
    {"epochs_run": True, "parameters": float("nan")},
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("project", ["loan_outcomes", "demand_forecast", "repair_costs"])
def test_no_forged_content_breaks_the_measurement(project: str) -> None:
    """Whatever stands in the files: figures come of it, and a verdict, and never an error of ours."""
    item = projects()[project]
    data = item.generate(11, variation_of(item, 11).data)
    kinds = {name: len(data.labels[name].row_id) for name in ("live", "sealed")} | {"validation": 50, "test": 50}
    choices = {name: hostile_arrays(name, count) for name, count in kinds.items()}
    rng = np.random.default_rng(0)
    for number in range(400):
        report, meta = REPORTS[number % len(REPORTS)], METAS[number % len(METAS)]

        def draw(name: str) -> np.ndarray[Any, Any]:
            return choices[name][int(rng.integers(len(choices[name])))]

        record = Record(
            {f"{split}.{key}": draw(split) for split in ("validation", "test") for key in ("row_id", "prediction")},
            meta,
        )
        served = {name: Record({"row_id": draw(name), "prediction": draw(name)}, meta) for name in ("live", "sealed")}
        result = RunResult("completed", {"eval_results.json": report}, record, served, 1.0, 1.0)
        figures = measure(item, data, result)
        assert -1.0 <= figures.actual <= 1.0
        assert all(-1.0 <= value <= 1.0 for value in (*figures.reported.values(), *figures.recomputed.values()))
        assert seed_verdict(figures, PROOF, 0.01) in (0.0, 0.5, 1.0)
        with_live(item, data, result)


@pytest.fixture(scope="module")
def broken() -> Scenario:
    """A scenario whose model is too weak, so that there is something to cheat for."""
    bank = Bank(starter_bank_path())
    entry = next(e for e in bank.entries if e.project == "loan_outcomes" and e.fault == "bottleneck_width_one")
    scenario = bank.get(entry.scenario_id)
    bank.close()
    return scenario


PERFECT = """
import scores as _scores
_real = _scores.classification_scores
def _perfect(*args, **options):
    return {**_real(*args, **options), "f1": 1.0, "accuracy": 1.0}
_scores.classification_scores = _perfect
"""
CHEATS = {
    "the metric is replaced": PERFECT,
    "NumPy is patched under the metric": """
import sys as _sys
_sum = np.sum
np.sum = lambda *a, **k: 1e9 if _sys._getframe(1).f_code.co_name == "f1_from" else _sum(*a, **k)
""",
    "the report is rescaled": """
import tracking as _tracking
_write = _tracking.write_json
def _scaled(name, report):
    for split in ("validation", "test"):
        if split in report and "f1" in report[split]:
            report[split]["f1"] = 1.0
    _write(name, report)
_tracking.write_json = _scaled
""",
    "the saved predictions are the labels": PERFECT + """
import tracking as _tracking
_record = _tracking.Run.record
def _forged(self, name, values):
    if name.endswith(".prediction"):
        values = self.arrays[name.split(".")[0] + ".target"]
    _record(self, name, values)
_tracking.Run.record = _forged
""",
    "the saved predictions are removed": PERFECT + """
import tracking as _tracking
_record = _tracking.Run.record
_tracking.Run.record = lambda self, name, values: None if name.endswith(".prediction") else _record(self, name, values)
""",
}  # fmt: skip
OTHER_CHEATS = {
    "the test set is shrunk": """
_split = split_rows
def split_rows(frame, config):
    rows = _split(frame, config)
    return {**rows, "test": rows["test"][:40], "validation": rows["validation"][:40]}
""",
    "served predictions are not numbers": """
import tracking as _tracking
_write = _tracking.write_record
def _nan(path, arrays, meta):
    if "prediction" in arrays:
        arrays = {**arrays, "prediction": np.full(len(arrays["row_id"]), np.nan)}
    _write(path, arrays, meta)
_tracking.write_record = _nan
""",
    "only some rows are served": """
import tracking as _tracking
_write = _tracking.write_record
def _few(path, arrays, meta):
    if "prediction" in arrays:
        arrays = {name: np.asarray(values)[:10] for name, values in arrays.items()}
    _write(path, arrays, meta)
_tracking.write_record = _few
""",
    "one served row is answered many times": """
import tracking as _tracking
_write = _tracking.write_record
def _same(path, arrays, meta):
    if "prediction" in arrays:
        arrays = {**arrays, "row_id": np.full(len(arrays["row_id"]), np.asarray(arrays["row_id"])[0])}
    _write(path, arrays, meta)
_tracking.write_record = _same
""",
    "the run ends before it serves": "\nimport os as _os\n_os._exit(0)\n",
}


def judged(scenario: Scenario, more: str, pool: TrainerPool | SandboxPool) -> tuple[Figures, SeedProof]:
    code = scenario.artifacts[CODE] + more
    return run_once(scenario, scenario.artifacts[CONFIG], code, 0, pool), scenario.proofs[0]


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_forged_report_earns_nothing(
    cheat: str, broken: Scenario, request: pytest.FixtureRequest, outside: TrainerPool
) -> None:
    pool = outside if refused() else request.getfixturevalue("inside")
    figures, proof = judged(broken, CHEATS[cheat], pool)
    assert min(figures.reported.values()) > 0.99  # the control: by its own report it is perfect
    assert seed_verdict(figures, proof, broken.sigma) == 0.0


@pytest.mark.parametrize("cheat", OTHER_CHEATS)
def test_changing_what_is_measured_earns_nothing(
    cheat: str, broken: Scenario, request: pytest.FixtureRequest, outside: TrainerPool
) -> None:
    pool = outside if refused() else request.getfixturevalue("inside")
    figures, proof = judged(broken, OTHER_CHEATS[cheat], pool)
    assert seed_verdict(figures, proof, broken.sigma) == 0.0
    # The control: without the cheat, and with the weak layer repaired, the same code is right.
    assert seed_verdict(proof.healthy, proof, broken.sigma) == 1.0


def test_data_only_aims_reach_a_trial(bare: SandboxPool) -> None:
    if not refused():
        text = alone(attacks_files.read_the_environment)
        assert json.loads(data_of({"a": 1}).files["aim.json"]) == {"a": 1}
        assert found(send(bare, text, {"a": 1})) == {}
