"""Forging for real: harm on three seeds, rejects with reasons, resuming, disjoint banks."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlops_debugger.bank import Bank, Scenario, starter_bank_path
from mlops_debugger.cli import app
from mlops_debugger.contract import ARTIFACTS, SANITY_CHECKS
from mlops_debugger.edits import CODE, CONFIG, apply_fix, load_yaml, parse_fix
from mlops_debugger.errors import ForgeError
from mlops_debugger.forge.build import Order, Progress, build, plan, split_of
from mlops_debugger.forge.journal import Journal
from mlops_debugger.forge.prove import NO_HARM, NOT_SPECIFIC, CounterEdit, proof_bar
from mlops_debugger.forge.summary import Summary
from mlops_debugger.forge.unit import DOES_NOT_FIT, Try, base_seed_of
from mlops_debugger.projects import projects

CHOSEN = ("label_order_at_serving", "learning_rate_too_low")


def order(out: Path, **changed: object) -> Order:
    base = Order(out, 4, "test-forge", CHOSEN, ("loan_outcomes",), 2, "a test")
    return Order(**{**base.__dict__, **changed})


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bank, list[Progress]]:
    out = tmp_path_factory.mktemp("forge") / "bank.sqlite"
    seen: list[Progress] = []
    build(order(out, scenarios=5), seen.append)
    return Bank(out), seen


@pytest.mark.slow
@pytest.mark.xdist_group("forge")
def test_a_forged_bank_is_proven(forged: tuple[Bank, list[Progress]]) -> None:
    bank, seen = forged
    assert [progress.tried for progress in seen] == list(range(1, len(seen) + 1))
    faults = [entry.fault for entry in bank.entries]
    assert faults.count(None) == 1
    assert {fault for fault in faults if fault} == set(CHOSEN)
    for scenario in bank.scenarios():
        assert set(scenario.findings) == set(SANITY_CHECKS)
        assert set(scenario.artifacts) == set(ARTIFACTS)
        assert scenario.run_id in scenario.artifacts["train.log"]
        if scenario.is_control:
            assert not scenario.gold_fix and not scenario.proofs and not scenario.twin_artifacts
            continue
        assert len(scenario.proofs) == 3
        assert len({proof.healthy.actual for proof in scenario.proofs}) == 3, "three seeds are three different runs"
        assert scenario.harm >= proof_bar(scenario.sigma)
        files = {CONFIG: scenario.artifacts[CONFIG], CODE: scenario.artifacts[CODE]}
        fixed = apply_fix(parse_fix(scenario.gold_fix), files, projects()[scenario.project].dialect)
        assert fixed[CODE] == scenario.twin_artifacts[CODE]
        assert load_yaml(fixed[CONFIG]) == load_yaml(scenario.twin_artifacts[CONFIG])


@pytest.mark.slow
@pytest.mark.xdist_group("forge")
def test_what_counter_edits_did_is_kept(forged: tuple[Bank, list[Progress]]) -> None:
    bank, seen = forged
    first = [progress.last for progress in seen if progress.last.index == 0 and progress.last.fault]
    assert first and all(outcome.counters for outcome in first if outcome.reason is None)
    for outcome in first:
        for edit in outcome.counters:
            assert 1 <= len(edit.left) <= 3 and all(left >= 0 for left in edit.left)
            assert not edit.cured or (len(edit.left) == 3 and max(edit.left) <= 0.25)
    kept = {row["fault"]: row["countered"] for row in bank.manifest["tries"]}
    for outcome in first:
        assert set(kept[outcome.fault]) >= {edit.key for edit in outcome.counters}


@pytest.mark.slow
@pytest.mark.xdist_group("forge")
def test_another_seed_base_is_disjoint(forged: tuple[Bank, list[Progress]], tmp_path: Path) -> None:
    out = tmp_path / "other.sqlite"
    build(order(out, seed_base="another", scenarios=2, faults=CHOSEN[:1]), lambda progress: None)
    one, two = {e.scenario_id for e in forged[0].entries}, {e.scenario_id for e in Bank(out).entries}
    assert not one & two
    assert not {s.artifacts["train.log"] for s in forged[0].scenarios()} & {
        s.artifacts["train.log"] for s in Bank(out).scenarios()
    }


@pytest.mark.slow
@pytest.mark.xdist_group("forge")
def test_kill_minus_nine_loses_only_what_is_in_flight(tmp_path: Path) -> None:
    out = tmp_path / "bank.sqlite"
    script = (
        "from pathlib import Path\n"
        "from mlops_debugger.forge.build import Order, build\n"
        f"if __name__ == '__main__':\n    build(Order(Path({str(out)!r}), 3, 'kill', ('label_order_at_serving',), ('loan_outcomes',), 1), lambda p: None)\n"
    )
    runner = tmp_path / "forge_it.py"
    runner.write_text(script)
    process = subprocess.Popen([sys.executable, str(runner)], start_new_session=True)
    journal = out.with_name(out.name + ".journal")
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and _tries(journal) < 1:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = _tries(journal)
    assert before >= 1 and not out.exists()
    seen: list[Progress] = []
    build(Order(out, 3, "kill", ("label_order_at_serving",), ("loan_outcomes",), 1), seen.append)
    assert len(Bank(out)) == 3
    assert len(seen) == _tries(journal)
    with pytest.raises(ForgeError, match="begun with --seed-base kill"):
        build(Order(out, 3, "other", CHOSEN, ("loan_outcomes",), 1), seen.append)


def _tries(journal: Path) -> int:
    if not journal.exists():
        return 0
    try:
        db = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
        try:
            return int(db.execute("SELECT count(*) FROM try").fetchone()[0])
        finally:
            db.close()
    except sqlite3.OperationalError:
        return 0


def test_the_plan_covers_every_pair_and_a_share_of_controls(tmp_path: Path) -> None:
    rows = plan(Order(tmp_path / "x", 400, "s"))
    assert sum(row.wanted for row in rows) == 400
    controls = sum(row.wanted for row in rows if row.fault is None)
    assert 0.10 <= controls / 400 <= 0.12
    assert {row.project for row in rows} == set(projects())


def test_unknown_names_are_named(tmp_path: Path) -> None:
    with pytest.raises(ForgeError, match="no such project or fault: nonsense"):
        plan(Order(tmp_path / "x", 4, "s", faults=("nonsense",)))


def rejected(index: int, reason: str, detail: str = "", **more: object) -> Try:
    told = {"project": "meter_digits", "fault": "kernel_size_one", "index": index, "reason": reason, "detail": detail}
    return Try.model_validate({**told, **more})


@pytest.fixture(scope="module")
def proven() -> Scenario:
    bank = Bank(starter_bank_path())
    return bank.get(next(e.scenario_id for e in bank.entries if e.fault))


def test_the_summary_tells_whether_a_fault_is_any_good_and_why_not(proven: Scenario) -> None:
    edits = (
        CounterEdit(key="model.dropout", value=0.0, left=(0.9,), cured=False),
        CounterEdit(key="training.epochs", value=14, left=(0.1, 0.2, 0.1), cured=True),
    )
    summary = Summary()
    summary.add(rejected(0, NO_HARM, "0.112 on seed 1, bar 0.132"))
    summary.add(rejected(1, NOT_SPECIFIC, "model.channels", counters=edits))
    summary.add(rejected(2, DOES_NOT_FIT))
    (tally,) = summary.tallies.values()
    assert (tally.tried, tally.unfit, tally.verdict()) == (2, 1, "no good")
    told = " ".join(tally.why_not())
    assert "0% of 2 tries" in told and "0.112 on seed 1, bar 0.132" in told and "model.channels" in told
    for index in range(3, 9):
        draft = proven.model_copy(update={"fault": "kernel_size_one"})
        summary.add(Try(project="meter_digits", fault="kernel_size_one", index=index, reason=None, draft=draft))
    assert (tally.proven, tally.verdict()) == (6, "good")
    (row,) = summary.rows()
    assert row["rejected"] == {NO_HARM: 1, NOT_SPECIFIC: 1}
    assert row["countered"] == {
        "model.dropout": {"tried": 1, "cured": 0, "left": 0.9},
        "training.epochs": {"tried": 1, "cured": 1, "left": 0.2},
    }


def test_tries_that_know_no_counter_edits_can_still_be_read() -> None:
    told = rejected(0, NO_HARM).model_dump()
    del told["counters"]
    assert Try.model_validate(told).counters == ()


@pytest.mark.parametrize("reason", [NO_HARM, DOES_NOT_FIT])
def test_a_hopeless_fault_ends_with_the_reason_and_without_a_bank(reason: str, tmp_path: Path) -> None:
    out = tmp_path / "bank.sqlite"
    journal = Journal(out.with_name("bank.sqlite.journal"), "hopeless")
    for index in range(120):
        journal.add(rejected(index, reason, "0.012 on seed 0, bar 0.132" if reason == NO_HARM else ""))
    journal.close()
    words = ["forge", "--out", str(out), "--scenarios", "2", "--seed-base", "hopeless"]
    words += ["--faults", "kernel_size_one", "--projects", "meter_digits"]
    told = CliRunner().invoke(app, words, env={"COLUMNS": "160", "TERM": "dumb"})
    assert told.exit_code == 2 and not out.exists()
    assert "Nothing was proven" in told.stdout
    assert ("0.012 on seed 0, bar 0.132" if reason == NO_HARM else "none of 120 variations fit") in told.stdout


def test_base_seeds_never_meet() -> None:
    seeds = {
        base_seed_of(base, project, fault, n)
        for base in ("a", "b")
        for project in projects()
        for fault in (None, *CHOSEN)
        for n in range(50)
    }
    assert len(seeds) == 2 * len(projects()) * 3 * 50


def test_splits_keep_relatives_together_and_sites_apart() -> None:
    assert {split_of("p", seed, None) for seed in range(100)} == {"train", "validation", "test"}
    assert {split_of("p", seed, "scheduler.warmup_steps") for seed in range(100)} == {"test"}
    assert all(split_of("p", seed, "x") == split_of("p", seed, "y") for seed in range(100))
