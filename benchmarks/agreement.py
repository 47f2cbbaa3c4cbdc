"""Would other hidden seeds have said the same? Verdicts on two pairs of them, and how often they agree.

python benchmarks/agreement.py [--wrong N] [--limit N] [--summary]

    --wrong N: wrong fixes of every scenario, drawn by name; 6 by default
    --limit N: entries of benchmarks/equivalent_fixes.yaml
    --summary: run nothing, write the figures of what was run before

Plays the right fixes of benchmarks/equivalent_fixes.yaml and wrong ones of the same scenarios. The scenario's own seed is
part of either verdict; for the second one, both twins are trained on two seeds that no bank has. Appends every
proposal to reports/agreement.jsonl (the same command resumes) and writes benchmarks/agreement.json.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path
from typing import Any

from equivalence import name_of, proposals
from scipy.stats import binomtest

from mlops_debugger.bank import Bank, Figures, Scenario, SeedProof, starter_bank_path
from mlops_debugger.edits import CODE, CONFIG
from mlops_debugger.errors import EditError
from mlops_debugger.evaluation.equivalence import Proposal
from mlops_debugger.grading import Diagnosis, TrialRequest, TrialResult, prepare
from mlops_debugger.grading.rubric import fix_worth, seed_verdict
from mlops_debugger.grading.trial import run_once
from mlops_debugger.runs.measure import harm
from mlops_debugger.runs.pool import Limits, TrainerPool
from mlops_debugger.seeds import derive

HERE = Path(__file__).resolve().parent
MEASURED = HERE / "agreement.json"
JOURNAL = Path("reports/agreement.jsonl")


def with_other_seeds(scenario: Scenario, pool: TrainerPool) -> Scenario:
    """The scenario with two new hidden seeds, and what both twins do on them."""
    own = scenario.run_seeds[0]
    seeds = (own, *(derive("agreement", scenario.scenario_id, k) for k in (1, 2)))
    moved = scenario.model_copy(update={"run_seeds": seeds})
    proofs = [scenario.proofs[0]]
    for index in (1, 2):
        healthy, broken = (
            run_once(moved, texts[CONFIG], texts[CODE], index, pool)
            for texts in (scenario.twin_artifacts, scenario.artifacts)
        )
        proofs.append(SeedProof(healthy=healthy, broken=broken, harm=harm(broken, healthy)))
    return moved.model_copy(update={"proofs": tuple(proofs)})


def share(scenario: Scenario, request: TrialRequest, first: Figures, pool: TrainerPool) -> float:
    """The fix row's share with this scenario's hidden seeds; its own seed gave `first` already."""
    figures = [first]
    for index in (1, 2):
        if seed_verdict(figures[-1], scenario.proofs[index - 1], scenario.sigma) == 0.0:
            break
        figures.append(run_once(scenario, request.config, request.code, index, pool))
    return fix_worth(scenario, TrialResult("completed", tuple(figures), "", request.touches))


def compared(item: Proposal, moved: Scenario, pool: TrainerPool) -> dict[str, Any]:
    """One proposal under both pairs of hidden seeds."""
    request = prepare(item.scenario, Diagnosis(None, None, None, item.fix))
    if request is None or request.touches == 0:
        return {"shares": [0.0, 0.0], "decided_by": "nothing changed"}
    first = run_once(item.scenario, request.config, request.code, 0, pool)
    shares = [share(scenario, request, first, pool) for scenario in (item.scenario, moved)]
    early = seed_verdict(first, item.scenario.proofs[0], item.scenario.sigma) == 0.0
    return {"shares": shares, "decided_by": "own seed" if early else "hidden seeds"}


def drawn(todo: list[Proposal], wrong: int) -> list[Proposal]:
    """All right ones and `wrong` of the wrong ones of every scenario, those that are sent back unread left out."""
    chosen: list[Proposal] = []
    taken: dict[str, int] = {}
    for item in sorted(todo, key=lambda item: (not item.right, name_of(item))):
        count = taken.get(item.scenario.scenario_id, 0)
        if not item.right and (count >= wrong or not _readable(item)):
            continue
        taken[item.scenario.scenario_id] = count + (not item.right)
        chosen.append(item)
    return sorted(chosen, key=lambda item: item.scenario.scenario_id)


def _readable(item: Proposal) -> bool:
    try:
        prepare(item.scenario, Diagnosis(None, None, None, item.fix))
    except EditError:
        return False
    return True


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of benchmarks/agreement.json; a verdict is whether the fix row is right, half right or wrong."""
    same = [row["shares"][0] == row["shares"][1] for row in rows]
    hidden = [row for row in rows if row["decided_by"] == "hidden seeds"]
    low, high = binomtest(sum(same), len(same)).proportion_ci(method="exact")
    return {
        "measured": dt.datetime.now(dt.UTC).date().isoformat(),
        "proposals": len(rows),
        "right": sum(row["right"] for row in rows),
        "scenarios": len({row["scenario"] for row in rows}),
        "same": sum(same),
        "interval": [round(low, 4), round(high, 4)],
        "decided_by_hidden_seeds": len(hidden),
        "same_of_these": sum(row["shares"][0] == row["shares"][1] for row in hidden),
        "differences": [row for row in rows if row["shares"][0] != row["shares"][1]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wrong", type=int, default=6)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--summary", action="store_true")
    options = parser.parse_args()
    todo = drawn(proposals(Bank(starter_bank_path()), None, options.limit), options.wrong)
    JOURNAL.parent.mkdir(parents=True, exist_ok=True)
    lines = JOURNAL.read_text("utf-8").splitlines() if JOURNAL.is_file() else []
    known = {row["name"]: row for row in map(json.loads, lines)}
    moved: dict[str, Scenario] = {}
    with TrainerPool(1, Limits(seconds=300.0)) as pool, JOURNAL.open("a", encoding="utf-8") as journal:
        for item in [] if options.summary else todo:
            if name_of(item) in known:
                continue
            key = item.scenario.scenario_id
            if key not in moved:
                moved = {key: with_other_seeds(item.scenario, pool)}
            row = {
                "name": name_of(item),
                "fault": item.scenario.fault,
                "project": item.scenario.project,
                "scenario": key,
                "kind": item.kind,
                "fix": item.fix,
                "right": item.right,
                **compared(item, moved[key], pool),
            }
            known[row["name"]] = row
            journal.write(json.dumps(row) + "\n")
            journal.flush()
            if row["shares"][0] != row["shares"][1]:
                print(f"{row['fault']} on {row['project']}, {row['kind']}: {row['shares']}", flush=True)
    figures = summary([known[name_of(item)] for item in todo if name_of(item) in known])
    MEASURED.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    print({name: value for name, value in figures.items() if name != "differences"})


if __name__ == "__main__":
    main()
