"""What serving costs, beside the least that an OpenEnv environment can cost, and what playing in process costs.

    python benchmarks/serving.py [--sessions 1 64 256] [--rounds 5] [--steps 4000]     a table and serving.json
    python benchmarks/serving.py --soak 100000                                         the server's memory, too

Ours and the trivial environment (see `servers`) run side by side and take turns, so that what else the machine does
falls on both. CPU is the server process's own user and system time; latency is what a client waits, and holds the
client's own work and the queue of the other sessions. An episode is a reset by seed, drawn from the train split, and 25
steps of every kind, two of them mistakes. Everything is measured in steady state, after every scenario of the split was
opened once; what that first time costs is a figure of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from servers import Server, running
from websockets.asyncio.client import ClientConnection, connect

from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.contract import SANITY_CHECKS, MLOpsAction
from mlops_debugger.environment import Selector, Session, read_action

OUT = Path(__file__).with_suffix(".json")
TARGETS = {"cpu": 1.15, "p99": 1.25, "steps": 50_000, "resets": 5_000, "import_s": 0.5, "import_mb": 80, "growth": 0.02}
IMPORT = (
    "import resource, time; t = time.process_time(); import mlops_debugger.environment as e;"
    "from mlops_debugger.bank import Bank, starter_bank_path; Bank(starter_bank_path());"
    "print(time.process_time() - t, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
)
SCRIPT: tuple[dict[str, str], ...] = (
    {"action_type": "read_config"},
    {"action_type": "read_logs"},
    {"action_type": "read_logs", "log_filter": "epoch:1-3"},
    {"action_type": "read_logs", "log_filter": "warning"},
    {"action_type": "check_dataset_stats"},
    {"action_type": "inspect_preprocessing"},
    {"action_type": "read_eval_results"},
    *({"action_type": "run_sanity_check", "sanity_check_type": check} for check in SANITY_CHECKS),
    {"action_type": "query_artifact", "artifact_name": "config.yaml", "field_path": "optimizer.learning_rate"},
    {"action_type": "query_artifact", "artifact_name": "eval_results.json", "field_path": "test.n"},
    {"action_type": "query_artifact", "artifact_name": "train.log", "field_path": "val_loss"},
    {"action_type": "query_artifact", "artifact_name": "train.log", "field_path": "epoch.2"},
    {"action_type": "query_artifact", "artifact_name": "dataset_stats.json", "field_path": "splits.train"},
    {"action_type": "query_artifact", "artifact_name": "model_card.json"},
    {"action_type": "query_artifact", "artifact_name": "preprocessing.py", "field_path": "read_rows"},
    {"action_type": "read_config"},
    {"action_type": "run_sanity_check", "sanity_check_type": "vibes"},
    {"action_type": "query_artifact", "artifact_name": "eval_results.json", "field_path": "tset.n"},
)
STEPS = tuple(json.dumps({"type": "step", "data": action}) for action in SCRIPT)


def reset(seed: int) -> str:
    return json.dumps({"type": "reset", "data": {"seed": seed}})


async def episode(socket: ClientConnection, opening: str, latencies: list[float]) -> None:
    await socket.send(opening)
    await socket.recv()
    for text in STEPS:
        start = time.perf_counter()
        await socket.send(text)
        await socket.recv()
        latencies.append(time.perf_counter() - start)


async def load(server: Server, sessions: int, episodes: int, seed: int) -> dict[str, float]:
    """Play `episodes` in each of so many sessions at once: microseconds of CPU a step, and the latencies of steps."""
    sockets = [await connect(server.web_socket, compression=None, max_size=None) for _ in range(sessions)]
    latencies: list[float] = []

    async def play(number: int) -> None:
        for turn in range(episodes):
            await episode(sockets[number], reset(seed + number * episodes + turn), latencies)

    try:
        before, start = server.cpu_seconds(), time.perf_counter()
        await asyncio.gather(*(play(number) for number in range(sessions)))
        cpu, wall = server.cpu_seconds() - before, time.perf_counter() - start
    finally:
        await asyncio.gather(*(socket.close() for socket in sockets))
    latencies.sort()
    steps = len(latencies)
    return {
        "cpu_us": cpu / steps * 1e6,
        "p50_ms": latencies[steps // 2] * 1e3,
        "p99_ms": latencies[int(steps * 0.99)] * 1e3,
        "steps_per_s": steps / wall,
    }


async def open_all(server: Server) -> float:
    """Play every scenario of the train split once; microseconds of CPU a step."""
    latencies: list[float] = []
    count = len(Selector(Bank(starter_bank_path())).pool(task_id="mixed", split="train"))
    async with connect(server.web_socket, compression=None, max_size=None) as socket:
        before = server.cpu_seconds()
        for index in range(count):
            data = {"split": "train", "index": index}
            await episode(socket, json.dumps({"type": "reset", "data": data}), latencies)
        return (server.cpu_seconds() - before) / len(latencies) * 1e6


def serving(sessions: Sequence[int], rounds: int, steps: int, soak: int) -> dict[str, Any]:
    """Ours and trivial, in turn, at each number of sessions."""
    episodes_played = recorded(100)
    sizes = [len(json.dumps(observation)) for episode in episodes_played for observation in episode]
    found: dict[str, Any] = {"observation_bytes": round(statistics.fmean(sizes)), "load": {}}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder) / "episodes.json"
        path.write_text(json.dumps(episodes_played))
        servers = [stack.enter_context(running("ours")), stack.enter_context(running("trivial", str(path)))]
        found["first_time_cpu_us"] = {server.name: asyncio.run(open_all(server)) for server in servers}
        for count in sessions:
            episodes = max(1, round(steps / len(STEPS) / count))
            measured: dict[str, list[dict[str, float]]] = {server.name: [] for server in servers}
            for turn in range(rounds):
                for server in servers if turn % 2 == 0 else servers[::-1]:
                    measured[server.name].append(asyncio.run(load(server, count, episodes, turn * 100_000)))
            found["load"][count] = _compared(measured)
        if soak:
            found["soak"] = asyncio.run(soaked(servers[0], soak))
    return found


def recorded(count: int) -> list[list[dict[str, Any]]]:
    """The observations of so many episodes of the script, the reset's first: what the trivial environment sends."""
    session = Session(Bank(starter_bank_path()))
    episodes = []
    for seed in range(count):
        played = [session.reset(seed=seed)]
        for action in SCRIPT:
            read = read_action(action)
            played.append(session.reject(read) if isinstance(read, str) else session.step(read))
        episodes.append([observation.model_dump(mode="json") for observation in played])
    return episodes


