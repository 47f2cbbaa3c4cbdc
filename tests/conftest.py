"""What several test files need."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from scenarios import scenario

from mlops_debugger.bank import BankWriter, starter_bank_path
from mlops_debugger.bank.records import Split, Tier


@pytest.fixture(scope="session")
def bank_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter bank; a bank of hand-made scenarios where none has been forged."""
    if starter_bank_path().is_file():
        return starter_bank_path()
    path = tmp_path_factory.mktemp("bank") / "tiny.sqlite"
    tiers: tuple[Tier, ...] = ("easy", "medium", "hard")
    splits: tuple[Split, ...] = ("train", "validation", "test")
    BankWriter(path).write(
        [
            scenario(f"{split}-{tier}-{number}", tier=tier, split=split, control=number == 0, run_id=uuid4().hex)
            for split in splits
            for tier in tiers
            for number in range(4)
        ],
        {"made": "by hand"},
    )
    return path
