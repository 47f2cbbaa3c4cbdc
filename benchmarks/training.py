"""Pairs of runs trained a core-minute, and the CPU seconds of one run, by project.

python benchmarks/training.py [PAIRS]
"""

from __future__ import annotations

import statistics
import sys
import time

from mlops_debugger.forge.plant import variation_of
from mlops_debugger.projects import projects
from mlops_debugger.runs.pool import TrainerPool
from mlops_debugger.runs.workspace import render


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with TrainerPool(1) as pool:
        first = projects()["loan_outcomes"]
        pool.run(
            render(first, variation_of(first, 0)),
            first.generate(0, variation_of(first, 0).data),
            run_id="run-0",
            started_at="2026-02-02T08:00:00",
        )
        everything: list[float] = []
        for name, project in projects().items():
            wall, cpu = [], []
            for seed in range(pairs):
                variation = variation_of(project, seed)
                start, own = time.perf_counter(), time.process_time()
                data = project.generate(seed, variation.data)
                spent = 0.0
                for _ in range(2):
                    spent += pool.run(
                        render(project, variation), data, run_id="run-0", started_at="2026-02-02T08:00:00"
                    ).cpu
                wall.append(time.perf_counter() - start)
                cpu.append(spent + time.process_time() - own)
            everything += cpu
            median = statistics.median(cpu)
            print(
                f"{name}: {median / 2:.2f} CPU s a run, {60 / median:.0f} pairs a core-minute (wall {statistics.median(wall):.2f} s a pair)"
            )
        print(f"all: {60 / statistics.mean(everything):.1f} pairs a core-minute")


if __name__ == "__main__":
    main()
