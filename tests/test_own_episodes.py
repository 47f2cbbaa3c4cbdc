"""Own runs as episodes: everything can be asked, figures are those of the tools, nothing is graded."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mlops_debugger.agents import agents
from mlops_debugger.bank import Bank
from mlops_debugger.cli import app
from mlops_debugger.contract import ARTIFACTS, SANITY_CHECKS, MLOpsAction, MLOpsObservation
from mlops_debugger.environment import OwnSession, Session
from mlops_debugger.environment.own import OWN_TASK_DESCRIPTION
from mlops_debugger.errors import EpisodeError, IntakeError
from mlops_debugger.intake import diagnose, open_episode, read_run

RUNS = Path(__file__).parent / "data" / "own_runs"
TOOLS = ("transformers", "lightning", "tables", "tensorboard", "mlflow", "mlflow_files", "wandb", "dvclive")
READS = ("read_config", "read_logs", "check_dataset_stats", "inspect_preprocessing", "read_eval_results")


def opened(tool: str, variant: str = "healthy") -> OwnSession:
    session = open_episode(RUNS / tool / variant)
    session.reset()
    return session


def ask(session: OwnSession, kind: str, **more: Any) -> dict[str, Any]:
    return session.step(MLOpsAction.model_validate({"action_type": kind, **more})).last_action_result


def in_log(session: OwnSession, path: str) -> Any:
    return ask(session, "query_artifact", artifact_name="train.log", field_path=path)["value"]


# ------------------------------------------------------------------ what is shown


@pytest.mark.parametrize("tool", TOOLS)
def test_every_action_works_on_every_tools_run(tool: str) -> None:
    session = open_episode(RUNS / tool / "healthy", max_steps=60)
    first = session.reset()
    there = {meta.name for meta in first.available_artifacts}
    assert {"train.log", "eval_results.json"} <= there and ("config.yaml" in there) == (tool != "tensorboard")
    assert first.task_description == OWN_TASK_DESCRIPTION and len(first.task_description.encode()) <= 2048
    for kind in READS:
        told = ask(session, kind)
        assert told["content"] if told["artifact"] in there else told["note"].startswith("this run has no"), told
    for name in ARTIFACTS:
        told = ask(session, "query_artifact", artifact_name=name)
        assert bool(told["content"]) == (name in there)
    for name in SANITY_CHECKS:
        assert ask(session, "run_sanity_check", sanity_check_type=name)["sanity_check"] == name
    assert set(session.state().artifacts_read) == there
    assert "error" in ask(session, "query_artifact", artifact_name="train.log", field_path="no.such.key")
    assert "error" in session.reject("not an action").last_action_result
    told = ask(session, "read_logs", log_filter="epoch:2-3")
    assert told["matched"] == 2 and "epoch=2" in told["content"] and "epoch=4" not in told["content"]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_log_that_is_no_file_holds_what_the_tool_logged(tool: str) -> None:
    view = read_run(RUNS / tool / "healthy").view
    session = opened(tool)
    names = {"train_loss": "train_loss", "val_loss": "val_loss", "val_accuracy": "val_metric", "lr": "lr"}
    for shown, array in names.items():
        series = in_log(session, shown)
        assert len(series) == 20
        np.testing.assert_allclose(list(series.values()), view.arrays[f"epoch.{array}"], rtol=5e-6, err_msg=shown)
    assert in_log(session, "epoch.7.val_loss") == in_log(session, "val_loss.7")


def test_what_is_no_file_of_the_run_says_so() -> None:
    session = open_episode(RUNS / "lightning" / "healthy")
    metas = {meta.name: meta for meta in session.reset().available_artifacts}
    for name, file in (
        ("config.yaml", "hparams.yaml"),
        ("train.log", "metrics.csv"),
        ("eval_results.json", "metrics.csv"),
    ):
        assert metas[name].description.startswith("not a file of the run") and file in metas[name].description
        content = ask(session, "query_artifact", artifact_name=name)["content"]
        assert file in content and ("Not a file of the run" in content or "read_from" in content)
    own = open_episode(RUNS / "tables" / "healthy")
    metas = {meta.name: meta for meta in own.reset().available_artifacts}
    assert metas["eval_results.json"].description == "the run's own file eval_results.json"
    assert ask(own, "read_config")["content"] == (RUNS / "tables" / "healthy" / "config.yaml").read_text("utf-8")


def test_settings_and_results_are_those_that_were_logged() -> None:
    session = opened("mlflow")
    assert ask(session, "query_artifact", artifact_name="config.yaml", field_path="learning_rate")["value"] == 0.01
    told = ask(session, "query_artifact", artifact_name="eval_results.json", field_path="test.accuracy")
    report = json.loads(read_run(RUNS / "mlflow" / "healthy").view.artifacts["eval_results.json"])
    assert told["value"] == report["test"]["accuracy"]


def test_statistics_are_counted_in_the_tables() -> None:
    session = opened("tables")
    rows = (RUNS / "tables" / "healthy" / "train.csv").read_text("utf-8").splitlines()[1:]
    label = [row.rpartition(",")[2] for row in rows]
    told = ask(session, "query_artifact", artifact_name="dataset_stats.json", field_path="splits.train")["value"]
    assert told["rows"] == len(rows) and told["target"] == {name: label.count(name) for name in sorted(set(label))}


def test_findings_are_those_of_diagnose() -> None:
    found = diagnose(read_run(RUNS / "wandb" / "rate_too_high"))
    session = opened("wandb", "rate_too_high")
    for name in SANITY_CHECKS:
        told = ask(session, "run_sanity_check", sanity_check_type=name)
        assert told["verdict"] == found.findings[name].verdict and told["summary"] == found.findings[name].summary
        assert [need["give"] for need in told["would_allow_more"]] == [need.file for need in found.needs[name]]


def test_intervals_that_are_no_epochs_are_called_so(tmp_path: Path) -> None:
    rows = [f"{step},{1 / step:.4f}," for step in range(1, 400)] + [
        f"{step},,{1.2 / step:.4f}" for step in range(50, 400, 50)
    ]
    (tmp_path / "metrics.csv").write_text("\n".join(["step,train_loss,val_loss", *rows, ""]))
    session = open_episode(tmp_path)
    assert any("intervals" in message for message in session.reset().messages)
    told = ask(session, "read_logs")["content"]
    assert "an interval between evaluations, numbered as an epoch" in told and "epoch=2 step=100" in told


def test_figures_without_a_known_name_are_shown_too(tmp_path: Path) -> None:
    rows = [f"{e},{1 / e:.3f},{1.1 / e:.3f},{e * 7},{e / 10}" for e in range(1, 7)]
    (tmp_path / "metrics.csv").write_text("\n".join(["epoch,train_loss,val_loss,gpu memory [MB],train_f1", *rows, ""]))
    session = open_episode(tmp_path)
    session.reset()
    assert in_log(session, "epoch.3.gpu_memory_MB_") == 21 and in_log(session, "epoch.3.train_f1") == 0.3


def test_a_log_of_ones_own_reaches_no_terminal_as_commands(tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text(
        "2026-01-01 10:00:00 INFO \x1b[31mepoch=1\x1b[0m train_loss=0.5\rbar\x1b]0;x\x07\n"
    )
    (tmp_path / "config.yaml").write_text("lr: 0.1\n")
    session = open_episode(tmp_path)
    session.reset()
    content = ask(session, "read_logs")["content"]
    assert "\x1b" not in content and "\x07" not in content and "INFO epoch=1 train_loss=0.5\nbar" in content


def test_six_files_of_ones_own_are_answered_like_a_scenario(bank_path: Path, tmp_path: Path) -> None:
    bank = Bank(bank_path)
    graded = Session(bank)
    graded.reset(split="train", index=0)
    for name, text in graded.state().artifacts.items():
        (tmp_path / name).write_text(text, "utf-8")
    own = open_episode(tmp_path)
    own.reset()
    asked: list[dict[str, Any]] = [{"action_type": kind} for kind in READS]
    asked += [{"action_type": "read_logs", "log_filter": text} for text in ("epoch:1-2", "warning")]
    for name, path in (("train.log", "epoch.1"), ("train.log", "val_loss"), ("preprocessing.py", "main")):
        asked.append({"action_type": "query_artifact", "artifact_name": name, "field_path": path})
    for words in asked:
        action = MLOpsAction.model_validate(words)
        assert own.step(action).last_action_result == graded.step(action).last_action_result, words


# ------------------------------------------------------------------ nothing is graded


def test_a_diagnosis_ends_the_episode_without_a_score() -> None:
    session = opened("transformers")
    assert session.step(MLOpsAction(action_type="submit_diagnosis")).done is False
    bad = MLOpsAction(action_type="submit_diagnosis", failure_category=None, diagnosis="x" * 20_000)
    assert "at most" in session.step(bad).last_action_result["error"]
    last = session.step(MLOpsAction(action_type="submit_diagnosis", diagnosis="the rate", proposed_fix="lower it"))
    assert last.done and last.reward is None and last.metadata == {"ungraded": True}
    assert last.last_action_result["submitted"] == {"diagnosis": "the rate", "proposed_fix": "lower it"}
    assert "score" not in last.last_action_result and any("ungraded" in message for message in last.messages)
    state = session.state()
    assert state.episode_done and state.current_score == 0
    assert not any((state.bug_type, state.bug_category, state.bug_file, state.bug_field, state.gold_fix))
    with pytest.raises(EpisodeError, match="over"):
        session.step(MLOpsAction(action_type="read_config"))


def test_steps_run_out_without_a_score() -> None:
    session = open_episode(RUNS / "dvclive" / "healthy", max_steps=2)
    session.reset()
    session.step(MLOpsAction(action_type="read_config"))
    last = session.step(MLOpsAction(action_type="read_config"))
    assert last.done and last.reward is None
    assert any("ungraded" in message for message in last.messages) and any("repeated" in m for m in last.messages)


def test_a_session_refuses_what_it_cannot_do() -> None:
    session = open_episode(RUNS / "dvclive" / "healthy")
    with pytest.raises(EpisodeError, match="reset"):
        session.state()
    session.reset()
    session.close()
    with pytest.raises(EpisodeError, match="closed"):
        session.reset()
    with pytest.raises(IntakeError):
        open_episode(RUNS / "nowhere")


@pytest.mark.parametrize("name", ["rules", "random"])
def test_our_agents_investigate_a_run_of_ones_own(name: str) -> None:
    session = open_episode(RUNS / "tables" / "rate_too_high")
    observation: MLOpsObservation = session.reset()
    player = agents()[name].start(3, None, ())
    while not observation.done:
        observation = session.step(player.act(observation))
    assert observation.reward is None


def test_playing_needs_no_heavy_library() -> None:
    """The environment's part of an own run: torch, scikit-learn and pandas stay out of the process."""
    code = (
        "import sys\n"
        "from mlops_debugger.contract import MLOpsAction\n"
        "from mlops_debugger.environment import OwnCase, OwnSession\n"
        "session = OwnSession(OwnCase('r', {}, (), {'train.log': 'epoch=1 train_loss=0.5'}, {}))\n"
        "session.reset()\n"
        "told = session.step(MLOpsAction(action_type='read_logs', log_filter='epoch:1'))\n"
        "assert told.last_action_result['matched'] == 1\n"
        "assert not {'torch', 'sklearn', 'pandas', 'scipy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ------------------------------------------------------------------ the command


def play(*words: str, typed: str = "") -> Any:
    return CliRunner().invoke(app, ["play", *words], input=typed, env={"COLUMNS": "160", "TERM": "dumb"})


def test_a_person_plays_a_run_of_their_own() -> None:
    typed = "2\nepoch:1-2\n4\n6\n7\n7\n2\nepoch.3\n8\ny\n1\nhparams.yaml\nlr\nlower it\n.\nit is too high\n"
    told = play("--run", str(RUNS / "lightning" / "rate_too_high"), typed=typed)
    assert told.exit_code == 0, told.output
    for words in ("not a file of the run", "this run has no preprocessing.py", "epoch=2", "fail", "Ungraded"):
        assert words in told.stdout, words
    assert "Score" not in told.stdout and "healthy run" not in told.stdout


def test_of_several_runs_one_can_be_named() -> None:
    folder = str(RUNS / "lightning" / "healthy")
    told = play("--run", folder, "--which", "lightning_logs/version_0", typed="8\nn\n")
    assert told.exit_code == 0 and "Run lightning_logs/version_0" in told.stdout
    told = play("--run", folder, typed="8\nn\n")
    assert told.exit_code == 0 and "--which" in told.stdout and "--run among" not in told.stdout
    assert play("--run", folder, "--which", "version_9").exit_code == 2


def test_values_of_ones_own_reach_no_terminal_as_commands(tmp_path: Path) -> None:
    (tmp_path / "eval_results.json").write_text('{"note": "a\\u001b]0;x\\u0007b \\ud800", "test": {"accuracy": 0.5}}')
    typed = "7\n5\nnote\n7\n5\n\n7\n5\ntest\n8\nn\n"
    told = play("--run", str(tmp_path), typed=typed)
    assert told.exit_code == 0, told.output
    assert "\x1b]" not in told.stdout and "\x07" not in told.stdout and "accuracy" in told.stdout


def test_options_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    assert play("--run", str(RUNS), "--index", "3").exit_code == 2
    assert play("--which", "x").exit_code == 2
    shutil.copy(RUNS / "README.md", tmp_path)
    assert play("--run", str(tmp_path)).exit_code == 2
