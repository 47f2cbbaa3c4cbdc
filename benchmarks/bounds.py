"""The slowest inputs that a search finds: CPU time of one step, for log filters, dotted paths, fixes and messages.

    python benchmarks/bounds.py [--scenarios 12] [--seconds 60] [--seed 0]      a table and bounds.json

Every family of inputs is tried on the largest artifacts of the bank, as it is and grown, and the slowest ones are
changed further (pieces doubled, exchanged, glued) as long as the time lasts. What is measured is what the server does
on its event loop: reading the message, the step, and writing the answer; the training of a fix is not in it, its
parsing, applying and counting are. Each figure is the least of three repeats, so that it is the input's and not the
machine's, and without what is kept in memory from earlier answers.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mlops_debugger.bank import Bank, Scenario, starter_bank_path
from mlops_debugger.contract import ARTIFACTS, MLOpsAction
from mlops_debugger.environment import Session, artifacts, log, nearest, outline, read_action
from mlops_debugger.openenv.frames import MAX_BODY_BYTES, problem_of

OUT = Path(__file__).with_suffix(".json")
LIMIT_MS = 50.0
Input = dict[str, Any]
_CACHES = (
    artifacts._queried, artifacts._yaml_tree, artifacts._json_tree, log.parse_log, outline.outline, nearest._counted,
)  # fmt: skip


def cost_ms(session: Session, scenario: Scenario, given: Input, repeats: int = 3) -> float:
    """Milliseconds of CPU from the message's text to the answer's."""
    text = json.dumps({"type": "step", "data": given})
    if len(text) > MAX_BODY_BYTES:
        return 0.0
    best = float("inf")
    for _ in range(repeats):
        session.reset(scenario_id=scenario.scenario_id)
        for cache in _CACHES:
            cache.cache_clear()
        start = time.process_time()
        if problem_of(text) is None:
            read = read_action(json.loads(text)["data"])
            answer = session.step(read) if isinstance(read, MLOpsAction) else session.reject(read)
            answer.model_dump_json()
        best = min(best, time.process_time() - start)
        if best * 1e3 < 5:
            break
    return best * 1e3


def filters() -> list[str]:
    return [
        "a", "=", " ", "e" * 200, "0" * 200, "epoch:0-999999", "epoch:" + "1" * 190, "epoch:" + " " * 120_000 + "1", "\n",
        "İ" * 200, "ß" * 200, " " * 120_000, "epoch:1-" + "9" * 6, "é" * 199, "(a+)+$", "x" * 120_000,
    ]  # fmt: skip


def paths(scenario: Scenario) -> list[str]:
    names = [part for text in scenario.artifacts.values() for part in text.replace('"', " ").split()[:40]]
    return [
        ".".join("a" * 100), "." * 200, "a[0]" * 50, "[" * 200, "['" + "x" * 190 + "']", "metrics." * 24, "e" * 200,
        "epoch." * 33, "splits.train." * 15, "aeiou.rstln_" * 16, "a." * 60_000, "[0]" * 19_000, "$." * 100, "\ud800" * 200,
        *(name[:60] + "x" for name in names[:30]), *(f"metrics.{name[:60]}" for name in names[:20]),
    ]  # fmt: skip


def fixes(scenario: Scenario) -> list[str]:
    code, config = scenario.artifacts["preprocessing.py"], scenario.artifacts["config.yaml"]
    lines = [line for line in code.split("\n") if line.strip()]
    keys = [line.split(":")[0] for line in config.split("\n") if line and line[0] not in " #"]
    first = max(lines, key=lambda line: code.count(line))
    bombs = [
        "[" * 100 + "]" * 100,
        "{a: " * 60 + "1" + "}" * 60,
        "[" + "1," * 3_500 + "]",
        "&a [*a]",
        "9" * 7_000,
        "0x" + "f" * 7_000,
    ]
    anchors = "[&a [x,x,x,x,x,x,x,x,x], &b [*a,*a,*a,*a,*a,*a,*a,*a,*a], &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]]"
    nested = (
        "(" * 80 + "1" + ")" * 80,
        "[" * 150,
        "-" * 230 + "1",
        "x" + ".a" * 110,
        "lambda:" * 30 + "0",
        "9" * 230,
        "1" + "**9" * 70,
    )
    return [
        *(f"config.yaml: {key} = {value}" for key in ("a", keys[0]) for value in (*bombs, anchors)),
        "\n".join(f"config.yaml: a.b{number} = 1" for number in range(300)),
        "\n".join(f"config.yaml: {'x' * 150}.{number} = 1" for number in range(16)),
        "\n".join(f"config.yaml: {key}.zz = 1" for key in keys)[:8_000],
        "preprocessing.py:\n" + "\n".join(f"- {line}\n+ {line}" for line in lines)[:7_900],
        "preprocessing.py:\n" + f"- {first}\n+ {first} \n\n" * 200,
        "preprocessing.py:\n" + "\n".join(f" {line}" for line in lines[:60]) + "\n- nothing\n+ x = 1",
        "preprocessing.py:\n" + "\n \n".join(" x" for _ in range(1_500)) + "\n- x\n+ y",
        "preprocessing.py:\n" + "".join(f"- {'e' * 30}{number}\n" for number in range(240)),
        "preprocessing.py:\n- " + "ab" * 3_900,
        "--- a/preprocessing.py\n+++ b/preprocessing.py\n" + "@@ -1 +1 @@\n-a\n+b\n" * 450,
        "--- a/config.yaml\n+++ b/config.yaml\n@@ -1 +1 @@\n" + "".join(f" {line}\n" for line in config.split("\n"))[:6_000] + "-x\n+y",
        "x = 1\n" * 33_000, "\r" * 8_000, "```\n" * 2_000, " " * 8_000, "preprocessing.py:\n" + " \n" * 3_900 + "+x",
        *(f"preprocessing.py:\n- {lines[-1]}\n+ {lines[-1][: len(lines[-1]) - len(lines[-1].lstrip())]}{text}" for text in nested),
        *(f"preprocessing.py:\n- {lines[-1]}\n" + f"+ {text}\n" * 12 for text in nested),
        "config.yaml:\n" + "\n".join(f"- {line}\n+ {line} " for line in config.split("\n")[:16]),
        "config.yaml:\n- " + config.split("\n")[0] + "\n+ " + "[" * 90 + "]" * 90,
        "config.yaml:\n- " + config.split("\n")[0] + "\n+ " + "a: {" * 20 + "}" * 20,
        "config.yaml:\n- " + config.split("\n")[0] + "\n" + "".join(f"+ k{number}: [1, 2, 3]\n" for number in range(14)),
        "config.yaml:\n- " + config.split("\n")[0] + "\n+ k: [" + "1," * 3_800 + "]",
        "config.yaml:\n- " + config.split("\n")[0] + "\n+ k: {" + ",".join(f"a{number}: 1" for number in range(900)) + "}",
    ]  # fmt: skip


def fields() -> list[str]:
    return [
        "a" * 500, "(" * 500, "a(" * 250, "a(b)" * 120, "[" * 500, "a[:,]" * 100, "= " * 250, "a=" * 250, ">" * 500, " and " * 100,
        "a and " * 83, "x.[1]" * 100, "`'\"*" * 125, "::" * 250, "a[" * 250, "=[" * 250, "a" * 120_000, "\n" * 500, " " * 499 + "a",
    ]  # fmt: skip


def families(scenario: Scenario, gold: Input | None) -> dict[str, list[Input]]:
    """Inputs by what they attack; diagnoses differ from the right one in one field."""
    diagnosis = gold or {}
    return {
        "log filter": [{"action_type": "read_logs", "log_filter": text} for text in filters()],
        "dotted path": [
            {"action_type": "query_artifact", "artifact_name": name, "field_path": text}
            for name in ARTIFACTS
            for text in paths(scenario)
        ],
        "fix": [{**diagnosis, "proposed_fix": text} for text in fixes(scenario)] if gold else [],
        "field": [{**diagnosis, "root_cause_field": text} for text in fields()] if gold else [],
        "message": [
            {"action_type": "read_config", "metadata": value}
            for value in (
                {"a": [[]] * 19_990},
                {str(n): {} for n in range(9_000)},
                {"a": [0.1] * 25_000},
                {"a": "\\" * 60_000},
            )
        ]
        + [
            {str(number): 1 for number in range(9_000)},
            {"action_type": "x" * 130_000},
            {"action_type": [[]] * 19_990},
        ],
    }


def changed(draw: random.Random, given: Input) -> Input:
    """The input with its longest text changed: a piece doubled, dropped, or repeated many times."""
    texts = {
        key: value
        for key, value in given.items()
        if isinstance(value, str) and key not in ("action_type", "artifact_name")
    }
    if not texts:
        return given
    name = max(texts, key=lambda key: len(texts[key]))
    text = texts[name]
    first, last = sorted((draw.randrange(len(text) + 1), draw.randrange(len(text) + 1)))
    piece = text[first:last]
    grown = draw.choice(
        (text[:last] + piece + text[last:], text[:first] + text[last:], text[:last] + piece * 20 + text[last:])
    )
    caps: Sequence[int] = {
        "proposed_fix": (8_000,),
        "field_path": (200,),
        "log_filter": (200,),
        "root_cause_field": (500,),
    }.get(name, ())
    return {**given, name: grown[: draw.choice((*caps, 100_000))]}


def search(bank: Bank, scenarios: Sequence[Scenario], seconds: float, seed: int) -> dict[str, dict[str, Any]]:
    draw = random.Random(seed)
    session = Session(bank)
    found: dict[str, list[tuple[float, int, Input]]] = {}
    for number, scenario in enumerate(scenarios):
        for family, inputs in families(scenario, _gold(scenario)).items():
            rows = found.setdefault(family, [])
            rows += [(cost_ms(session, scenario, given), number, given) for given in inputs]
    tried = sum(map(len, found.values()))
    share: Callable[[], float] = lambda: time.process_time() + seconds / len(found)  # noqa: E731
    for rows in found.values():
        deadline = share()
        rows.sort(key=lambda row: row[0], reverse=True)
        del rows[12:]
        while time.process_time() < deadline and rows:
            _, number, given = draw.choice(rows)
            other = changed(draw, given)
            rows.append((cost_ms(session, scenarios[number], other), number, other))
            rows.sort(key=lambda row: row[0], reverse=True)
            del rows[12:]
            tried += 1
    result: dict[str, dict[str, Any]] = {}
    for family, rows in found.items():
        if rows:
            ms, number, given = rows[0]
            ms = min(ms, cost_ms(session, scenarios[number], given, repeats=7))
            result[family] = {"worst_ms": round(ms, 2), "input": json.dumps(given)[:400]}
    return {**result, "search": {"inputs": tried, "scenarios": len(scenarios)}}


def _gold(scenario: Scenario) -> Input | None:
    if not scenario.answers:
        return None
    answer = scenario.answers[0]
    return {
        "action_type": "submit_diagnosis",
        "failure_category": answer.categories[0],
        "root_cause_file": answer.file,
        "root_cause_field": answer.field,
        "diagnosis": scenario.sentence,
        "proposed_fix": scenario.gold_fix,
    }


def largest(bank: Bank, count: int) -> list[Scenario]:
    """For each of some artifacts the scenarios where it is largest, without controls: those run no fix."""
    faulty = [scenario for scenario in bank.scenarios() if not scenario.is_control]
    chosen: dict[str, Scenario] = {}
    for place in range(count):
        name = ARTIFACTS[place % len(ARTIFACTS)]
        ranked = sorted(faulty, key=lambda item: len(item.artifacts.get(name, "")), reverse=True)
        scenario = next(item for item in ranked if item.scenario_id not in chosen)
        chosen[scenario.scenario_id] = scenario
    return list(chosen.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    bank = Bank(starter_bank_path())
    found = search(bank, largest(bank, options.scenarios), options.seconds, options.seed)
    for family, row in found.items():
        if "worst_ms" in row:
            print(f"{family:<12} {row['worst_ms']:8.2f} ms (≤ {LIMIT_MS:.0f})  {row['input'][:110]}")
    print(f"{found['search']['inputs']} inputs on {found['search']['scenarios']} scenarios")
    options.out.write_text(json.dumps({"date": time.strftime("%Y-%m-%d"), **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
