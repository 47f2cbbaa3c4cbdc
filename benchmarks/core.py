"""The playing core: import time and memory, resets and steps per CPU second, reads of the bank.

python benchmarks/core.py
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.contract import MLOpsAction
from mlops_debugger.environment import Session

IMPORT = (
    "import resource, time; t = time.process_time(); import mlops_debugger.environment;"
    "print(time.process_time() - t, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
)
ACTIONS = (
    MLOpsAction(action_type="read_config"),
    MLOpsAction(action_type="read_logs", log_filter="epoch:1-3"),
    MLOpsAction(action_type="run_sanity_check", sanity_check_type="loss_trajectory"),
    MLOpsAction(action_type="query_artifact", artifact_name="eval_results.json", field_path="test.n"),
    MLOpsAction(action_type="read_eval_results"),
)


def main() -> None:
    seconds, megabytes = subprocess.run(
        [sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True
    ).stdout.split()
    print(f"import of the playing core: {float(seconds):.2f} CPU s, {float(megabytes):.0f} MB")
    bank = Bank(starter_bank_path())
    session = Session(bank)
    start, resets = time.process_time(), 0
    while time.process_time() - start < 3.0:
        session.reset(seed=resets, task_id="mixed")
        resets += 1
    print(f"resets: {resets / (time.process_time() - start):,.0f} a CPU second")
    start, steps = time.process_time(), 0
    while time.process_time() - start < 3.0:
        session.reset(seed=steps, task_id="mixed")
        for index in range(25):
            session.step(ACTIONS[index % len(ACTIONS)])
            steps += 1
    print(f"steps (a reset every 25): {steps / (time.process_time() - start):,.0f} a CPU second")
    print(f"bank: {starter_bank_path().stat().st_size / len(bank):.0f} bytes a scenario, {len(bank)} scenarios")
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
