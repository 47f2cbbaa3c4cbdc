"""Own runs: what the real tools wrote is read and judged, mistakes are seen, hostile files end in a sentence."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import mlops_debugger
from mlops_debugger.checks import checks
from mlops_debugger.cli import app
from mlops_debugger.contract import SANITY_CHECKS
from mlops_debugger.errors import IntakeError
from mlops_debugger.intake import Diagnosis, diagnose, read_run

RUNS = Path(__file__).parent / "data" / "own_runs"


def look(path: Path, run: str | None = None) -> Diagnosis:
    return diagnose(read_run(path, run))


def failed(found: Diagnosis) -> set[str]:
    return {name for name, finding in found.findings.items() if finding.verdict == "fail"}


def command(*words: str) -> Any:
    return CliRunner().invoke(app, ["diagnose", *words], env={"COLUMNS": "160", "TERM": "dumb"})


# ------------------------------------------------------------------ what the tools wrote

TOOLS = ("transformers", "lightning", "tables", "tensorboard", "mlflow", "mlflow_files", "wandb", "dvclive")
WITH_MISTAKE = ("transformers", "lightning", "tables", "tensorboard", "wandb", "mlflow")


@pytest.mark.parametrize("tool", TOOLS)
def test_a_healthy_run_raises_no_alarm(tool: str) -> None:
    found = look(RUNS / tool / "healthy")
    assert found.verdict == "pass", {name: f.summary for name, f in found.findings.items() if f.verdict != "pass"}
    curves = found.run.view.arrays
    for name in ("epoch.train_loss", "epoch.val_loss", "epoch.val_metric", "epoch.lr", "epoch.grad_norm"):
        assert curves[name].shape == (20,), name
    assert found.findings["loss_trajectory"].verdict == "pass" and found.findings["gradient_norms"].verdict == "pass"


def test_lightning_through_tensorboard_reads_like_lightning_through_csv() -> None:
    board = read_run(RUNS / "tensorboard" / "lightning").view
    table = read_run(RUNS / "lightning" / "healthy").view
    for name, values in table.arrays.items():
        np.testing.assert_allclose(board.arrays[name], values, rtol=1e-6, err_msg=name)
    assert {**board.meta} == {**table.meta}


def test_both_stores_of_mlflow_read_alike() -> None:
    base, files = (read_run(RUNS / tool / "healthy").view for tool in ("mlflow", "mlflow_files"))
    assert base.arrays.keys() == files.arrays.keys() and base.meta == files.meta
    for name, values in base.arrays.items():
        np.testing.assert_array_equal(files.arrays[name], values)
    assert read_run(RUNS / "mlflow" / "healthy", "first-try").view.arrays["epoch.val_loss"].shape == (4,)


def test_figures_are_those_that_were_logged() -> None:
    """The same training, through five tools that keep single or double precision."""
    table = read_run(RUNS / "tables" / "healthy").view.arrays
    for tool in ("tensorboard", "mlflow", "wandb", "dvclive"):
        found = read_run(RUNS / tool / "healthy").view.arrays
        for name in ("epoch.train_loss", "epoch.val_loss", "epoch.val_metric", "epoch.lr", "epoch.grad_norm"):
            np.testing.assert_allclose(found[name], table[name], atol=2e-6, err_msg=f"{tool} {name}")


@pytest.mark.parametrize("tool", WITH_MISTAKE)
def test_a_learning_rate_a_thousand_times_too_high_is_seen(tool: str) -> None:
    assert {"loss_trajectory", "gradient_norms"} <= failed(look(RUNS / tool / "rate_too_high"))


def test_test_rows_in_training_are_seen() -> None:
    found = look(RUNS / "tables" / "test_rows_in_training")
    assert "data_leakage" in failed(found) and found.findings["data_leakage"].statistic == "row_id_overlap"


def test_permuted_labels_at_evaluation_are_seen() -> None:
    assert {"label_consistency", "metric_gap_analysis"} <= failed(look(RUNS / "tables" / "labels_permuted"))


@pytest.mark.parametrize("tool", ["transformers", "lightning", "mlflow"])
def test_permuted_labels_are_seen_beside_what_a_tool_logged(tool: str, tmp_path: Path) -> None:
    """That mistake comes after training, so the log is the healthy run's."""
    shutil.copytree(RUNS / tool / "healthy", tmp_path / "run")
    for name in ("predictions.csv", "train.csv", "validation.csv", "test.csv"):
        shutil.copy(RUNS / "tables" / "labels_permuted" / name, tmp_path / "run")
    found = look(tmp_path / "run")
    assert {"label_consistency", "metric_gap_analysis"} <= failed(found) and len(found.run.sources) == 2
    assert found.findings["gradient_norms"].verdict == "pass"
    assert found.findings["label_consistency"].statistic == "misnamed_targets"


