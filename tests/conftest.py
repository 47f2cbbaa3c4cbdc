"""What several test files need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_debugger.bank import starter_bank_path
from mlops_debugger.runs.pool import TrainerPool
from mlops_debugger.runs.sandbox.pool import SandboxPool


@pytest.fixture(scope="session")
def bank_path() -> Path:
    """The starter bank."""
    return starter_bank_path()


@pytest.fixture(scope="session")
def outside() -> Iterator[TrainerPool]:
    """A plain warm worker: where attacks succeed."""
    with TrainerPool() as pool:
        yield pool


@pytest.fixture(scope="session")
def inside() -> Iterator[SandboxPool]:
    """A keeper with all libraries: where they fail."""
    with SandboxPool() as pool:
        yield pool
