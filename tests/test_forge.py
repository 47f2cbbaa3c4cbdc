"""Forging for real: harm on three seeds, rejects with reasons, resuming, disjoint banks."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlops_debugger.bank import Bank, BankWriter, Scenario, starter_bank_path
from mlops_debugger.cli import app
from mlops_debugger.contract import ARTIFACTS, SANITY_CHECKS
from mlops_debugger.edits import CODE, CONFIG, apply_fix, load_yaml, parse_fix
from mlops_debugger.errors import ForgeError
from mlops_debugger.faults import faults
from mlops_debugger.forge.build import Progress, build
from mlops_debugger.forge.carry import carry_over, look_again, planted_again, tries_behind
from mlops_debugger.forge.counters import CODE_MOVES, counters
from mlops_debugger.forge.finish import HELD_OUT_PROJECTS, split_of
from mlops_debugger.forge.journal import Journal
from mlops_debugger.forge.plan import Order, Pair, plan
from mlops_debugger.forge.prove import NO_HARM, NOT_SPECIFIC, CounterEdit, proof_bar
from mlops_debugger.forge.settle import PLANTED_OTHERWISE, settle
from mlops_debugger.forge.summary import Summary
from mlops_debugger.forge.unit import DOES_NOT_FIT, Try, base_seed_of
from mlops_debugger.projects import projects
from mlops_debugger.runs.pool import TrainerPool

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
def test_another_seed_base_is_disjoint(forged: tuple[Bank, list[Progress]], tmp_path: Path) -> None:
    out = tmp_path / "other.sqlite"
    build(order(out, seed_base="another", scenarios=2, faults=CHOSEN[:1]), lambda progress: None)
    one, two = {e.scenario_id for e in forged[0].entries}, {e.scenario_id for e in Bank(out).entries}
    assert not one & two
    assert not {s.artifacts["train.log"] for s in forged[0].scenarios()} & {
        s.artifacts["train.log"] for s in Bank(out).scenarios()
    }


@pytest.mark.slow
def test_kill_minus_nine_loses_only_what_is_in_flight(tmp_path: Path) -> None:
    out = tmp_path / "bank.sqlite"
    script = (
        "from pathlib import Path\n"
        "from mlops_debugger.forge.build import build\n"
        "from mlops_debugger.forge.plan import Order\n"
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


@pytest.mark.slow
def test_a_bank_is_extended_by_what_it_lacks(forged: tuple[Bank, list[Progress]], tmp_path: Path) -> None:
    earlier, _ = forged
    out = tmp_path / "larger.sqlite"
    summary = build(order(out, scenarios=7, extend=earlier.path), lambda progress: None)
    larger = Bank(out)
    assert summary.carried is not None and summary.carried.kept == len(earlier)
    assert len(larger) == 7
    told = {"tier", "split", "difficulty", "difficulty_parts"}
    for scenario in earlier.scenarios():
        assert larger.get(scenario.scenario_id).model_dump(exclude=told) == scenario.model_dump(exclude=told)
    tries = [Try.model_validate_json(text) for text in larger.tries()]
    assert [t for t in tries if t.index < 0] == []
    assert larger.manifest["runs"] == sum(t.runs for t in tries) > earlier.manifest["runs"]
    assert larger.manifest["secret"] == earlier.manifest["secret"]


@pytest.mark.slow
def test_what_no_longer_holds_is_not_carried_over(forged: tuple[Bank, list[Progress]], tmp_path: Path) -> None:
    earlier, _ = forged
    planted_otherwise, *rest = [s for s in earlier.scenarios() if s.fault]
    changed = planted_otherwise.model_copy(update={"gold_fix": planted_otherwise.gold_fix + "\n"})
    odd = tmp_path / "odd.sqlite"
    BankWriter(odd).write([changed, *rest], earlier.manifest, earlier.tries())
    journal = Journal(tmp_path / "a.journal", "test-forge", earlier.manifest["secret"])
    told = carry_over(Bank(odd), journal)
    assert (told.kept, sum(told.dropped.values())) == (len(rest), 1)
    assert {t.draft.scenario_id for t in journal.tries() if t.draft} == {s.scenario_id for s in rest}
    journal.close()
    log = rest[0].artifacts["train.log"].replace("epoch=1/", "epoch=2/", 1)
    retouched = rest[0].model_copy(update={"artifacts": {**rest[0].artifacts, "train.log": log}})
    BankWriter(odd).write([retouched], earlier.manifest, earlier.tries())
    journal = Journal(tmp_path / "b.journal", "test-forge", earlier.manifest["secret"])
    told = carry_over(Bank(odd), journal)
    assert (told.kept, +told.dropped) == (0, {"loan_outcomes: other artifacts or findings now": 1})
    assert all(t.draft is None for t in journal.tries())
    journal.close()
    with pytest.raises(ForgeError, match="extended with its own"):
        build(order(tmp_path / "c.sqlite", seed_base="another", extend=earlier.path), lambda progress: None)


@pytest.mark.slow
def test_a_bank_is_looked_at_again(forged: tuple[Bank, list[Progress]], tmp_path: Path) -> None:
    """Stale artifacts and findings are written anew, ids and proofs stay, other figures are dropped; it resumes."""
    earlier, _ = forged
    measured_otherwise, stale, *rest = [s for s in earlier.scenarios() if s.fault]
    proof = measured_otherwise.proofs[0]
    odd_proof = proof.model_copy(
        update={"broken": proof.broken.model_copy(update={"actual": proof.broken.actual - 0.1})}
    )
    changed = measured_otherwise.model_copy(update={"proofs": (odd_proof, *measured_otherwise.proofs[1:])})
    blank = {name: {"verdict": "pass"} for name in stale.findings}
    old = stale.model_copy(update={"findings": blank, "artifacts": {**stale.artifacts, "train.log": "old"}})
    controls = [s for s in earlier.scenarios() if s.is_control]
    odd = tmp_path / "odd.sqlite"
    BankWriter(odd).write([changed, old, *rest, *controls], earlier.manifest, earlier.tries())
    path, counted = tmp_path / "a.journal", []
    for _ in range(2):
        journal = Journal(path, "test-forge", earlier.manifest["secret"])
        told = look_again(Bank(odd), journal, 1, lambda done, of: counted.append(done))
        assert (told.kept, sum(told.dropped.values())) == (len(earlier) - 1, 1)
        drafts = {t.draft.scenario_id: t.draft for t in journal.tries() if t.draft}
        journal.close()
    assert len(counted) == len(earlier) + 1, "what was looked at is not looked at again"
    told_later = {"tier", "split", "difficulty", "difficulty_parts"}
    for scenario in (stale, *rest, *controls):
        draft = drafts[scenario.scenario_id]
        assert draft.model_dump(exclude=told_later) == scenario.model_dump(exclude=told_later)


def test_tries_behind_a_bank_that_kept_none_are_counted(tmp_path: Path, proven: Scenario) -> None:
    starter = Bank(starter_bank_path())
    tally = {"fault": proven.fault, "project": proven.project, "rejected": {NO_HARM: 2}}
    BankWriter(tmp_path / "old.sqlite").write([proven], {**starter.manifest, "tries": [tally]})
    tries = list(tries_behind(Bank(tmp_path / "old.sqlite"), starter.manifest["seed_base"]))
    assert [(t.index, t.reason) for t in tries[1:]] == [(-1, NO_HARM), (-2, NO_HARM)]
    first = tries[0]
    assert base_seed_of(starter.manifest["seed_base"], first.project, first.fault, first.index) == proven.base_seed


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
    rows = plan(Order(tmp_path / "x", 1200, "s"))
    assert sum(row.wanted for row in rows) == 1200
    controls = sum(row.wanted for row in rows if row.fault is None)
    assert 0.10 <= controls / 1200 <= 0.12
    assert {row.project for row in rows} == set(projects())
    by_category = Counter()
    for row in rows:
        by_category[faults()[row.fault].category if row.fault else None] += row.wanted
    del by_category[None]
    assert max(by_category.values()) - min(by_category.values()) <= 1
    every = {(row.project, row.fault) for row in rows}
    assert {(row.project, row.fault) for row in plan(Order(tmp_path / "x", 300, "s"))} == every


def test_unknown_names_are_named(tmp_path: Path) -> None:
    with pytest.raises(ForgeError, match="no such project or fault: nonsense"):
        plan(Order(tmp_path / "x", 4, "s", faults=("nonsense",)))


def rejected(index: int, reason: str, detail: str = "", **more: object) -> Try:
    told = {
        "project": "meter_digits",
        "fault": "first_stride_too_large",
        "index": index,
        "reason": reason,
        "detail": detail,
    }
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
        draft = proven.model_copy(update={"fault": "first_stride_too_large"})
        summary.add(Try(project="meter_digits", fault="first_stride_too_large", index=index, reason=None, draft=draft))
    assert (tally.proven, tally.verdict()) == (6, "good")
    (row,) = summary.rows()
    assert row["rejected"] == {NO_HARM: 1, NOT_SPECIFIC: 1}
    assert row["countered"] == {
        "model.dropout": {"tried": 1, "cured": 0, "left": 0.9},
        "training.epochs": {"tried": 1, "cured": 1, "left": 0.2},
    }


def test_tries_that_know_no_counter_edits_can_still_be_read() -> None:
    told = rejected(0, NO_HARM).model_dump()
    del told["counters"], told["countered_at"]
    assert Try.model_validate(told).counters == Try.model_validate(told).countered_at == ()


CURED = CounterEdit(key="optimizer.name", value="adamw", left=(0.1, 0.2, 0.1), cured=True)
NOT_CURED = CounterEdit(key="optimizer.name", value="adam", left=(1.2,), cured=False)


def test_a_pair_waits_until_every_proven_try_met_what_cured_one_of_them(proven: Scenario) -> None:
    pair = Pair("meter_digits", "first_stride_too_large", 3)
    kept = {"project": pair.project, "fault": pair.fault, "reason": None, "draft": proven}
    for index, edits in ((0, (NOT_CURED,)), (1, ()), (3, (CURED,))):
        assert pair.open and pair.unsettled is None
        pair.book(Try(index=index, counters=edits, **kept))
    pair.book(rejected(2, NO_HARM))
    assert (pair.open, pair.unsettled, pair.waits, pair.tried, pair.proven) == (
        False,
        (1, ("optimizer.name",)),
        True,
        4,
        3,
    )
    pair.book(Try(index=1, countered_at=("optimizer.name",), **kept))
    assert (pair.unsettled, pair.waits, pair.tried, pair.proven) == (None, False, 4, 3)
    pair.book(rejected(1, NOT_SPECIFIC, counters=(CURED,)))
    assert (pair.open, pair.unsettled, pair.waits, pair.tried, pair.proven) == (True, None, True, 4, 2)
    rate = CounterEdit(key="optimizer.learning_rate", value=0.03, left=(0.1, 0.1, 0.2), cured=True)
    pair.book(Try(index=4, counters=(NOT_CURED, rate), **kept))
    assert pair.unsettled == (0, ("optimizer.learning_rate",)), "what it met it is not asked again"
    pair.busy = True
    assert not pair.waits


def planted_decay(count: int) -> tuple[Bank, list[Try]]:
    """The starter bank, and its first tries of a fault that another optimiser cures on the first of them."""
    bank = Bank(starter_bank_path())
    project, fault = "demand_forecast", "weight_decay_overwhelming"
    tries = {t.index: t for t in map(Try.model_validate_json, bank.tries()) if (t.project, t.fault) == (project, fault)}
    drafts = {s.base_seed: s for s in bank.scenarios() if (s.project, s.fault) == (project, fault)}
    seed_base = bank.manifest["seed_base"]
    return bank, [
        tries[index].model_copy(update={"draft": drafts[base_seed_of(seed_base, project, fault, index)]})
        for index in range(count)
    ]


@pytest.mark.slow
def test_what_cures_a_later_try_becomes_an_answer_of_an_earlier_one(tmp_path: Path) -> None:
    """As if a later try had found the cure, and the first one had not been asked."""
    bank, (first, second) = planted_decay(2)
    assert first.draft and second.draft and len(first.draft.answers) == 2
    unasked = first.draft.model_copy(update={"answers": first.draft.answers[:1]})
    tries = [first.model_copy(update={"draft": None, "counters": ()})]
    tries.append(second.model_copy(update={"draft": None, "counters": (CURED,)}))
    early, out = tmp_path / "early.sqlite", tmp_path / "settled.sqlite"
    runs = sum(outcome.runs for outcome in tries)
    BankWriter(early).write(
        [unasked, second.draft], {**bank.manifest, "runs": runs}, [t.model_dump_json() for t in tries]
    )
    told: list[Progress] = []
    chosen = {"faults": (first.fault,), "projects": (first.project,), "seed_base": bank.manifest["seed_base"]}
    build(order(out, scenarios=2, extend=early, **chosen), told.append)
    settled = Bank(out)
    assert settled.get(first.draft.scenario_id).answers == first.draft.answers
    assert settled.get(second.draft.scenario_id).answers == second.draft.answers
    later = {t.index: t for t in map(Try.model_validate_json, settled.tries())}
    assert [(edit.key, edit.cured) for edit in later[0].counters] == [("optimizer.name", True)]
    assert later[0].countered_at == ("optimizer.name",) and later[0].runs == first.runs + 3
    assert len(told) == 3, "two tries were carried over, one of them was settled"
    assert settled.manifest["runs"] == runs + 3


@pytest.mark.slow
def test_a_settled_try_with_too_many_cures_is_rejected(outside: TrainerPool) -> None:
    _, (first,) = planted_decay(1)
    assert first.draft
    gold = first.draft.answers[0]
    crowded = first.model_copy(update={"draft": first.draft.model_copy(update={"answers": (gold,) * 3})})
    outcome = settle(crowded, ("optimizer.name",), outside)
    assert (outcome.reason, outcome.draft) == (NOT_SPECIFIC, None)
    assert outcome.runs == first.runs + 3


def test_a_try_that_is_planted_otherwise_now_is_not_settled(outside: TrainerPool) -> None:
    _, (first,) = planted_decay(1)
    assert first.draft
    changed = first.draft.model_copy(update={"gold_fix": first.draft.gold_fix + "\n"})
    outcome = settle(first.model_copy(update={"draft": changed}), ("optimizer.name",), outside)
    assert (outcome.reason, outcome.draft) == (PLANTED_OTHERWISE, None)
    with pytest.raises(ForgeError, match="found a rejected one: planted otherwise now"):
        settle(outcome, ("optimizer.name",), outside)


def test_counter_edits_at_given_sites_are_all_there_are() -> None:
    _, (first,) = planted_decay(1)
    assert first.draft
    planted = planted_again(first.draft)
    assert planted is not None
    all_of_them = list(counters(planted, 0))
    assert {c.site for c in all_of_them} > {"optimizer.name", "training.epochs"}
    rates = list(counters(planted, 0, everywhere=False, sites=("optimizer.learning_rate",)))
    assert [c.value for c in rates] == [c.value for c in all_of_them if c.site == "optimizer.learning_rate"]
    assert list(counters(planted, 0, everywhere=False)) == []


def test_every_edit_of_code_at_a_given_site_is_tried() -> None:
    bank = Bank(starter_bank_path())
    entry = next(e for e in bank.entries if e.fault == "horizon_shorter_than_agreed")
    planted = planted_again(bank.get(entry.scenario_id))
    assert planted is not None
    keys = set(projects()[entry.project].dialect)
    drawn = [counter for counter in counters(planted, 1) if counter.site not in keys]
    slots = {counter.site for seed in range(40) for counter in counters(planted, seed)} - keys
    assert len(drawn) == CODE_MOVES < len(slots)
    found = {slot: list(counters(planted, 1, everywhere=False, sites=(slot,))) for slot in slots}
    assert all({counter.site for counter in edits} == {slot} for slot, edits in found.items())
    assert max(len(edits) for edits in found.values()) > 1, "several look-alikes sit in one place"


@pytest.mark.parametrize("reason", [NO_HARM, DOES_NOT_FIT])
def test_a_hopeless_fault_ends_with_the_reason_and_without_a_bank(reason: str, tmp_path: Path) -> None:
    out = tmp_path / "bank.sqlite"
    journal = Journal(out.with_name("bank.sqlite.journal"), "hopeless")
    for index in range(120):
        journal.add(rejected(index, reason, "0.012 on seed 0, bar 0.132" if reason == NO_HARM else ""))
    journal.close()
    words = ["forge", "--out", str(out), "--scenarios", "2", "--seed-base", "hopeless"]
    words += ["--faults", "first_stride_too_large", "--projects", "meter_digits"]
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
    assert {split_of(HELD_OUT_PROJECTS[0], seed, "x") for seed in range(100)} == {"test"}
    assert all(split_of("p", seed, "x") == split_of("p", seed, "y") for seed in range(100))
