"""What one action shows of a run, as numbers: for each of the eight checks and five reads, from public text alone.

Three kinds of features. *Figures* are measured (log, statistics, report, value of a check). *Settings* are numbers of
the configuration. *Marks* are there or not, or have a natural size: a verdict, a word in the configuration, a message
in the log. The code is kept as its lines by function. The model card is left out: it is written from policy before the
run, the same for both twins, so it separates nothing by itself.
"""

from __future__ import annotations

import ast
import itertools
import json
import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from mlops_debugger.contract import SANITY_CHECKS
from mlops_debugger.environment.log import parse_log

CONFIG, LOG, STATS, CODE, REPORT = (
    "config.yaml",
    "train.log",
    "dataset_stats.json",
    "preprocessing.py",
    "eval_results.json",
)
READS = (CONFIG, LOG, STATS, CODE, REPORT)
ACTIONS = (*SANITY_CHECKS, *READS)

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|nan|inf)(?![\w.]|-\d)")
_STAMP = re.compile(r"^\W*\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*\s*")
_LEVELS = ("WARNING", "ERROR", "CRITICAL")
_SEVERITY = {"warn": 1.0, "fail": 2.0}
_TABLE = 4
"""From so many members on, a mapping or list of the same things is read by its least, median and largest."""
_TEXT = 200
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader in C: thousands of configurations in seconds. It reads 1e-3 as a word, which `_number` reads."""


@dataclass(frozen=True)
class Seen:
    """One run as its actions show it, by action. `code` maps a function ("" for the module) to its lines."""

    figures: Mapping[str, Mapping[str, float]]
    marks: Mapping[str, Mapping[str, float]]
    settings: Mapping[str, float] = field(default_factory=dict)
    code: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def seen(artifacts: Mapping[str, str], findings: Mapping[str, Mapping[str, Any]]) -> Seen:
    """Read the artifacts and findings of a run; what is missing or cannot be parsed shows nothing but that."""
    figures: dict[str, dict[str, float]] = {}
    marks: dict[str, dict[str, float]] = {}
    for check in SANITY_CHECKS:
        figures[check], marks[check] = _finding(findings.get(check, {}))
    figures[LOG], marks[LOG] = _log(artifacts.get(LOG, ""))
    for name in (STATS, REPORT):
        figures[name], marks[name] = _json(artifacts.get(name, ""))
    settings, marks[CONFIG] = _config(artifacts.get(CONFIG, ""))
    figures[CONFIG], figures[CODE], marks[CODE] = {}, {}, {}
    return Seen(figures, marks, settings, functions(artifacts.get(CODE, "")))


def _finding(finding: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
    verdict, statistic = str(finding.get("verdict", "")), str(finding.get("statistic", ""))
    value, threshold = _number(finding.get("value")), _number(finding.get("threshold"))
    figures = {} if value is None else {statistic: value}
    marks = {f"verdict {verdict}" if verdict not in _SEVERITY and verdict != "pass" else "severity": 1.0}
    if verdict == "pass":
        return figures, {"severity": 0.0}
    if verdict in _SEVERITY:
        beyond = 1.0
        if value and threshold and math.isfinite(value) and value * threshold > 0:
            beyond = min(3.0, abs(math.log2(value / threshold)))
        marks = {"severity": _SEVERITY[verdict], f"statistic {statistic}": _SEVERITY[verdict] / 2 + beyond / 2}
        marks |= {f"worst {item.get('name')}": 1.0 for item in finding.get("worst", ())}
    return figures, marks


def _log(text: str) -> tuple[dict[str, float], dict[str, float]]:
    """Of every series by epoch where it starts, ends and turns; of every other message its numbers and how often."""
    log = parse_log(text)
    series = log.tree.get("metrics")
    figures: dict[str, float] = {}
    marks: dict[str, float] = {level: float(text.count(level)) for level in _LEVELS}
    for name, points in (series if isinstance(series, dict) else {}).items():
        values = list(points.values()) if isinstance(points, dict) else []
        numbers = [number for value in values if (number := _number(value)) is not None]
        if not numbers:
            marks |= {f"{name}={value}": 1.0 for value in values if isinstance(value, str)}
            figures[f"{name} count"] = float(len(values))
            continue
        low, high = min(numbers, key=_order), max(numbers, key=_order)
        figures |= {f"{name} first": numbers[0], f"{name} last": numbers[-1], f"{name} min": low, f"{name} max": high}
        figures |= {f"{name} min at": numbers.index(low) + 1.0, f"{name} max at": numbers.index(high) + 1.0}
        figures[f"{name} count"] = float(len(numbers))
    told: Counter[str] = Counter()
    for record in log.records:
        line = _STAMP.sub("", record.partition("\n")[0])[:_TEXT]
        if re.search(r"\bepoch\b[\"']?\s*[=: ]", line):
            continue
        message = _NUMBER.sub("#", line)
        if not told[message]:
            figures |= {f"{message} {place}": float(item) for place, item in enumerate(_NUMBER.findall(line))}
        told[message] += 1
    return figures, marks | {message: min(2.0, count) for message, count in told.items()}


def _json(text: str) -> tuple[dict[str, float], dict[str, float]]:
    try:
        tree = json.loads(text)
    except ValueError:
        return {}, {"cannot be read": 2.0}
    figures: dict[str, float] = {}
    marks: dict[str, float] = {}
    for path, value in _leaves(tree, ""):
        if isinstance(value, float):
            figures[path] = value
        else:
            marks[f"{path}={value}"] = 1.0
    blocks = {key: value for key, value in tree.items() if isinstance(value, dict)} if isinstance(tree, dict) else {}
    for (one, first), (other, second) in itertools.combinations(blocks.items(), 2):
        for key in sorted(first.keys() & second.keys()):
            left, right = _number(first[key]), _number(second[key])
            if left is not None and right is not None:
                figures[f"{key} of {one} over {other}"] = left - right
    return figures, marks


def _leaves(tree: object, path: str) -> Iterator[tuple[str, float | str]]:
    """Numbers and short words by path; members of a table of like things by their least, median and largest."""
    if isinstance(tree, list):
        rows = [item for row in tree if isinstance(row, list) for item in row]
        tree = {str(place): item for place, item in enumerate(rows or tree)}
    if not isinstance(tree, dict):
        number = _number(tree)
        if number is not None:
            yield path, number
        elif tree is not None:
            yield path, str(tree)[:_TEXT]
        return
    if len(tree) >= _TABLE:
        yield f"{path} size", float(len(tree))
        if all(isinstance(item, dict) for item in tree.values()):
            columns: dict[str, list[float]] = defaultdict(list)
            for row in tree.values():
                for name, item in row.items():
                    if (number := _number(item)) is not None:
                        columns[name].append(number)
            for name, values in columns.items():
                yield from _spread(f"{path}.*.{name}", values)
            return
        plain = [number for item in tree.values() if (number := _number(item)) is not None]
        if len(plain) == len(tree):
            yield from _spread(f"{path}.*", plain)
    for key, item in tree.items():
        yield from _leaves(item, f"{path}.{key}")


def _spread(path: str, values: Sequence[float]) -> Iterator[tuple[str, float]]:
    known = [value for value in values if math.isfinite(value)] or [math.nan]
    yield f"{path} min", min(known)
    yield f"{path} median", statistics.median(known)
    yield f"{path} max", max(known)


def _config(text: str) -> tuple[dict[str, float], dict[str, float]]:
    try:
        tree = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError):
        return {}, {"cannot be read": 2.0}
    settings: dict[str, float] = {}
    marks: dict[str, float] = {}
    for path, value in _settings(tree, ""):
        number = _number(value)
        if number is not None:
            settings[path] = number
        else:
            marks[f"{path}={value}"] = 1.0
    return settings, marks


def _settings(tree: object, path: str) -> Iterator[tuple[str, object]]:
    """Values by path. A list shows its length, its numbers by place and its words as members."""
    if isinstance(tree, dict):
        for key, item in tree.items():
            yield from _settings(item, f"{path}.{key}")
    elif isinstance(tree, list):
        yield f"{path} length", len(tree)
        for place, item in enumerate(tree):
            yield from _settings(item, f"{path} {place}" if _number(item) is not None else path)
    else:
        yield path, tree


def functions(text: str) -> dict[str, tuple[str, ...]]:
    """Lines with something on them, stripped, by the outermost function or class around them."""
    lines = text.splitlines()
    owner = [""] * len(lines)
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        body = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            owner[node.lineno - 1 : node.end_lineno] = [node.name] * (
                (node.end_lineno or node.lineno) - node.lineno + 1
            )
    found: dict[str, list[str]] = defaultdict(list)
    for name, line in zip(owner, lines, strict=True):
        if line.strip():
            found[name].append(line.strip())
    return {name: tuple(held) for name, held in found.items()}


def _number(value: object) -> float | None:
    """A number, also one that is written as a word ("nan", "1e-3"); None for truth values and everything else."""
    if isinstance(value, float):
        return value
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:
        return math.inf


def _order(value: float) -> float:
    return value if math.isfinite(value) else math.inf