def test_a_healthy_pipeline_of_scikit_learn_raises_no_alarm() -> None:
    found = look(RUNS / "sklearn" / "healthy")
    assert found.verdict == "pass", {name: f.summary for name, f in found.findings.items() if f.verdict != "pass"}
    assert found.run.sources[0].reader == "MLflow's SQLite store" and found.band != "any"
    seen = {name for name, finding in found.findings.items() if finding.verdict == "pass"}
    assert seen == set(SANITY_CHECKS) - {"gradient_norms", "loss_trajectory"}  # it has no gradients and no epochs


@pytest.mark.parametrize(
    ("mistake", "checks_that_fail", "evidence"),
    [
        ("refund_as_input", {"data_leakage"}, "refund alone separates a class"),
        ("hours_in_test", {"feature_statistics"}, "mean of minutes"),
        ("answers_in_other_order", {"label_consistency", "metric_gap_analysis"}, "Predictions depend on targets"),
    ],
)
def test_mistakes_in_a_pipeline_of_scikit_learn_are_seen(
    mistake: str, checks_that_fail: set[str], evidence: str
) -> None:
    found = look(RUNS / "sklearn" / mistake)
    assert failed(found) == checks_that_fail
    assert any(evidence in found.findings[name].summary for name in checks_that_fail)


def test_of_several_runs_the_newest_is_read_and_another_can_be_named() -> None:
    folder = RUNS / "lightning" / "healthy"
    newest = read_run(folder)
    assert newest.sources[0].run == "lightning_logs/version_1"
    assert any("version_0" in note and "--run" in note for note in newest.notes)
    first = read_run(folder, "lightning_logs/version_0")
    assert first.view.arrays["epoch.train_loss"].shape == (5,)
    with pytest.raises(IntakeError, match="version_1"):
        read_run(folder, "version_9")


def test_tables_complement_what_a_tool_logged(tmp_path: Path) -> None:
    shutil.copytree(RUNS / "transformers" / "healthy", tmp_path / "run")
    for name in ("predictions.csv", "train.csv", "test.csv"):
        shutil.copy(RUNS / "tables" / "healthy" / name, tmp_path / "run")
    found = look(tmp_path / "run")
    assert not failed(found) and len(found.run.sources) == 2
    assert found.findings["data_leakage"].verdict == "pass"


# ------------------------------------------------------------------ tables of rows


def test_parquet_reads_like_csv_or_says_what_is_missing() -> None:
    folder = RUNS / "parquet" / "healthy"
    if importlib.util.find_spec("pyarrow") is None:
        with pytest.raises(IntakeError, match=r"test\.parquet: reading Parquet takes pyarrow.* pip install pyarrow"):
            read_run(folder)
        return
    found, table = look(folder), read_run(RUNS / "tables" / "healthy").view
    for name, values in table.arrays.items():
        if not name.startswith("epoch."):
            np.testing.assert_array_equal(found.run.view.arrays[name], values, err_msg=name)
    assert found.verdict == "pass" and not found.run.notes
    for key in ("task", "kind", "classes", "feature_names", "feature_kinds"):
        assert found.run.view.meta[key] == table.meta[key]


def test_parquet_that_cannot_be_read_is_named_beside_what_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    shutil.copytree(RUNS / "transformers" / "healthy", tmp_path / "run")
    shutil.copy(RUNS / "parquet" / "healthy" / "test.parquet", tmp_path / "run")
    found = look(tmp_path / "run")
    assert found.verdict == "pass" and any("test.parquet" in n and "pip install pyarrow" in n for n in found.run.notes)


def write_tables(folder: Path, columns: dict[str, list[object]], target: list[object], told: list[object]) -> None:
    """Half of the rows to train, the rest to test, with answers for the latter."""
    half = len(target) // 2
    for split, rows in (("train", range(half)), ("test", range(half, len(target)))):
        lines = [",".join(("row_id", *columns, "label"))]
        lines += [
            ",".join(str(v) for v in (row + 100, *(c[row] for c in columns.values()), target[row])) for row in rows
        ]
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
    lines = ["row_id,y_true,y_pred", *(f"{row + 100},{target[row]},{told[row]}" for row in range(half, len(target)))]
    (folder / "predictions.csv").write_text("\n".join(lines) + "\n")


def test_a_regression_is_known_as_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=400)
    y = 3 * x + rng.normal(size=400)
    write_tables(tmp_path, {"x": list(x), "z": list(rng.normal(size=400))}, list(y), list(3 * x))
    found = look(tmp_path)
    assert found.run.view.meta["task"] == "regression" and found.band == "regression/tabular" and not failed(found)
    assert found.findings["metric_gap_analysis"].verdict != "not_applicable"


