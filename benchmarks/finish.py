"""A forge at its full size without the hours of training: its journal is filled with copies but for the last few tries.

python benchmarks/finish.py [SCENARIOS [LEFT [JOURNAL]]]

The copies are of the starter bank's scenarios, or of those that another forge's JOURNAL has proven; they go by other ids
and are otherwise alike. Then the command itself goes on from there: it is killed (-9) after its first new try and again
while it rates and writes, and the third start is left alone until the bank is there. Prints what that start cost, and
what the bank holds.
"""

from __future__ import annotations

import itertools
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from forging import LOOK_S, finished

from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.bank.records import Scenario
from mlops_debugger.errors import ForgeError
from mlops_debugger.forge.journal import Journal, tries_in
from mlops_debugger.forge.plan import Order, Pair, plan
from mlops_debugger.forge.unit import Try

SEED_BASE = "copies"
RATING_S = 40.0  # without a try, longer than any takes; at 10,000 scenarios rating and writing take minutes


def known_scenarios(journal: Path | None) -> Iterator[Scenario]:
    if journal is None:
        yield from Bank(starter_bank_path()).scenarios()
    else:
        tries = tries_in(sqlite3.connect(f"file:{journal}?mode=ro", uri=True))
        yield from (outcome.draft for outcome in tries if outcome.draft is not None)


def fill(journal: Journal, wanted: list[Pair], known: Iterable[Scenario], left: int) -> int:
    """Copies of all but `left` of what is wanted, each of those from another pair; returns how many."""
    of_pair: dict[tuple[str, str | None], list[Scenario]] = defaultdict(list)
    for scenario in known:
        of_pair[scenario.project, scenario.fault].append(scenario)
    if missing := [f"{pair.fault} on {pair.project}" for pair in wanted if not of_pair[pair.project, pair.fault]]:
        raise ForgeError(f"expected a proven scenario of every pair to copy, found none of {', '.join(missing)}")
    copied = 0
    for place, pair in enumerate(reversed(wanted)):
        scenarios = itertools.cycle(of_pair[pair.project, pair.fault])
        for index in range(pair.wanted - (place < left)):
            scenario = next(scenarios)
            draft = scenario.model_copy(update={"scenario_id": f"{scenario.scenario_id}-{index}"})
            journal.add(Try(project=pair.project, fault=pair.fault, index=index, reason=None, draft=draft))
            copied += 1
    return copied


def until_rating(journal: sqlite3.Connection, scenarios: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until all tries are there and the journal was left alone for a while: then the forge rates and writes."""
    quiet, version = time.monotonic(), 0
    while process.poll() is None:
        now = int(journal.execute("PRAGMA data_version").fetchone()[0])
        if now != version:
            quiet, version = time.monotonic(), now
        if finished(journal) >= scenarios and time.monotonic() - quiet > RATING_S:
            return
        time.sleep(1.0)


def start(out: Path, scenarios: int) -> subprocess.Popen[bytes]:
    program = Path(sys.executable).with_name("mlops-debugger")
    wanted = ["--scenarios", str(scenarios), "--seed-base", SEED_BASE, "--workers", "2"]
    return subprocess.Popen(
        [program, "forge", "--out", out, *wanted], stdout=subprocess.DEVNULL, start_new_session=True
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        raise ForgeError(f"expected a forge to kill, found one that had ended with {process.returncode}")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    scenarios, left = (int(sys.argv[at]) if len(sys.argv) > at else default for at, default in ((1, 10_000), (2, 20)))
    source = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "large.sqlite"
        path = out.with_name(out.name + ".journal")
        journal = Journal(path, SEED_BASE)
        copied = fill(journal, plan(Order(out, scenarios, SEED_BASE)), known_scenarios(source), left)
        journal.close()
        watched = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        print(
            f"{copied} copies in a journal of {path.stat().st_size / 1e6:.0f} MB, {scenarios - copied} left to prove",
            flush=True,
        )

        began, process = time.monotonic(), start(out, scenarios)
        while finished(watched) == copied and process.poll() is None:
            time.sleep(LOOK_S)
        print(f"first new try after {time.monotonic() - began:.0f} s; killed", flush=True)
        kill(process)
        process = start(out, scenarios)
        until_rating(watched, scenarios, process)
        kill(process)
        print(f"all tries done, killed {RATING_S:.0f} s after the last; bank written: {out.exists()}", flush=True)
        before = cpu_of_children()
        if start(out, scenarios).wait() != 0:
            raise ForgeError(f"expected the third start to finish {out}, found that it failed: see above")
        print(
            f"third start: {cpu_of_children() - before:.0f} CPU s, "
            f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2:.1f} GB, {out.stat().st_size / 1e6:.0f} MB"
        )
        tell(Bank(out), copied)


def tell(bank: Bank, copied: int) -> None:
    tiers = Counter(entry.tier for entry in bank.entries)
    controls = Counter(entry.tier for entry in bank.entries if entry.fault is None)
    print(f"{len(bank)} scenarios, {len(bank) - copied} of them proven anew; {bank.manifest['runs']} runs")
    print(
        "controls a tier: " + ", ".join(f"{tier} {controls[tier] / tiers[tier]:.1%} of {tiers[tier]}" for tier in tiers)
    )
    print(f"splits: {dict(Counter(entry.split for entry in bank.entries))}")
    print(f"category by tier: {sorted(Counter((e.category, e.tier) for e in bank.entries if e.fault).items())}")
    read = sum(1 for _ in bank.scenarios())
    print(f"{read} read back, checksums right")


if __name__ == "__main__":
    main()
