"""Equivalent fixes and wrong ones, run for real: which right ones are accepted, which wrong ones are not.

python benchmarks/equivalence.py [--only FAULT] [--limit N] [--bank N] [--summary]

    --bank: N wrong fixes, too, of every broken run of the bank, drawn by its id from all that can be made
    --summary: run nothing, write the figures of what was run before

Reads benchmarks/equivalent_fixes.yaml and the starter bank; appends every ruling to reports/equivalence.jsonl (the same
command resumes) and writes benchmarks/equivalence.json: shares, and every disagreement with what was measured.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.progress import track

from mlops_debugger.bank import Bank, Scenario, starter_bank_path
from mlops_debugger.evaluation.equivalence import OwnTrials, Proposal, judge, right_fixes
from mlops_debugger.evaluation.wrong import wrong_fixes
from mlops_debugger.seeds import derive

HERE = Path(__file__).resolve().parent
TABLE = HERE / "equivalent_fixes.yaml"
MEASURED = HERE / "equivalence.json"
RULINGS = Path("reports/equivalence.jsonl")


def broken_runs(bank: Bank) -> dict[str, list[Scenario]]:
    """By project: a scenario's relatives, whose gold fixes are those of look-alikes."""
    found: dict[str, list[Scenario]] = defaultdict(list)
    for scenario in bank.scenarios():
        if scenario.fault:
            found[scenario.project].append(scenario)
    return found


def of_the_table(
    bank: Bank, broken: Mapping[str, Sequence[Scenario]], only: str | None, limit: int | None
) -> list[Proposal]:
    """Right and wrong fixes of every entry, the right ones first."""
    table = yaml.safe_load(TABLE.read_text("utf-8"))
    chosen = [entry for entry in table if only in (None, entry["fault"])][:limit]
    found = []
    for right in right_fixes(chosen, bank):
        scenario = right[0].scenario
        found += [*right, *wrong_fixes(scenario, broken[scenario.project])]
    return sorted(found, key=lambda item: not item.right)


def of_the_bank(broken: Mapping[str, Sequence[Scenario]], count: int) -> Iterator[Proposal]:
    """So many wrong fixes of every broken run, drawn by its id."""
    for relatives in broken.values():
        for scenario in relatives:
            made = wrong_fixes(scenario, relatives)
            made.sort(key=lambda item: derive("wrong fix", item.scenario.scenario_id, item.kind, item.fix))
            yield from made[:count]


def name_of(proposal: Proposal) -> str:
    content = f"{proposal.scenario.scenario_id}\0{proposal.kind}\0{proposal.fix}"
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def summary(rows: list[dict[str, Any]], drawn: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of benchmarks/equivalence.json: of the table's entries, and of what was drawn from the bank."""
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
        "drawn": len(drawn),
        "drawn_scenarios": len({row["scenario"] for row in drawn}),
        "drawn_kinds": dict(Counter(row["kind"] for row in drawn).most_common()),
        "drawn_at_half_or_more": sum(row["share"] >= 0.5 for row in drawn),
        "drawn_accepted": sum(row["share"] == 1.0 for row in drawn),
        "disagreements": [row for row in (*rows, *drawn) if not row["agrees"]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--bank", type=int, default=0, metavar="N")
    parser.add_argument("--summary", action="store_true")
    options = parser.parse_args()
    bank = Bank(starter_bank_path())
    broken = broken_runs(bank)
    listed = of_the_table(bank, broken, options.only, options.limit)
    names = {name_of(item) for item in listed}
    drawn = [item for item in of_the_bank(broken, options.bank) if name_of(item) not in names]
    RULINGS.parent.mkdir(parents=True, exist_ok=True)
    lines = RULINGS.read_text("utf-8").splitlines() if RULINGS.is_file() else []
    known = {row["name"]: row for row in map(json.loads, lines)}
    run = [] if options.summary else [*listed, *drawn]
    with OwnTrials() as trials, RULINGS.open("a", encoding="utf-8") as journal:
        for item in track(run, description="fixes"):
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
    figures = summary(
        [known[name_of(item)] for item in listed if name_of(item) in known],
        [known[name_of(item)] for item in drawn if name_of(item) in known],
    )
    MEASURED.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    print({key: value for key, value in figures.items() if key != "disagreements"})


if __name__ == "__main__":
    main()