def test_raw_columns_as_they_come_raise_no_alarm(tmp_path: Path) -> None:
    """Many words, counts, zeros, gaps and amounts in the thousands are traits of raw data."""
    rng = np.random.default_rng(4)
    n = 800
    place = [f"place {k:02d}" for k in rng.integers(0, 50, n)]
    amount = np.round(np.exp(rng.normal(9, 0.8, n)), 2)
    gain = np.where(rng.random(n) < 0.9, 0, rng.integers(100, 5000, n))
    gaps = ["" if rng.random() < 0.1 else str(v) for v in rng.normal(size=n).round(3)]
    years = rng.integers(1, 18, n)
    score = np.log(amount) - 9 + 0.2 * (years - 9) + rng.logistic(size=n) * 0.4
    label = ["yes" if value > 0 else "no" for value in score]
    told = ["yes" if value > 0 else "no" for value in np.log(amount) - 9 + 0.2 * (years - 9)]
    columns = {"place": place, "amount": list(amount), "gain": list(gain), "gaps": gaps, "years": list(years)}
    write_tables(tmp_path, columns, label, told)
    found = look(tmp_path)
    assert found.findings["feature_statistics"].verdict == "pass", found.findings["feature_statistics"].summary
    assert not failed(found), {name: found.findings[name].summary for name in failed(found)}


def test_words_that_training_never_had_are_seen(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    words = [*rng.choice(["a", "b", "c"], 200), *rng.choice(["a", "b", "c", "d"], 200)]
    label = [int(v) for v in rng.integers(0, 2, 400)]
    write_tables(tmp_path, {"word": words, "x": list(rng.normal(size=400))}, label, label)
    found = look(tmp_path).findings["encoder_version_match"]
    assert found.verdict == "fail" and found.statistic == "unseen_codes"


def test_positions_within_a_file_are_no_ids(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / f"{split}.csv").write_text(
            "row_id,x,label\n" + "".join(f"{k},{k * 0.1},{k % 2}\n" for k in range(60))
        )
    found = read_run(tmp_path)
    assert "train.row_id" not in found.view.arrays and any("position" in note for note in found.notes)


def test_our_own_layout_gives_what_the_arrays_give(tmp_path: Path) -> None:
    view = read_run(RUNS / "tables" / "healthy").view
    header = {"arrays": [{"name": k, "shape": list(v.shape)} for k, v in view.arrays.items()], "meta": dict(view.meta)}
    text = json.dumps(header).encode()
    body = b"".join(values.astype("<f8").tobytes() for values in view.arrays.values())
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "record.bin").write_bytes(struct.pack("<Q", len(text)) + text + body)
    (tmp_path / "outputs" / "eval_results.json").write_text(view.artifacts["eval_results.json"])
    found = look(tmp_path)
    for name, check in checks().items():
        assert found.findings[name].as_dict() == check.run(view).as_dict()


# ------------------------------------------------------------------ the command


def test_exit_codes_follow_the_worst_verdict(tmp_path: Path) -> None:
    assert command(str(RUNS / "transformers" / "healthy")).exit_code == 0
    assert command(str(RUNS / "transformers" / "rate_too_high")).exit_code == 2
    assert command(str(tmp_path)).exit_code == 3
    assert command(str(tmp_path / "nowhere")).exit_code == 3
    assert command("--no-such-option").exit_code == 3
    assert command(str(RUNS / "lightning" / "healthy"), "--run", "x").exit_code == 3


def test_json_stands_alone() -> None:
    told = command(str(RUNS / "tables" / "healthy"), "--json")
    found = json.loads(told.stdout)
    assert tuple(found["findings"]) == SANITY_CHECKS and found["verdict"] == "pass" and found["exit_code"] == 0
    assert found["band"] == "classification/tabular"
    assert all(item["file"] for finding in found["findings"].values() for item in finding["missing"])


def test_what_could_not_be_checked_is_named_with_the_file_that_would_allow_it() -> None:
    told = command(str(RUNS / "transformers" / "healthy")).stdout
    assert "Not looked at" in told and "predictions.csv" in told and "not applicable" in told


def test_html_is_one_file_that_loads_nothing_and_is_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "run <b>&"
    shutil.copytree(RUNS / "tables" / "healthy", folder)
    for name in ("train", "validation", "test"):
        text = (folder / f"{name}.csv").read_text("utf-8")
        (folder / f"{name}.csv").write_text(text.replace("pressure", "<script>alert(1)</script>", 1), "utf-8")
    page = tmp_path / "report.html"
    assert command(str(folder), "--html", str(page)).exit_code == 0
    text = page.read_text("utf-8")
    assert text.count("<svg") >= 8 and "<script" not in text and "<b>&" not in text
    assert "&lt;script&gt;" in text and "http" not in text and "src=" not in text


def test_help_says_what_the_exit_codes_mean() -> None:
    told = command("--help").stdout
    assert "Exit codes" in told and "Examples:" in told


def test_other_packages_use_the_checks_by_their_public_modules() -> None:
    root = Path(mlops_debugger.__file__).parent
    private = re.compile(r"mlops_debugger\.checks(?:\._\w+| import .*\b_[a-z])")
    outside = [path for path in root.rglob("*.py") if path.parent != root / "checks"]
    assert outside and not [str(path) for path in outside if private.search(path.read_text("utf-8"))]
