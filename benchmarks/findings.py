"""Do the starter bank's runs still write, and the checks say of them, what the bank says? And the checks' CPU seconds.

python benchmarks/findings.py [EVERY [FROM]]

Trains both twins of every EVERYth scenario again, on the scenario's own seed, and looks at them as a forge does.
"""

from __future__ import annotations

import sys
import time

from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.forge.carry import planted_again
from mlops_debugger.forge.healthy import run_artifacts, view_of
from mlops_debugger.forge.prove import Prover
from mlops_debugger.forge.unit import look
from mlops_debugger.runs.pool import TrainerPool


def main() -> None:
    every, first = (int(sys.argv[at]) if len(sys.argv) > at else default for at, default in ((1, 10), (2, 0)))
    order = sorted(Bank(starter_bank_path()).scenarios(), key=lambda s: (s.project, s.fault or "", s.scenario_id))
    chosen = order[first::every]
    runs, rewritten, different, spent = 0, 0, 0, 0.0
    with TrainerPool(1) as pool:
        for scenario in chosen:
            planted = planted_again(scenario)
            if planted is None:
                print(f"{scenario.scenario_id}: planted otherwise now")
                different += 1
                continue
            prover = Prover(planted, scenario.run_seeds, scenario.run_id, scenario.started_at, pool)
            twins = [(planted.broken, scenario.artifacts, scenario.findings)]
            if scenario.fault:
                twins.insert(0, (planted.healthy, scenario.twin_artifacts, scenario.twin_findings))
            for sources, written, expected in twins:
                result, _ = prover.train(sources, 0)
                artifacts = run_artifacts(planted, dict(sources), prover.data[0], result)
                view = view_of(artifacts, result)
                started = time.process_time()
                found = look(view)
                spent += time.process_time() - started
                runs += 1
                if others := [name for name, text in artifacts.items() if text != written[name]]:
                    rewritten += 1
                    print(f"{scenario.scenario_id} ({scenario.project}, {scenario.fault}): {', '.join(others)}")
                unlike = [name for name, finding in found.items() if finding != expected[name]]
                if unlike:
                    different += 1
                    print(f"{scenario.scenario_id} ({scenario.project}, {scenario.fault}): {', '.join(unlike)}")
    print(
        f"{runs} runs of {len(chosen)} scenarios, {rewritten} with other artifacts, {different} with other findings; {spent / runs:.2f} CPU s a run"
    )


if __name__ == "__main__":
    main()
