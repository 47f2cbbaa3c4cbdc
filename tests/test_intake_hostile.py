"""Own runs from strangers: damaged, lying, huge and odd files end in a sentence or not_applicable, never in a traceback."""

from __future__ import annotations

import importlib
import io
import json
import os
import pickle
import re
import shutil
import sqlite3
import struct
import sys
import types
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from mlops_debugger import pictures
from mlops_debugger.checks import VERDICTS
from mlops_debugger.cli import app
from mlops_debugger.contract import MLOpsAction
from mlops_debugger.environment import OwnSession
from mlops_debugger.errors import IntakeError
from mlops_debugger.intake import Diagnosis, _blocks, _files, _parquet, _wire, diagnose, html, read_run
from mlops_debugger.intake._episode import own_case
from mlops_debugger.intake.readers import arrays as npz

RUNS = Path(__file__).parent / "data" / "own_runs"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
FUZZ = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NAMES = (
    "config.yaml", "train.log", "dataset_stats.json", "preprocessing.py", "eval_results.json", "model_card.json",
    "record.bin", "trainer_state.json", "metrics.csv", "hparams.yaml", "mlflow.db", "run-abcd1234.wandb",
    "events.out.tfevents.1.localhost.1.0", "history.jsonl", "arrays.npz", "meta.json", "predictions.csv", "train.csv",
    "test.parquet",
)  # fmt: skip


def look(path: Path) -> Diagnosis | None:
    """The diagnosis, or None where the folder is refused with a sentence; anything else is a failure of the test."""
    try:
        found = diagnose(read_run(path))
    except IntakeError as error:
        assert len(str(error)) > 20 and "Traceback" not in str(error)
        return None
    assert all(finding.verdict in VERDICTS for finding in found.findings.values())
    json.dumps(found.as_dict())
    html.page(found).encode()
    play(found)
    return found


def play(found: Diagnosis) -> None:
    """The run as an episode: everything can be asked, and every answer can be sent and shown."""
    session = OwnSession(own_case(found))
    told = [session.reset()]
    for kind in ("read_config", "read_logs", "check_dataset_stats", "inspect_preprocessing", "read_eval_results"):
        told.append(session.step(MLOpsAction.model_validate({"action_type": kind})))
    for name, path in (("train.log", "epoch.1"), ("dataset_stats.json", "splits.test"), ("config.yaml", "a.b")):
        more = {"action_type": "query_artifact", "artifact_name": name, "field_path": path}
        told.append(session.step(MLOpsAction.model_validate(more)))
    for observation in told:
        assert not CONTROL.search(str(observation.last_action_result.get("content", "")))
        observation.model_dump_json().encode()


def notes(found: Diagnosis | None) -> str:
    assert found is not None
    return "\n".join(found.run.notes)


# ------------------------------------------------------------------ folders


