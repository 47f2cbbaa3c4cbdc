"""The command line: help that teaches, errors in one line, and every command on a small bank."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mlops_debugger.agents import agents
from mlops_debugger.bank import Bank
from mlops_debugger.checks import checks
from mlops_debugger.cli import app
from mlops_debugger.cli.forging import _write_bands
from mlops_debugger.faults import faults
from mlops_debugger.forge.healthy import HealthyBand
from mlops_debugger.projects import projects

COMMANDS = (
    "run",
    "rollouts",
    "serve",
    "mcp",
    "play",
    "forge",
    "evaluate",
    "audit",
    "show",
    "bank",
    "calibrate",
    "catalog",
    "diagnose",
)
BAND: dict[str, Any] = {
    "project": "loan_outcomes",
    "runs": 8,
    "pairs": 4,
    "sigma": 0.01,
    "skill_mean": 0.8,
    "skill_sd": 0.01,
    "gap_mean": 0.01,
    "reported_low": 0.7,
    "reported_high": 0.9,
    "seconds_median": 0.5,
    "seconds_max": 0.9,
    "loss_low": 0.1,
    "loss_high": 0.3,
}


def command(*words: str, typed: str | None = None) -> Any:
    return CliRunner().invoke(app, list(words), input=typed, env={"COLUMNS": "160", "TERM": "dumb"})


def fault_and_control(path: Path) -> tuple[str, str]:
    bank = Bank(path)
    broken = next(entry.scenario_id for entry in bank.entries if entry.fault is not None)
    healthy = next(entry.scenario_id for entry in bank.entries if entry.fault is None)
    bank.close()
    return broken, healthy


def test_help_lists_every_command() -> None:
    told = command("--help")
    assert told.exit_code == 0
    assert all(name in told.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches(name: str) -> None:
    told = command(name, "--help")
    assert told.exit_code == 0
    assert "Examples:" in told.stdout and f"mlops-debugger {name}" in told.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("bank", "missing.sqlite"),
        ("show", "s-1", "--bank", "missing.sqlite"),
        ("play", "--bank", "missing.sqlite"),
        ("serve", "--bank", "missing.sqlite"),
        ("mcp", "--bank", "missing.sqlite"),
        ("mcp", "--split", "holdout"),
        ("run", "--bank", "missing.sqlite", "--out", "report"),
        ("evaluate", "--agent", "constant", "--bank", "missing.sqlite", "--out", "report"),
        ("evaluate", "--agent", "constant", "--url", "http://127.0.0.1:9", "--out", "report"),
        ("forge", "--out", "bank.sqlite", "--scenarios", "4", "--faults", "nothing"),
        ("forge", "--out", "bank.sqlite", "--scenarios", "4", "--projects", "loan_outcomes,nowhere"),
        ("calibrate", "--projects", "nowhere"),
    ],
    ids=" ".join,
)
def test_errors_are_one_line_and_exit_code_2(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = command(*words)
    assert told.exit_code == 2
    (line,) = told.stderr.strip().splitlines()
    assert line.startswith("error: ") and len(line) > 30
    assert "Traceback" not in told.output
    assert words[0] != "mcp" or not told.stdout, "the protocol's own"


def test_an_unknown_agent_is_named_with_those_that_there_are(bank_path: Path, tmp_path: Path) -> None:
    told = command("evaluate", "--agent", "nobody", "--bank", str(bank_path), "--out", str(tmp_path))
    assert told.exit_code == 2
    assert "nobody" in told.stderr and "rules" in told.stderr


def test_bank_counts_as_json(bank_path: Path) -> None:
    told = command("bank", str(bank_path), "--json")
    counts = json.loads(told.stdout)
    bank = Bank(bank_path)
    assert counts["scenarios"] == len(bank) == sum(counts["by_project"].values()) == len(counts["ids"])
    assert counts["controls"] == len(bank.select(controls=True)) == sum(counts["controls_by_difficulty"].values())
    assert sum(counts["by_fault"].values()) == sum(counts["by_category"].values()) == counts["faults"]
    assert set(counts["by_difficulty"]) == {"easy", "medium", "hard"}
    assert set(counts["by_split"]) == {"train", "validation", "test"}
    assert counts["bytes"] == bank_path.stat().st_size
    assert "secret" not in counts["forged"]
    bank.close()


def test_bank_for_people(bank_path: Path) -> None:
    told = command("bank", str(bank_path))
    assert told.exit_code == 0
    assert "healthy controls" in told.stdout and "by fault" in told.stdout


def test_show_has_both_twins(bank_path: Path) -> None:
    broken, healthy = fault_and_control(bank_path)
    told = command("show", broken, "--bank", str(bank_path))
    assert told.exit_code == 0
    assert "--- healthy/" in told.stdout and "+++ broken/" in told.stdout
    assert "harm" in told.stdout and "healthy twin" in told.stdout and "loss_trajectory" in told.stdout
    control = command("show", healthy, "--bank", str(bank_path))
    assert control.exit_code == 0 and "healthy control" in control.stdout and "broken/" not in control.stdout


def test_show_of_an_unknown_scenario(bank_path: Path) -> None:
    told = command("show", "no-such", "--bank", str(bank_path))
    assert told.exit_code == 2 and "no-such" in told.stderr


def test_catalog_lists_everything() -> None:
    listed = json.loads(command("catalog", "--json").stdout)
    assert set(listed["projects"]) == set(projects()) and set(listed["faults"]) == set(faults())
    assert list(listed["checks"]) == list(checks()) and set(listed["agents"]) == set(agents())
    assert all(text for items in listed.values() for text in items.values())
    assert f"{len(projects())} projects" in command("catalog").stdout


def test_evaluate_writes_a_report_and_resumes(bank_path: Path, tmp_path: Path) -> None:
    words = ("evaluate", "--agent", "rules", "--split", "test", "--controls", "--episodes", "2")
    words += ("--bank", str(bank_path), "--out", str(tmp_path), "--show", "1")
    told = command(*words)
    assert told.exit_code == 0, told.output
    assert "By difficulty" in told.stdout and "run_sanity_check" in told.stdout
    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert (summary["agent"], summary["split"], summary["episodes"]) == ("rules", "test", 2)
    assert summary["faults"]["episodes"] == 0 and summary["controls"]["episodes"] == 2
    before = (tmp_path / "transcripts.jsonl").read_text("utf-8")
    assert command(*words).exit_code == 0
    assert (tmp_path / "transcripts.jsonl").read_text("utf-8") == before


def test_a_person_plays(bank_path: Path) -> None:
    # Read the config, read the log of two epochs, ask for a check, query a path, then say that nothing is wrong.
    typed = "1\n2\nepoch:1-2\n6\n3\n7\n1\nno.such.key\n8\nn\n"
    told = command("play", "--index", "0", "--split", "test", "--task", "mixed", "--bank", str(bank_path), typed=typed)
    assert told.exit_code == 0, told.output
    assert "ACTIONS" in told.stdout and "no.such.key" in told.stdout and "Score" in told.stdout


def test_a_person_gives_up(bank_path: Path) -> None:
    told = command("play", "--seed", "3", "--task", "mixed", "--bank", str(bank_path), typed="1\n")
    assert told.exit_code == 0 and "Given up" in told.stdout


def test_calibrate_replaces_the_bands_of_its_projects_alone(tmp_path: Path) -> None:
    path = tmp_path / "healthy.json"
    _write_bands(path, [HealthyBand(**BAND), HealthyBand(**{**BAND, "project": "other"})])
    _write_bands(path, [HealthyBand(**{**BAND, "sigma": 0.5})])
    bands = json.loads(path.read_text("utf-8"))["projects"]
    assert {name: band["sigma"] for name, band in bands.items()} == {"loan_outcomes": 0.5, "other": 0.01}


def test_the_command_line_loads_nothing_heavy() -> None:
    code = (
        "import sys, mlops_debugger.cli; heavy = {'torch', 'sklearn', 'pandas', 'matplotlib', 'openenv', 'scipy'}; "
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
def test_run_plays_over_the_wire_and_reports(bank_path: Path, tmp_path: Path) -> None:
    told = command("run", "--episodes", "2", "--bank", str(bank_path), "--out", str(tmp_path), "--workers", "1")
    assert told.exit_code == 0, told.output
    assert "http://127.0.0.1:" in told.stdout and "By failure category" in told.stdout
    assert {"summary.json", "report.md", "score_by_category.png", "transcripts.jsonl"} <= {
        path.name for path in tmp_path.iterdir()
    }
