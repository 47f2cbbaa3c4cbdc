"""Equivalent fixes and wrong ones, run for real: which right ones are accepted, which wrong ones are not.

python benchmarks/equivalence.py [--only FAULT] [--limit N] [--summary]

    --summary: run nothing, write the figures of what was run before

Reads benchmarks/equivalent_fixes.yaml and the starter bank; appends every ruling to reports/equivalence.jsonl (the same
command resumes) and writes benchmarks/equivalence.json: shares, and every disagreement with what was measured.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from mlops_debugger.bank import Bank, Scenario, starter_bank_path
from mlops_debugger.evaluation.equivalence import OwnTrials, Proposal, judge, right_fixes
from mlops_debugger.evaluation.wrong import wrong_fixes

HERE = Path(__file__).resolve().parent
TABLE = HERE / "equivalent_fixes.yaml"
MEASURED = HERE / "equivalence.json"
RULINGS = Path("reports/equivalence.jsonl")


def proposals(bank: Bank, only: str | None, limit: int | None) -> list[Proposal]:
    """Right and wrong fixes of every entry, look-alikes being the other broken runs of its project."""
    table = yaml.safe_load(TABLE.read_text("utf-8"))
    chosen = [entry for entry in table if only in (None, entry["fault"])][:limit]
    broken: dict[str, list[Scenario]] = defaultdict(list)
    for scenario in bank.scenarios():
        if scenario.fault:
            broken[scenario.project].append(scenario)
    found = []
    for right in right_fixes(chosen, bank):
        scenario = right[0].scenario
        found += [*right, *wrong_fixes(scenario, broken[scenario.project])]
    return found


def name_of(proposal: Proposal) -> str:
    content = f"{proposal.scenario.scenario_id}\0{proposal.kind}\0{proposal.fix}"
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of benchmarks/equivalence.json."""
    right = [row for row in rows if row["right"]]
    wrong = [row for row in rows if not row["right"]]
    return {
        "measured": dt.datetime.now(dt.UTC).date().isoformat(),
        "faults": len({(row["fault"], row["project"]) for row in rows}),
        "right": len(right),
        "right_accepted": sum(row["share"] == 1.0 for row in right),
        "wrong": len(wrong),
        "wrong_scenarios": len({row["scenario"] for row in wrong}),
        "wrong_at_half_or_more": sum(row["share"] >= 0.5 for row in wrong),
        "wrong_accepted": sum(row["share"] == 1.0 for row in wrong),
        "disagreements": [row for row in rows if not row["agrees"]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--summary", action="store_true")
    options = parser.parse_args()
    bank = Bank(starter_bank_path())
    todo = proposals(bank, options.only, options.limit)
    todo.sort(key=lambda item: not item.right)
    RULINGS.parent.mkdir(parents=True, exist_ok=True)
    lines = RULINGS.read_text("utf-8").splitlines() if RULINGS.is_file() else []
    known = {row["name"]: row for row in map(json.loads, lines)}
    run = [] if options.summary else todo
    with OwnTrials() as trials, RULINGS.open("a", encoding="utf-8") as journal:
        for item in run:
            if name_of(item) in known:
                continue
            ruling = judge(item, trials.run)
            row = {
                "name": name_of(item),
                "fault": item.scenario.fault,
                "project": item.scenario.project,
                "scenario": item.scenario.scenario_id,
                "kind": item.kind,
                "fix": item.fix,
                "right": item.right,
                "share": ruling.share,
                "agrees": ruling.agrees,
                "sent_back": ruling.sent_back,
            }
            known[row["name"]] = row
            journal.write(json.dumps(row) + "\n")
            journal.flush()
            if not ruling.agrees:
                print(f"{row['fault']} on {row['project']}, {item.kind}: {ruling.share} {ruling.sent_back}", flush=True)
    figures = summary([known[name_of(item)] for item in todo if name_of(item) in known])
    MEASURED.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    print({key: value for key, value in figures.items() if key != "disagreements"})


if __name__ == "__main__":
    main()