def test_every_known_name_empty(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes(b"")
    found = look(tmp_path)
    assert found is None or found.verdict == "not_applicable"


@pytest.mark.parametrize("name", NAMES)
def test_one_known_name_with_noise(name: str, tmp_path: Path) -> None:
    for content in (b"", b"\0" * 40, b"\xff\xfe\x00garbage\n\n", b"{" * 3000, "x: é\nloss,epoch\n1,2\n".encode()):
        (tmp_path / name).write_bytes(content)
        look(tmp_path)


def test_folders_named_like_files(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).mkdir()
    with pytest.raises(IntakeError, match="expected one of"):
        read_run(tmp_path)


def test_links_out_of_the_folder_are_left_out(tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("password: hunter2\n")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").symlink_to(secret)
    (folder / "loop").symlink_to(folder)
    (folder / "self").symlink_to(folder / "self")
    shutil.copy(RUNS / "transformers" / "healthy" / "trainer_state.json", folder)
    found = read_run(folder)
    assert "hunter2" not in str(found.view.artifacts) and any("config.yaml is a link" in note for note in found.notes)


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    shutil.copy(RUNS / "transformers" / "healthy" / "trainer_state.json", tmp_path / "kept.json")
    (tmp_path / "trainer_state.json").symlink_to(tmp_path / "kept.json")
    assert "epoch.val_loss" in read_run(tmp_path).view.arrays


def test_pipes_and_odd_names(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.csv")
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv"))).write_text("x")
    folder = tmp_path / "läufe \n\x1b[31m 运行"
    folder.mkdir()
    shutil.copy(RUNS / "transformers" / "healthy" / "trainer_state.json", folder)
    found = look(tmp_path)
    assert found is not None and "\x1b" not in "".join(found.run.notes) + found.run.sources[0].run
    assert "no UTF-8" in notes(found)


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "MAX_FILES", 3)
    for number in range(6):
        (tmp_path / f"a{number}").write_text("")
    (tmp_path / "a0.json").write_text("")
    assert len(_files.open_folder(tmp_path).files) == 3


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    with (tmp_path / "trainer_state.json").open("wb") as stream:
        stream.truncate(_files.MAX_TEXT + 1)  # sparse: takes no room
    with pytest.raises(IntakeError, match="at most"):
        read_run(tmp_path)


# ------------------------------------------------------------------ texts


def test_yaml_with_aliases_and_tags_is_named_and_left_out(tmp_path: Path) -> None:
    shutil.copy(RUNS / "transformers" / "healthy" / "trainer_state.json", tmp_path)
    bomb = "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(50))
    (tmp_path / "config.yaml").write_text(bomb)
    assert "aliases" in notes(look(tmp_path))
    (tmp_path / "config.yaml").write_text("a: !!python/object/apply:os.system ['touch /tmp/owned']\n")
    assert "config.yaml" in notes(look(tmp_path)) and not Path("/tmp/owned").exists()  # noqa: S108


def test_losses_that_are_not_finite(tmp_path: Path) -> None:
    rows = "".join(f"{epoch},{0.9 / epoch if epoch < 4 else 'nan'},0.5\n" for epoch in range(1, 9))
    (tmp_path / "metrics.csv").write_text("epoch,loss,val_loss\n" + rows)
    found = look(tmp_path)
    assert found is not None and found.findings["loss_trajectory"].statistic == "nonfinite_losses"


def test_numbers_beyond_all_bounds(tmp_path: Path) -> None:
    rows = "".join(
        f"{epoch},{value},-1e308,1e400\n" for epoch, value in enumerate(("1e308", "-inf", "inf", "1e-320", "0"))
    )
    (tmp_path / "metrics.csv").write_text("epoch,loss,val_loss,lr\n" + rows)
    assert look(tmp_path) is not None
    (tmp_path / "metrics.csv").write_text("epoch,step,loss\n1e300,nan,1\ninf,inf,2\n-inf,5,3\nnan,6,4\n")
    look(tmp_path)


def test_half_characters_reach_no_terminal(tmp_path: Path) -> None:
    report = {"primary_metric": "\ud800\x1b[2J", "validation": {"accuracy": 0.9}, "test": {"accuracy": 0.1}}
    (tmp_path / "eval_results.json").write_text(json.dumps(report))
    (tmp_path / "model_card.json").write_text(json.dumps({"metric": "f1 \udfff<script>"}))
    found = look(tmp_path)
    assert found is not None and found.findings["metric_gap_analysis"].verdict == "fail"
    told = CliRunner().invoke(app, ["diagnose", str(tmp_path), "--html", str(tmp_path / "r.html")])
    assert told.exit_code == 2 and "\x1b[2J" not in told.stdout
    assert "<script" not in (tmp_path / "r.html").read_text("utf-8")


@FUZZ
@given(text=st.text(st.sampled_from("epochlsvat_,;\t\n0123456789.-einf\"' \u00e9"), max_size=300))
def test_metrics_csv_of_any_text(text: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,loss,val_loss\n" + text, "utf-8")
    look(tmp_path)


LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
TREE = st.recursive(
    LEAF, lambda t: st.lists(t, max_size=4) | st.dictionaries(st.text(max_size=6), t, max_size=4), max_leaves=8
)
ROW = st.dictionaries(
    st.sampled_from(("loss", "eval_loss", "step", "epoch", "learning_rate", "grad_norm", "eval_accuracy", "test_f1")),
    LEAF,
)


@FUZZ
@given(
    rows=st.lists(ROW | TREE, max_size=12), more=st.dictionaries(st.sampled_from(("max_steps", "global_step")), LEAF)
)
def test_trainer_state_of_any_tree(rows: list[Any], more: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "trainer_state.json").write_text(json.dumps({"log_history": rows, **more}))
    look(tmp_path)


@FUZZ
@given(tree=TREE, name=st.sampled_from(("eval_results.json", "model_card.json", "meta.json", "dataset_stats.json")))
def test_json_of_any_tree(tree: Any, name: str, tmp_path: Path) -> None:
    for other in tmp_path.iterdir():
        other.unlink()
    (tmp_path / name).write_text(json.dumps(tree))
    look(tmp_path)


# ------------------------------------------------------------------ tables

CELL = st.sampled_from(
    ("", "0", "1", "2", "-1", "1.5", "nan", "inf", "1e400", "cat", "Cat ", "dog", "2026-01-01", "é", "True")
)
COLUMN = st.sampled_from(
    ("y_true", "y_pred", "proba_cat", "proba_dog", "proba_0", "row_id", "group", "timestamp", "x", "z")
)


@settings(FUZZ, max_examples=25)
@given(data=st.data())
def test_tables_of_any_cells(data: st.DataObject, tmp_path: Path) -> None:
    for name in ("predictions.csv", "train.csv", "test.csv"):
        columns = data.draw(st.lists(COLUMN, min_size=1, max_size=6, unique=True))
        rows = data.draw(st.lists(st.lists(CELL, min_size=len(columns), max_size=len(columns)), max_size=12))
        repeated = data.draw(st.sampled_from((1, 1, 1, 9)))
        text = "\n".join([",".join(columns), *(",".join(row) for row in rows * repeated)])
        (tmp_path / name).write_text(text + "\n", "utf-8")
    look(tmp_path)


def test_one_long_word_among_short_ones_stays_small(tmp_path: Path) -> None:
    """As an array of words, 8 MB wide in each of 4,000 rows, this column would take 128 GB."""
    rows = "".join(f"{'w' * 8_000_000 if k == 7 else 'ab'[k % 2]},{k % 2}\n" for k in range(4_000))
    (tmp_path / "train.csv").write_text("word,label\n" + rows)
    assert read_run(tmp_path).view.arrays["train.features"].shape == (4_000, 1)


def test_parquet_without_a_reader_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "test.parquet").write_bytes(b"PAR1")
    with pytest.raises(IntakeError, match="pip install pyarrow"):
        read_run(tmp_path)


def test_a_pyarrow_that_unpickles_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", types.SimpleNamespace(__version__="13.0.0"))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", types.SimpleNamespace())
    (tmp_path / "test.parquet").write_bytes(b"PAR1")
    with pytest.raises(IntakeError, match=r"from 14\.0\.1 on, found 13\.0\.0"):
        read_run(tmp_path)


def _write_parquet(path: Path, columns: dict[str, Any], **more: Any) -> Any:
    """Write a table with pyarrow; the test is left out where that is not installed."""
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table(columns)
    importlib.import_module("pyarrow.parquet").write_table(table, path, **more)
    return arrow


def test_types_that_a_parquet_file_brings_are_never_unpickled(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    trap = tmp_path / "owned"
    brought = {b"ARROW:extension:name": b"arrow.py_extension_type"}
    brought[b"ARROW:extension:metadata"] = pickle.dumps(_Trap(trap))
    fields = [arrow.field("x", arrow.float64(), metadata=brought), arrow.field("y_true", arrow.int64())]
    schema = arrow.schema(fields, metadata={b"pandas": b'{"columns": [{"numpy_type": "object", "metadata": 1}]}'})
    table = arrow.table([[0.5] * 40, [0, 1] * 20], schema=schema)
    importlib.import_module("pyarrow.parquet").write_table(table, tmp_path / "test.parquet")
    found = read_run(tmp_path)
    assert found.view.arrays["test.target"].shape == (40,) and not trap.exists()


def test_columns_of_other_than_plain_types_are_left_out(tmp_path: Path) -> None:
    columns: dict[str, Any] = {"y_true": [0, 1] * 20, "x": [0.1] * 40, "deep": [[1, 2]] * 40, "raw": [b"\x80"] * 40}
    _write_parquet(tmp_path / "test.parquet", columns)
    found = look(tmp_path)
    assert "deep, raw: columns of other than plain types" in notes(found)
    assert found is not None and found.run.view.meta["feature_names"] == ["x"]


def test_parquet_that_would_unpack_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_parquet(tmp_path / "test.parquet", {"y_true": [0, 1] * 50_000, "x": [0.5] * 100_000}, compression="zstd")
    assert (tmp_path / "test.parquet").stat().st_size < 5_000
    assert read_run(tmp_path).view.arrays["test.target"].shape == (100_000,)
    monkeypatch.setattr(_parquet, "MAX_UNPACKED", 200_000)
    with pytest.raises(IntakeError, match="when unpacked"):
        read_run(tmp_path)


def test_one_long_word_in_every_row_stays_small(tmp_path: Path) -> None:
    """200 KB of text in 20,000 rows are 4 GB, unless equal words are kept once."""
    arrow = pytest.importorskip("pyarrow")
    word = arrow.DictionaryArray.from_arrays([0] * 20_000, ["w" * 200_000])
    _write_parquet(tmp_path / "test.parquet", {"y_true": [0, 1] * 10_000, "word": word}, store_schema=False)
    assert (tmp_path / "test.parquet").stat().st_size < 500_000
    assert read_run(tmp_path).view.arrays["test.features"].shape == (20_000, 1)


def test_parquet_with_more_rows_than_are_read(tmp_path: Path) -> None:
    _write_parquet(tmp_path / "test.parquet", {"y_true": [0] * 200_001})
    with pytest.raises(IntakeError, match="at most 200000 rows"):
        read_run(tmp_path)


@pytest.mark.parametrize("value", [None, True, 10**18, float("inf"), "é", b"\x00"])
def test_parquet_of_one_value_over_and_over(value: Any, tmp_path: Path) -> None:
    _write_parquet(tmp_path / "train.parquet", {"label": [0, 1] * 30, "x": [value] * 60})
    _write_parquet(tmp_path / "test.parquet", {"label": [value] * 60, "x": [0.5, None] * 30})
    look(tmp_path)


@FUZZ
@given(data=st.data())
def test_damaged_parquet(data: st.DataObject, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    content = bytearray((RUNS / "parquet" / "healthy" / "test.parquet").read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        # The footer says what the pages are: half of the damage goes there.
        low = data.draw(st.sampled_from((0, len(content) - 4_000)))
        content[data.draw(st.integers(low, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "test.parquet").write_bytes(bytes(content[: data.draw(st.sampled_from((len(content), 9_000, 40)))]))
    look(tmp_path)


# ------------------------------------------------------------------ arrays


class _Trap:
    """Unpickling it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return open, (str(self.path), "w")


def test_pickled_arrays_are_never_read(tmp_path: Path) -> None:
    trap = tmp_path / "owned"
    held = np.empty(1, dtype=object)
    held[0] = _Trap(trap)
    np.savez(tmp_path / "arrays.npz", **{"test.target": held})
    with pytest.raises(IntakeError, match="pickled objects"):
        read_run(tmp_path)
    assert not trap.exists()
    pickle.loads(pickle.dumps(held[0])).close()  # noqa: S301 - the trap works, where it is sprung
    assert trap.exists()


def test_an_archive_that_would_unpack_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "arrays.npz", **{"test.target": np.zeros(50_000)})
    assert (tmp_path / "arrays.npz").stat().st_size < 2_000
    monkeypatch.setattr(npz, "MAX_UNPACKED", 100_000)
    with pytest.raises(IntakeError, match="at most 100000 bytes"):
        read_run(tmp_path)


def test_small_values_that_become_large_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "arrays.npz", **{"test.target": np.zeros(50_000, dtype=bool)})
    monkeypatch.setattr(npz, "MAX_VALUES", 10_000)
    with pytest.raises(IntakeError, match="at most 10000 values"):
        read_run(tmp_path)


def test_a_shape_that_lies(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,), }\n"
    body = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 16
    with zipfile.ZipFile(tmp_path / "arrays.npz", "w") as archive:
        archive.writestr("test.target.npy", body)
    with pytest.raises(IntakeError, match="declares"):
        read_run(tmp_path)


@FUZZ
@given(data=st.data())
def test_damaged_archives(data: st.DataObject, tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.savez(stream, **{"test.target": np.arange(40) % 3.0, "test.prediction": np.arange(40) % 3.0})
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "arrays.npz").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    look(tmp_path)


@FUZZ
@given(
    shape=st.lists(st.sampled_from([0, 1, 3, 10**6, -1, 1.5, "x", None, float("inf")]), max_size=80),
    tail=st.integers(0, 4),
)
def test_record_bin_with_any_shape(shape: list[Any], tail: int, tmp_path: Path) -> None:
    header = json.dumps(
        {"arrays": [{"name": "test.target", "shape": shape}], "meta": {"classes": {"train": [None, 1]}}}
    )
    (tmp_path / "record.bin").write_bytes(struct.pack("<Q", len(header)) + header.encode() + b"\0" * 8 * tail)
    look(tmp_path)


# ------------------------------------------------------------------ binary logs


@FUZZ
@given(content=st.binary(max_size=400))
def test_wire_format_of_any_bytes(content: bytes) -> None:
    try:
        for number, kind, value in _wire.fields(content):
            assert number > 0 and kind in (0, 1, 2, 5) and (isinstance(value, bytes) == (kind != 0))
    except IntakeError as error:
        assert "expected" in str(error)


@FUZZ
@given(content=st.binary(max_size=400))
def test_framing_of_any_bytes(content: bytes) -> None:
    assert isinstance(_blocks.tf_records(content), _blocks.Records)
    start = b":W&B" + struct.pack("<HB", 0xBEE1, 0)
    assert isinstance(_blocks.wandb_records(start + content, "x.wandb"), _blocks.Records)
    with pytest.raises(IntakeError, match="which begins with"):
        _blocks.wandb_records(b"\0" + content, "x.wandb")


@FUZZ
@given(records=st.lists(st.binary(max_size=300), max_size=6))
def test_framing_round_trip(records: list[bytes]) -> None:
    written = b"".join(
        struct.pack("<QI", len(r), _blocks.masked_crc(struct.pack("<Q", len(r))))
        + r
        + struct.pack("<I", _blocks.masked_crc(r))
        for r in records
    )
    assert _blocks.tf_records(written) == _blocks.Records(tuple(records))


def wandb_file(records: list[bytes]) -> bytes:
    """As the writer of LevelDB's log does it: records are split at the ends of blocks."""
    out = bytearray(b":W&B" + struct.pack("<HB", 0xBEE1, 0))
    for record in records:
        begin, rest = True, record
        while True:
            room = 32768 - len(out) % 32768
            if room < 7:
                out += b"\0" * room
                room = 32768
            part, rest = rest[: room - 7], rest[room - 7 :]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[begin, not rest]
            out += struct.pack("<IHB", zlib.crc32(part, zlib.crc32(bytes([kind]))), len(part), kind) + part
            begin = False
            if not rest:
                break
    return bytes(out)


@pytest.mark.parametrize("sizes", [(0,), (1, 32761, 5), (100_000,), (32747, 3), (32754, 70_000, 0, 9)])
def test_blocks_round_trip(sizes: tuple[int, ...]) -> None:
    records = [bytes([number % 251]) * size for number, size in enumerate(sizes, start=1)]
    assert _blocks.wandb_records(wandb_file(records), "x") == _blocks.Records(tuple(records))


def test_checksums_of_the_format() -> None:
    # CRC-32C of "123456789" is 0xE3069283 (RFC 3720); TFRecord rotates it right by 15 and adds a constant.
    crc = 0xE3069283
    assert _blocks.masked_crc(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def test_a_length_that_lies(tmp_path: Path) -> None:
    size = struct.pack("<Q", 1 << 60)
    path = tmp_path / "events.out.tfevents.1.localhost.1.0"
    path.write_bytes(size + struct.pack("<I", _blocks.masked_crc(size)) + b"x" * 100)
    with pytest.raises(IntakeError, match="claims"):
        read_run(tmp_path)
    with pytest.raises(IntakeError, match="bytes where"):
        list(_wire.fields(b"\x0a\xff\xff\xff\xff\xff\xff\xff\x7f"))


def _one(tool: str, pattern: str) -> Path:
    (path,) = (RUNS / tool / "healthy").rglob(pattern)
    return path


@pytest.mark.parametrize(
    ("tool", "pattern"), [("tensorboard", "events*"), ("wandb", "*.wandb"), ("mlflow", "mlflow.db")]
)
@settings(FUZZ, max_examples=30)
@given(data=st.data())
def test_damaged_logs(tool: str, pattern: str, data: st.DataObject, tmp_path: Path) -> None:
    source = _one(tool, pattern)
    content = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    (tmp_path / source.name).write_bytes(content[: data.draw(st.integers(len(content) // 3, len(content)))])
    look(tmp_path)


@pytest.mark.parametrize(("tool", "pattern"), [("tensorboard", "events*"), ("wandb", "*.wandb")])
def test_a_run_that_was_killed_is_read_as_far_as_it_goes(tool: str, pattern: str, tmp_path: Path) -> None:
    source = _one(tool, pattern)
    content = source.read_bytes()
    (tmp_path / source.name).write_bytes(content[: int(len(content) * 0.6)])
    found = look(tmp_path)
    assert found is not None and 5 < found.run.view.arrays["epoch.train_loss"].size < 20
    assert "as far as it goes" in notes(found)


def test_a_store_that_is_a_trap(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE runs (run_uuid, name, start_time, lifecycle_stage)")
    base.execute("INSERT INTO runs VALUES ('a', 'a', 1, 'active')")
    base.execute("CREATE TABLE params (key, value, run_uuid)")
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'loss' AS key, i AS step, 1.0 AS value"
    )
    base.execute(f"CREATE VIEW metrics AS {endless}, 0 AS is_nan, 'a' AS run_uuid, 1 AS timestamp FROM n")
    base.commit()
    base.close()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(IntakeError, match="SQLite store"):
        read_run(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_words_where_a_store_should_hold_numbers(tmp_path: Path) -> None:
    base = sqlite3.connect(tmp_path / "mlflow.db")
    base.execute("CREATE TABLE runs (run_uuid, name, start_time, lifecycle_stage)")
    base.execute("INSERT INTO runs VALUES (x'ff00', NULL, 'soon', 'active')")
    base.execute("CREATE TABLE params (key, value, run_uuid)")
    base.execute("CREATE TABLE metrics (key, value, timestamp, run_uuid, step, is_nan)")
    base.execute("INSERT INTO metrics VALUES ('loss', 'high', 1, x'ff00', 'first', 'no')")
    base.commit()
    base.close()
    assert look(tmp_path) is None


def test_dates_of_any_year(tmp_path: Path) -> None:
    for split, year in (("train", "-1"), ("test", "9999-12-31")):
        rows = "".join(f"{number},{year if number % 2 else '2026-01-01'},{number % 2}\n" for number in range(40))
        (tmp_path / f"{split}.csv").write_text("x,timestamp,label\n" + rows)
    assert look(tmp_path) is not None


def test_pictures_of_numbers_beyond_all_bounds() -> None:
    largest = np.finfo(float).max
    for values in ([1.0, largest], [largest, 1e-320], [-largest, largest], [np.nan, np.inf, 2.0], [0.0, 0.0]):
        for picture in (pictures.curves, pictures.histogram):
            drawn = picture([("a", np.array(values))])
            assert "<svg" in drawn and "nan" not in drawn and "inf" not in drawn
