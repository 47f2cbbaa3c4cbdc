"""What learning by heart is worth: the nearest neighbour beside the oracle and the constant, on seen and held-out faults.

    python benchmarks/memory.py [--bank FILE] [--out DIR] [--workers N] [--rules]

A fault is held out when its site occurs in the test split alone. The same --out goes on where an earlier run stopped.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.evaluation import Plan, Room, Transcript, evaluate
from mlops_debugger.evaluation.report import figures
from mlops_debugger.evaluation.statistics import block
from mlops_debugger.grading import Trials
from mlops_debugger.projects import projects

AGENTS = ("oracle", "nearest_neighbour", "constant")


def groups(bank: Bank, transcripts: Sequence[Transcript]) -> dict[str, list[Transcript]]:
    """Faults whose site train has too (in projects that train has, or in others), held-out faults, and controls."""
    held_out = bank.held_out_faults()
    known = {projects()[entry.project].dataset for entry in bank.select(split="train")}
    found: dict[str, list[Transcript]] = defaultdict(list)
    for item in transcripts:
        if item.truth is None:
            continue
        if item.truth.is_control:
            found["healthy controls"].append(item)
        elif item.truth.fault in held_out:
            found["held-out faults"].append(item)
        else:
            found["seen faults" if item.dataset in known else "seen faults, new project"].append(item)
    return dict(sorted(found.items(), reverse=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bank", type=Path, default=starter_bank_path())
    parser.add_argument("--out", type=Path, default=Path("reports/memory"), help="folder of the transcripts")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rules", action="store_true", help="the rules agent too, which takes long")
    options = parser.parse_args()
    bank = Bank(options.bank)
    print(f"Held out: {', '.join(sorted(bank.held_out_faults())) or 'none'}.\n")
    print("| agent | on test | episodes | score [95 %] | solved | category | file | field | fix |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    with Trials(workers=options.workers, allow_code=True) as trials:
        room = Room(bank=bank, trainer=trials.run)
        for agent in (*AGENTS, *(["rules"] if options.rules else [])):
            plan = Plan(agent, workers=options.workers)
            played = evaluate(plan, room, options.out / agent, lambda transcript, planned: None)
            for name, members in groups(bank, played).items():
                print(f"| {agent} | {name} | {' | '.join(figures(block(members))[:-1])} |", flush=True)


if __name__ == "__main__":
    main()
