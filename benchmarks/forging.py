"""Pairs of runs trained, and scenarios proven, a core-minute of a forge that is running: watches its journal.

python benchmarks/forging.py JOURNAL [MINUTES [WORKERS]]

A window begins and ends with a finished try. Everything that a try takes is counted: data, plants, training, counter
edits, checks, the journal.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path

from mlops_debugger.errors import ForgeError
from mlops_debugger.forge.journal import tries_in

LOOK_S = 0.1


def finished(journal: sqlite3.Connection) -> int:
    return int(journal.execute("SELECT count(*) FROM try").fetchone()[0])


def at_a_finished_try(journal: sqlite3.Connection) -> float:
    """Wait for the next one; the time at which it was there."""
    count = finished(journal)
    while finished(journal) == count:
        time.sleep(LOOK_S)
    return time.monotonic()


def totals(journal: sqlite3.Connection) -> tuple[int, int, int]:
    """Tries, runs and proven scenarios."""
    tries = list(tries_in(journal))
    return len(tries), sum(one.runs for one in tries), sum(one.draft is not None for one in tries)


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "")
    minutes, workers = (float(sys.argv[at]) if len(sys.argv) > at else default for at, default in ((2, 10.0), (3, 2.0)))
    if not path.is_file():
        raise ForgeError(f"expected the journal of a running forge (OUT.journal), found none at {path}")
    journal = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    started = at_a_finished_try(journal)
    before = totals(journal)
    time.sleep(60 * minutes)
    ended = at_a_finished_try(journal)
    tries, runs, proven = (now - then for now, then in zip(totals(journal), before, strict=True))
    spent = workers * (ended - started) / 60
    print(
        f"{tries} tries, {runs} runs, {proven} proven in {(ended - started) / 60:.1f} minutes on {workers:g} cores: "
        f"{runs / 2 / spent:.1f} pairs, {proven / spent:.1f} proven scenarios a core-minute"
    )


if __name__ == "__main__":
    main()
