"""Own runs: what the real tools wrote is read and judged, mistakes are seen, hostile files end in a sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

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
WITH_MISTAKE = ("transformers", "lightning", "tables", "tensorboard", "wandb")


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
