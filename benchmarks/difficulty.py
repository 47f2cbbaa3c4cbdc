"""What difficulty correlates with: agents play the starter bank, classifiers guess; docs/difficulty.md is drawn from it.

python benchmarks/difficulty.py [--train N]
    --train N: `rules` also has its fixes run, on the faults of validation and test and the first N of train (20 minutes)

Writes benchmarks/difficulty.json; `python benchmarks/bank_report.py` makes the page. Without training a score has the
rows category, file and field alone. Episodes are kept below reports/difficulty: the same command resumes.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
from pages.difficulty import MEASURED

from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.contract import ARTIFACTS, SANITY_CHECKS
from mlops_debugger.environment.driver import Trainer
from mlops_debugger.evaluation import Plan, Room, Transcript, evaluate
from mlops_debugger.evaluation.artifact_probe import artifact_probe
from mlops_debugger.grading import Trials

REPORTS = Path("reports/difficulty")


def played(bank: Bank, plans: list[Plan], trainer: Trainer | None, name: str) -> dict[str, list[float]]:
    """Scenario id → score and steps."""
    ids = {scenario.run_id: scenario.scenario_id for scenario in bank.scenarios()}
    room = Room(bank=bank, trainer=trainer)

    def silent(_: Transcript, __: int) -> None:
        pass

    found: dict[str, list[float]] = {}
    for plan in plans:
        for item in evaluate(plan, room, REPORTS / name, silent):
            found[ids[item.run_id]] = [item.score, item.steps]
        print(f"{name} on {plan.split}: {len(found)} episodes", flush=True)
    return dict(sorted(found.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int)
    train: int | None = parser.parse_args().train
    bank = Bank(starter_bank_path())
    splits = ("train", "validation", "test")
    agents: dict[str, Any] = {
        "rules": played(bank, [Plan("rules", split=split) for split in splits], None, "rules-dry"),
        "nearest_neighbour": played(
            bank, [Plan("nearest_neighbour", split=split) for split in splits[1:]], None, "nn-dry"
        ),
    }
    if train is not None:
        plans = [Plan("rules", split=split, controls=False) for split in splits[1:]]
        plans += [Plan("rules", split="train", episodes=train, controls=False)] if train else []
        with Trials(workers=1, allow_code=True) as trials:
            agents["rules, fixes run"] = played(bank, plans, trials.run, "rules")
    guessed = artifact_probe(list(bank.scenarios()), (*ARTIFACTS, *SANITY_CHECKS))
    right = np.mean(list(guessed.right.values()), axis=0)
    agents["classifiers"] = {
        item.scenario_id: [round(float(share), 4), 0] for item, share in zip(guessed.tested, right, strict=True)
    }
    measured = {"measured": dt.datetime.now(dt.UTC).date().isoformat(), "agents": agents}
    MEASURED.write_text(json.dumps(measured, indent=None, separators=(",", ":")) + "\n", "utf-8")
    print(f"written to {MEASURED}; now: python benchmarks/bank_report.py")


if __name__ == "__main__":
    main()
