"""The bank file: round trip, checksums, damage; and what the starter bank promises."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from scenarios import scenario

from mlops_debugger.bank import Bank, BankWriter, starter_bank_path
from mlops_debugger.contract import CATEGORIES
from mlops_debugger.errors import BankError
from mlops_debugger.faults import faults
from mlops_debugger.forge.finish import HELD_OUT_PROJECTS, HELD_OUT_SITES
from mlops_debugger.projects import projects


def test_round_trip(tmp_path: Path) -> None:
    made = [scenario(f"s-{n}", control=n % 3 == 0) for n in range(40)]
    BankWriter(tmp_path / "b.sqlite").write(made, {"note": "x"})
    bank = Bank(tmp_path / "b.sqlite")
    assert list(bank.scenarios()) == sorted(made, key=lambda s: s.scenario_id)
    assert bank.manifest["note"] == "x"
    assert [e.scenario_id for e in bank.select(controls=True)] == sorted(s.scenario_id for s in made if s.is_control)
    assert list(tmp_path.iterdir()) == [tmp_path / "b.sqlite"]


def test_threads_share_a_bank(starter: Bank) -> None:
    wanted = [entry.scenario_id for entry in starter.entries] * 2
    with ThreadPoolExecutor(8) as threads:
        assert [found.scenario_id for found in threads.map(starter.get, wanted)] == wanted


def test_damage_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "b.sqlite"
    BankWriter(path).write([scenario(f"s-{n}") for n in range(40)], {})
    raw = bytearray(path.read_bytes())
    for position in range(len(raw) // 2, len(raw) - 4096, 701):
        raw[position] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(BankError):
        list(Bank(path).scenarios())


@pytest.mark.parametrize("content", [b"", b"not a bank", b"SQLite format 3\0" + b"\0" * 4080])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "b.sqlite"
    path.write_bytes(content)
    with pytest.raises(BankError):
        Bank(path)
    with pytest.raises(BankError, match="found no file"):
        Bank(tmp_path / "none.sqlite")


@pytest.fixture(scope="module")
def starter() -> Bank:
    return Bank(starter_bank_path())


def test_starter_bank_size_and_counts(starter: Bank) -> None:
    assert len(starter) >= 1200
    assert starter_bank_path().stat().st_size <= 15 * 1024 * 1024
    planted = {(e.fault, e.project) for e in starter.entries if e.fault}
    assert planted == {
        (f, p) for f, fault in faults().items() for p, project in projects().items() if fault.plants_for(project)
    }
    by_category = defaultdict(set)
    for entry in starter.entries:
        by_category[entry.category].add(entry.fault)
    assert all(len(by_category[category]) >= 10 for category in CATEGORIES)
    silent = {entry.fault for entry in starter.entries if entry.silent}
    assert len(silent) >= len(faults()) / 3


def test_starter_bank_controls_in_every_tier(starter: Bank) -> None:
    for tier in ("easy", "medium", "hard"):
        share = len(starter.select(tier=tier, controls=True)) / len(starter.select(tier=tier))
        assert 0.10 <= share <= 0.125, (tier, share)


def test_starter_bank_splits(starter: Bank) -> None:
    assert {e.split for e in starter.entries if e.site in HELD_OUT_SITES} == {"test"}
    assert {e.split for e in starter.entries if e.project in HELD_OUT_PROJECTS} == {"test"}
    assert all(starter.select(split=split) for split in ("train", "validation", "test"))
    assert {e.site for e in starter.entries} >= set(HELD_OUT_SITES)


def test_starter_bank_says_how_it_was_made(starter: Bank) -> None:
    manifest = starter.manifest
    assert {
        "version",
        "created",
        "command",
        "seed_base",
        "secret",
        "runs",
        "tries",
        "held_out_sites",
        "held_out_projects",
    } <= set(manifest)
    assert sum(row["proven"] for row in manifest["tries"]) >= len(starter)


def test_starter_bank_ids_are_opaque_and_base_seeds_unique(starter: Bank) -> None:
    scenarios = list(starter.scenarios())
    assert len({s.base_seed for s in scenarios}) == len({s.run_id for s in scenarios}) == len(scenarios)
    assert len({hashlib.sha256(s.artifacts["train.log"].encode()).digest() for s in scenarios}) == len(scenarios)


def test_held_out_faults_have_their_site_in_test_alone(bank_path: Path) -> None:
    bank = Bank(bank_path)
    sites = set(bank.manifest["held_out_sites"])
    assert bank.held_out_faults() >= {entry.fault for entry in bank.entries if entry.site in sites} != set()
    bank.close()
