"""The soak, shortened: a server's memory and what it holds after thousands of episodes."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from servers import running
from serving import open_all, soaked

EPISODES = 4_000


@pytest.mark.slow
def test_memory_is_flat_over_thousands_of_episodes() -> None:
    """Every scenario was opened once before; two in a hundred is what the full soak may grow (benchmarks/serving.py)."""
    with running("ours") as server:
        asyncio.run(open_all(server))
        before = server.counts()
        found = asyncio.run(soaked(server, EPISODES))
        assert found["episodes"] == EPISODES
        assert found["growth"] < 0.02, found
        after = server.counts()
        assert all(after[kind] <= before[kind] + 4 for kind in after), (before, after)
