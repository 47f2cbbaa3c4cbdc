"""What fix trials cost the other sessions of a server: step latency without and with trials in flight.

    python benchmarks/trials_beside_steps.py --trials 8 --sessions 16

Starts `mlops-debugger serve` as a process of its own, warms its trainers up, and lets `--sessions` sessions step, each
with a pause of `--pause` seconds between two steps. Blocks without trials and blocks with `--trials` trials in flight
(real ones: the gold fixes of different scenarios, so that nothing is cached) alternate, so that whatever else the
machine does meets both alike. Latency is what the client sees, from send to reply. The client shares the machine's
cores with server and trainers.

The promise: the median at most doubles.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.environment import Selector
from mlops_debugger.openenv.trials import TRIAL_NICE

READS = ("read_config", "read_logs", "check_dataset_stats", "inspect_preprocessing", "read_eval_results")


async def ask(connection: ClientConnection, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    await connection.send(json.dumps({"type": kind, "data": data}))
    reply: dict[str, Any] = json.loads(await connection.recv())
    if reply["type"] == "error":
        raise RuntimeError(reply["data"])
    return reply["data"]


def fixes() -> Iterator[tuple[int, dict[str, Any]]]:
    """(seed, right diagnosis) of ever other scenarios whose fault sits in the config."""
    bank = Bank(starter_bank_path())
    selector, seen = Selector(bank), set()
    for seed in itertools.count():
        name = selector.select(seed=seed)
        scenario = bank.get(name)
        if name in seen or scenario.is_control or scenario.answers[0].file != "config.yaml":
            continue
        seen.add(name)
        answer = scenario.answers[0]
        yield (
            seed,
            {
                "action_type": "submit_diagnosis",
                "failure_category": answer.categories[0],
                "root_cause_file": answer.file,
                "root_cause_field": answer.field,
                "proposed_fix": scenario.gold_fix,
                "diagnosis": "the gold fix",
            },
        )


async def try_fixes(
    url: str, found: Iterator[tuple[int, dict[str, Any]]], stop: asyncio.Event, done: list[float]
) -> None:
    """One trial after the other in one session, until told to stop."""
    async with connect(url, max_size=None, ping_interval=None) as connection:
        while not stop.is_set():
            seed, diagnosis = next(found)
            await ask(connection, "reset", {"seed": seed})
            started = time.perf_counter()
            answer = await ask(connection, "step", diagnosis)
            if answer["observation"]["metadata"].get("unscored"):
                print(f"a trial was left unscored: {answer['observation']['messages']}", flush=True)
            done.append(time.perf_counter() - started)


async def step_for(connections: list[ClientConnection], seconds: float, pause: float) -> list[float]:
    """Latencies in seconds of sessions that step until the time is over."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def play(number: int, connection: ClientConnection) -> None:
        await asyncio.sleep(pause * number / len(connections))
        for turn in itertools.count():
            if turn % 25 == 0:
                await ask(connection, "reset", {"seed": number})
            started = time.perf_counter()
            if started > end:
                return
            await ask(connection, "step", {"action_type": READS[turn % len(READS)]})
            latencies.append(time.perf_counter() - started)
            await asyncio.sleep(pause)

    await asyncio.gather(*(play(number, connection) for number, connection in enumerate(connections)))
    return latencies


def figures(name: str, latencies: list[float]) -> dict[str, float]:
    ordered = sorted(latencies)
    told = {
        "steps": len(ordered),
        "median_ms": 1000 * statistics.median(ordered),
        "p90_ms": 1000 * ordered[int(0.9 * len(ordered))],
        "p99_ms": 1000 * ordered[int(0.99 * len(ordered))],
    }
    print(f"{name:16s}" + "".join(f"{key} {value:9.3f}   " for key, value in told.items()), flush=True)
    return told


async def measure(url: str, arguments: argparse.Namespace) -> dict[str, Any]:
    found = fixes()
    quiet: list[float] = []
    busy: list[float] = []
    trials: list[float] = []
    connections = [await connect(url, max_size=None, ping_interval=None) for _ in range(arguments.sessions)]
    # One trial on every trainer first: it starts them.
    warm: list[float] = []
    started = time.perf_counter()
    for _ in range(5):
        scored = await asyncio.gather(*(_one(url, found, warm) for _ in range(arguments.trials)))
        if all(scored):
            break
    print(f"{arguments.trials} trainers warm after {time.perf_counter() - started:.0f} s", flush=True)
    for _ in range(arguments.blocks):
        quiet += await step_for(connections, arguments.seconds, arguments.pause)
        stop = asyncio.Event()
        running = [asyncio.ensure_future(try_fixes(url, found, stop, trials)) for _ in range(arguments.trials)]
        await asyncio.sleep(0.5)
        busy += await step_for(connections, arguments.seconds, arguments.pause)
        stop.set()
        await asyncio.gather(*running)
    for connection in connections:
        await connection.close()
    result = {"without": figures("without trials", quiet), "with": figures(f"with {arguments.trials} trials", busy)}
    ratio = result["with"]["median_ms"] / result["without"]["median_ms"]
    print(f"median × {ratio:.2f}; {len(trials)} trials, median {statistics.median(trials):.1f} s")
    return {**result, "ratio": ratio, "trials": len(trials), "trial_median_s": statistics.median(trials)}


async def _one(url: str, found: Iterator[tuple[int, dict[str, Any]]], done: list[float]) -> bool:
    """Whether the trial could be carried out: on a busy machine a trainer may take too long to start."""
    seed, diagnosis = next(found)
    async with connect(url, max_size=None, ping_interval=None) as connection:
        await ask(connection, "reset", {"seed": seed})
        started = time.perf_counter()
        answer = await ask(connection, "step", diagnosis)
        done.append(time.perf_counter() - started)
        return not answer["observation"]["metadata"].get("unscored")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--sessions", type=int, default=16)
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between two steps of a session")
    parser.add_argument("--nice", type=int, default=TRIAL_NICE, help="how far the trainers stand back")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from mlops_debugger.cli import app; app()", "serve", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--trial-workers", str(arguments.trials), "--trial-nice", str(arguments.nice)], env=dict(os.environ)
    ) as server:
        try:
            wait_for(f"http://127.0.0.1:{port}/health")
            result = asyncio.run(measure(f"ws://127.0.0.1:{port}/ws", arguments))
        finally:
            server.terminate()
    if arguments.json:
        print(json.dumps(result))


def wait_for(url: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310
                return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    main()
