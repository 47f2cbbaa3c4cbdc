"""Evaluation: transcripts that resume, honest statistics, reports, and the same over the wire as in process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from mlops_debugger.agents import Agent, agents
from mlops_debugger.bank import Bank
from mlops_debugger.contract import MLOpsAction, MLOpsObservation
from mlops_debugger.environment import Selector
from mlops_debugger.errors import CatalogError, EpisodeError, EvaluationError
from mlops_debugger.evaluation import TRANSCRIPTS, Plan, Room, Transcript, evaluate, summarise, write_report
from mlops_debugger.evaluation.play import play
from mlops_debugger.evaluation.records import NO_FAULT, Truth
from mlops_debugger.evaluation.statistics import block, interval
from mlops_debugger.evaluation.tables import LocalTable
from mlops_debugger.evaluation.terminal import summary_table, transcript_view
from mlops_debugger.openenv.app import create_server_app, local_server

KEY = "the-harness-key-of-this-test"


@pytest.fixture
def bank(bank_path: Path) -> Iterator[Bank]:
    opened = Bank(bank_path)
    yield opened
    opened.close()


def quiet(transcript: Transcript, planned: int) -> None:
    """A report that nobody reads."""


def episode(score: float, category: str = "config_error", **changes: Any) -> Transcript:
    fault = "" if category == NO_FAULT else f"fault_of_{category}"
    truth = Truth(fault=fault, category="" if category == NO_FAULT else category, file="", field="", gold_fix="")
    fields: dict[str, Any] = {
        "agent": "tester",
        "run_id": f"run-{score}-{category}-{changes.get('index', 0)}",
        "split": "test",
        "task": "mixed",
        "index": 0,
        "tier": "easy",
        "dataset": "somewhere",
        "truth": truth,
        "score": score,
        "rows": {"category": score, "file": score, "field": score, "fix": score},
        "steps": 4,
        "duplicates": 0,
        "seconds": 0.1,
    }
    return Transcript.model_validate({**fields, **changes})


def summary_of(transcripts: list[Transcript]) -> Any:
    return summarise(transcripts, agent="tester", split="test", task="mixed", place="here")


# --- statistics


def test_interval_is_students() -> None:
    scores = [0.0, 0.4, 0.7, 1.0, 0.7, 0.2]
    low, high = stats.t.interval(0.95, len(scores) - 1, np.mean(scores), stats.sem(scores))
    assert interval(scores) == (round(max(low, 0.0), 4), round(min(high, 1.0), 4))
    assert interval([0.5]) is None
    assert interval([1.0, 1.0, 1.0]) == (1.0, 1.0)


def test_unscored_episodes_are_counted_and_left_out() -> None:
    figures = block([episode(1.0), episode(0.5), episode(0.1, unscored=["fix"], rows={"fix": None})])
    assert (figures.episodes, figures.unscored, figures.mean_score, figures.solved_share) == (3, 1, 0.75, 0.5)
    assert figures.rows["fix"] == 0.75
    nothing = block([episode(0.1, unscored=["fix"])])
    assert (nothing.mean_score, nothing.ci95, nothing.mean_steps) == (None, None, None)


def test_faults_and_controls_stand_apart() -> None:
    summary = summary_of([episode(0.2), episode(0.6, "label_mismatch", tier="hard"), episode(1.0, NO_FAULT)])
    assert summary.mean_score == 0.6
    assert (summary.faults.mean_score, summary.controls.mean_score) == (0.4, 1.0)
    assert list(summary.by_category) == ["config_error", "label_mismatch", NO_FAULT]
    assert list(summary.by_difficulty) == ["easy", "hard"]
    assert summary.faults.by_difficulty["hard"].mean_score == 0.6
    assert summary.controls.by_difficulty["easy"].episodes == 1


def test_nothing_by_category_where_the_truth_is_sealed() -> None:
    summary = summary_of([episode(0.2), episode(0.6, truth=None)])
    assert summary.by_category == {} and summary.faults is None and summary.controls is None
    assert summary.mean_score == 0.4


# --- playing


def test_an_evaluation_in_process_and_again(bank: Bank, tmp_path: Path) -> None:
    plan = Plan("constant", split="test", episodes=5, workers=2)
    heard: list[int] = []
    first = evaluate(plan, Room(bank=bank), tmp_path, lambda transcript, planned: heard.append(planned))
    assert [item.index for item in first] == list(range(5)) and heard == [5] * 5
    assert len({item.run_id for item in first}) == 5
    for item in first:
        assert item.truth is not None and item.steps == len(item.turns) == 1
        # Without a trainer the fix of a broken run stays unscored.
        assert item.unscored == ([] if item.truth.is_control else ["fix"])
    content = (tmp_path / TRANSCRIPTS).read_text("utf-8")
    again = evaluate(plan, Room(bank=bank), tmp_path, quiet)
    assert again == first and (tmp_path / TRANSCRIPTS).read_text("utf-8") == content


def test_an_interrupted_evaluation_goes_on(bank: Bank, tmp_path: Path) -> None:
    evaluate(Plan("constant", split="test", episodes=3), Room(bank=bank), tmp_path, quiet)
    path = tmp_path / TRANSCRIPTS
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([*lines[:2], lines[2][:40]]), "utf-8")
    found = evaluate(Plan("constant", split="test", episodes=4), Room(bank=bank), tmp_path, quiet)
    kept = path.read_text("utf-8").splitlines()
    assert len(found) == 4 and kept[:2] == lines[:2] and len(kept) == 4
    assert all(json.loads(line)["agent"] == "constant" for line in kept)


def test_a_damaged_transcript_is_named(bank: Bank, tmp_path: Path) -> None:
    (tmp_path / TRANSCRIPTS).write_text('{"agent": 1}\n', "utf-8")
    with pytest.raises(EvaluationError, match="line 1"):
        evaluate(Plan("constant", episodes=1), Room(bank=bank), tmp_path, quiet)


@pytest.mark.parametrize("controls", [True, False])
def test_controls_can_be_chosen(bank: Bank, tmp_path: Path, controls: bool) -> None:
    found = evaluate(Plan("constant", split="test", episodes=3, controls=controls), Room(bank=bank), tmp_path, quiet)
    assert found and all(item.truth is not None and item.truth.is_control == controls for item in found)


def test_all_of_a_split_is_played_when_no_number_is_given(bank: Bank, tmp_path: Path) -> None:
    found = evaluate(Plan("constant", split="validation", task="hard"), Room(bank=bank), tmp_path, quiet)
    assert len(found) == len(Selector(bank).pool(task_id="hard", split="validation"))


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        (Plan("nobody"), CatalogError),
        (Plan("constant", split="sideways"), EpisodeError),
        (Plan("constant", episodes=0), EvaluationError),
    ],
)
def test_plans_that_cannot_be_played(bank: Bank, tmp_path: Path, plan: Plan, error: type[Exception]) -> None:
    with pytest.raises(error):
        evaluate(plan, Room(bank=bank), tmp_path, quiet)


def test_a_room_is_a_bank_or_a_server(bank: Bank) -> None:
    with pytest.raises(EvaluationError, match="neither"):
        Room()
    with pytest.raises(EvaluationError, match="both"):
        Room(bank=bank, url="http://127.0.0.1:1")
    with pytest.raises(EvaluationError, match="running"):
        Room(url="http://127.0.0.1:9").size("test", "mixed", None)


class Breaking:
    """A player that breaks off at its second action."""

    def act(self, observation: MLOpsObservation) -> MLOpsAction:
        if observation.step_count:
            raise ZeroDivisionError("a bug of its own")
        return MLOpsAction(action_type="read_config")


class Wandering:
    """A player that never submits."""

    def act(self, observation: MLOpsObservation) -> MLOpsAction:
        return MLOpsAction(action_type="read_logs", log_filter=f"epoch:{observation.step_count}")


@pytest.mark.parametrize("player", [Breaking, Wandering])
def test_a_failed_episode_is_a_result(bank: Bank, player: type[Breaking | Wandering]) -> None:
    table = LocalTable(bank, None)
    first = table.reset(split="test", task="mixed", index=0, controls=False)
    agent = Agent("for this test", lambda seed, state: player())
    found = play(table, "tester", agent.start(0), first, split="test", task="mixed", index=0)
    table.close()
    assert found.score == 0.0 and set(found.rows.values()) == {0.0}
    assert found.error == ("ZeroDivisionError: a bug of its own" if player is Breaking else "")
    assert found.steps == (1 if player is Breaking else first.max_steps)


# --- over the wire


@pytest.mark.parametrize("key", [KEY, None])
def test_an_evaluation_over_the_wire(bank_path: Path, bank: Bank, tmp_path: Path, key: str | None) -> None:
    plan = Plan("constant", split="test", episodes=3, workers=2)
    with local_server(create_server_app(bank_path, harness_key=KEY)) as url:
        room = Room(url=url, harness_key=key)
        assert room.size("test", "mixed", None) == len(Selector(bank).pool(task_id="mixed", split="test"))
        assert room.size("test", "hard", None) == len(Selector(bank).pool(task_id="hard", split="test"))
        remote = evaluate(plan, room, tmp_path / "remote", quiet)
    local = evaluate(plan, Room(bank=bank), tmp_path / "local", quiet)
    for there, here in zip(remote, local, strict=True):
        assert there.truth == (here.truth if key else None)
        same = {"seconds", "truth"}
        assert there.model_dump(exclude=same) == here.model_dump(exclude=same)


def test_what_a_server_refuses_is_told(bank_path: Path, tmp_path: Path) -> None:
    with local_server(create_server_app(bank_path, harness_key=KEY)) as url:
        with pytest.raises(EvaluationError, match="harness key"):
            evaluate(Plan("constant", episodes=1, controls=True), Room(url=url), tmp_path / "a", quiet)
        with pytest.raises(EvaluationError, match="harness key"):
            evaluate(Plan("oracle", episodes=1), Room(url=url), tmp_path / "b", quiet)
        with pytest.raises(EvaluationError, match="sideways"):
            evaluate(Plan("constant", split="sideways"), Room(url=url), tmp_path / "c", quiet)


# --- reports


def test_a_report_has_its_files(tmp_path: Path) -> None:
    scores = [("config_error", 0.9), ("config_error", 0.4), ("data_leakage", 0.0), (NO_FAULT, 1.0)]
    summary = summary_of([episode(score, category, index=i) for i, (category, score) in enumerate(scores)])
    files = {path.name: path for path in write_report(summary, tmp_path)}
    told = json.loads(files["summary.json"].read_text("utf-8"))
    wanted = {"agent", "split", "episodes", "mean_score", "ci95", "solved_share", "mean_steps"}
    assert wanted | {"by_difficulty", "by_category", "faults", "controls"} <= set(told)
    page = files["report.md"].read_text("utf-8")
    assert "| config error | 2 | 0.65" in page and "healthy controls" in page and "score_by_category.png" in page
    assert files["score_by_category.png"].read_bytes().startswith(b"\x89PNG")


def test_reports_of_sealed_and_of_unscored_episodes_can_be_written(tmp_path: Path) -> None:
    write_report(summary_of([episode(0.5, truth=None)]), tmp_path / "sealed")
    write_report(summary_of([episode(0.5, unscored=["fix"])]), tmp_path / "unscored")


def test_the_terminal_shows_tables_and_transcripts(bank: Bank, tmp_path: Path) -> None:
    found = evaluate(Plan("rules", split="test", episodes=2), Room(bank=bank), tmp_path, quiet)
    console = Console(width=80, record=True, file=(tmp_path / "out.txt").open("w", encoding="utf-8"))
    console.print(summary_table(summarise(found, agent="rules", split="test", task="mixed", place="here")))
    for transcript in found:
        console.print(transcript_view(transcript))
    console.file.close()
    text = console.export_text()
    assert "By failure category" in text and "submit_diagnosis" in text and "Truth: " in text
    assert "healthy controls" in text or "healthy run" in text or "proposed_fix" in text


def test_agents_that_draw_draw_the_same_again(bank: Bank, tmp_path: Path) -> None:
    assert "random" in agents()
    plans = [Plan("random", split="train", episodes=2, seed=seed) for seed in (5, 5, 6)]
    runs = [evaluate(plan, Room(bank=bank), tmp_path / str(i), quiet) for i, plan in enumerate(plans)]
    asked = [[[turn.action for turn in item.turns] for item in run] for run in runs]
    assert asked[0] == asked[1] != asked[2]