def _compared(measured: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Medians over the rounds, and the median of the rounds' ratios (each of two neighbours in time)."""
    names = measured["ours"][0]
    result: dict[str, Any] = {
        server: {name: statistics.median(turn[name] for turn in turns) for name in names}
        for server, turns in measured.items()
    }
    pairs = list(zip(measured["ours"], measured["trivial"], strict=True))
    result["ratio"] = {name: statistics.median(ours[name] / other[name] for ours, other in pairs) for name in names}
    return result


async def soaked(server: Server, episodes: int, sessions: int = 32) -> dict[str, Any]:
    """The server's memory over so many whole episodes; connections are opened anew after every hundred.

    Growth is between the means of the second and of the last tenth: the first one fills what is kept by design.
    """
    played, samples = 0, [server.resident_bytes()]
    short = [*STEPS[:3], json.dumps({"type": "step", "data": {"action_type": "submit_diagnosis", "diagnosis": "none"}})]

    async def play(first: int) -> None:
        nonlocal played
        for block in range(first, episodes, 100 * sessions):
            async with connect(server.web_socket, compression=None, max_size=None) as socket:
                for number in range(block, min(block + 100, episodes)):
                    for text in (reset(number), *short):
                        await socket.send(text)
                        last = await socket.recv()
                    if not json.loads(last)["data"]["done"]:
                        raise RuntimeError(f"expected a finished episode, found {last[:300]!r}")
                    played += 1
                    if played % max(1, episodes // 200) == 0:
                        samples.append(server.resident_bytes())

    await asyncio.gather(*(play(100 * number) for number in range(sessions)))
    tenth = len(samples) // 10
    second, last = statistics.fmean(samples[tenth : 2 * tenth]), statistics.fmean(samples[-tenth:])
    return {
        "episodes": played,
        "start_mb": samples[0] / 2**20,
        "second_tenth_mb": second / 2**20,
        "last_tenth_mb": last / 2**20,
        "growth": last / second - 1,
        "left": server.counts(),
    }


def in_process() -> dict[str, float]:
    """Import of the playing core with the bank opened; resets and steps a CPU second, first time and steady."""
    command = [sys.executable, "-c", IMPORT]
    runs = [subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() for _ in range(3)]
    session = Session(Bank(starter_bank_path()))
    actions = [read for action in SCRIPT if isinstance(read := read_action(action), MLOpsAction)]
    clock = time.process_time

    def resets(count: int) -> float:
        start = clock()
        for seed in range(count):
            session.reset(seed=seed)
        return count / (clock() - start)

    def steps(count: int, first: int = 0) -> float:
        """Steps a second without their resets."""
        spent = 0.0
        for seed in range(first, first + count):
            session.reset(seed=seed)
            start = clock()
            for action in actions:
                session.step(action)
            spent += clock() - start
        return count * len(actions) / spent

    found = {"first_resets_per_cpu_s": resets(200), "first_steps_per_cpu_s": steps(200)}
    steps(4000)
    return {
        "import_cpu_s": min(float(seconds) for seconds, _ in runs),
        "import_mb": max(float(megabytes) for _, megabytes in runs),
        **found,
        "resets_per_cpu_s": resets(10_000),
        "steps_per_cpu_s": steps(2000),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def report(found: dict[str, Any]) -> None:
    core, net = found["in_process"], found["serving"]
    print(
        f"import and bank   {core['import_cpu_s']:.2f} CPU s (≤ {TARGETS['import_s']}), {core['import_mb']:.0f} MB (≤ 80)"
    )
    for what in ("resets", "steps"):
        first, steady = core[f"first_{what}_per_cpu_s"], core[f"{what}_per_cpu_s"]
        print(f"{what:<6} a CPU s    {steady:,.0f} (≥ {TARGETS[what]:,}); {first:,.0f} on scenarios seen first")
    first = net["first_time_cpu_us"]
    print(f"CPU µs a step, scenarios seen first: ours {first['ours']:.0f}, trivial {first['trivial']:.0f}")
    print(f"observations of {net['observation_bytes']} bytes; medians of rounds in turn")
    print("sessions       CPU µs a step            p50 ms           p99 ms        steps a s")
    for count, row in net["load"].items():
        mine, other, ratio = row["ours"], row["trivial"], row["ratio"]
        print(
            f"{count:>8}  {mine['cpu_us']:5.0f} / {other['cpu_us']:4.0f} = {ratio['cpu_us']:.3f} (≤ 1.15)"
            f"  {mine['p50_ms']:6.2f} / {other['p50_ms']:.2f}"
            f"  {mine['p99_ms']:6.2f} / {other['p99_ms']:.2f} = {ratio['p99_ms']:.3f} (≤ 1.25)  {mine['steps_per_s']:,.0f}"
        )
    if soak := net.get("soak"):
        print(
            f"soak: {soak['episodes']:,} episodes, {soak['second_tenth_mb']:.1f} MB → {soak['last_tenth_mb']:.1f} MB, "
            f"growth {soak['growth']:+.2%} (< 2 %); left over: {soak['left']}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, nargs="*", default=[1, 64, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4000, help="steps of each server in a round, about")
    parser.add_argument("--soak", type=int, default=0, metavar="EPISODES")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    started = time.strftime("%Y-%m-%d")
    found = {"date": started, "in_process": in_process()}
    found["serving"] = serving(options.sessions, options.rounds, options.steps, options.soak)
    report(found)
    options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
