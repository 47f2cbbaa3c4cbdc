"""What several test files need."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_debugger.bank import starter_bank_path


@pytest.fixture(scope="session")
def bank_path() -> Path:
    """The starter bank."""
    return starter_bank_path()
