"""Wrong fixes of every kind, made for a scenario from what its project has.

Nothing at all, the opposite direction, fixes of look-alikes, and the cheats that a grader has to see through. A cheat
is also put on top of the gold fix, since alone it fails for leaving the fault in.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_debugger.bank import Scenario
from mlops_debugger.edits import (
    CODE,
    CONFIG,
    ConfigEdit,
    Fix,
    Value,
    apply_fix,
    diff_fix,
    flatten,
    format_fix,
    load_yaml,
    parse_fix,
)
from mlops_debugger.errors import EditError
from mlops_debugger.evaluation.equivalence import Proposal
from mlops_debugger.projects import projects


def wrong_fixes(scenario: Scenario, relatives: Sequence[Scenario]) -> list[Proposal]:
    """At least ten wrong fixes of a scenario; `relatives` are broken runs of its project, for look-alikes' fixes."""
    made: list[tuple[str, str]] = [*_idle(scenario), *_opposite(scenario), *_look_alikes(scenario, relatives)]
    cheats = list(_cheats(scenario))
    made += [(f"{kind}, fault left in", _joined(scenario, cheat, gold=False)) for kind, cheat in cheats]
    # On top of the gold fix there is no symptom to hide: what is left of that is a needless edit.
    spoiling = [(kind, cheat) for kind, cheat in cheats if cheat.code != _HIDDEN]
    made += [(f"{kind}, on top of the gold fix", _joined(scenario, cheat, gold=True)) for kind, cheat in spoiling]
    return [Proposal(scenario, kind, fix, False) for kind, fix in dict(reversed(made)).items() if fix][::-1]


def _idle(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Nothing: a value as it is, and a remark."""
    path, value = next(iter(_leaves(scenario)))
    yield "no change of a value", format_fix(Fix(config=(ConfigEdit(path, value),)))
    yield "a remark in the code", _patched(scenario, f"{scenario.artifacts[CODE].rstrip()}\n\n# all is well\n")


def _opposite(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """The faulty value, made worse."""
    for edit in parse_fix(scenario.gold_fix).config:
        now = dict(_leaves(scenario)).get(edit.path)
        if _number(now) and _number(edit.value) and now and edit.value:
            moved = now * now / edit.value
            worse = max(1, round(moved)) if isinstance(now, int) else float(f"{moved:.3g}")
            if worse != now:
                yield "the opposite direction", format_fix(Fix(config=(ConfigEdit(edit.path, worse),)))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _look_alikes(scenario: Scenario, relatives: Sequence[Scenario]) -> Iterator[tuple[str, str]]:
    """Gold fixes of other sites of the project that apply here and change something: one a site, four at most."""
    files, sites = _files(scenario), {scenario.site}
    for other in relatives:
        if other.site in sites or len(sites) > 4:
            continue
        try:
            after = apply_fix(parse_fix(other.gold_fix), files, projects()[scenario.project].dialect)
        except EditError:
            continue
        if load_yaml(after[CONFIG]) != load_yaml(files[CONFIG]) or after[CODE] != files[CODE]:
            sites.add(other.site)
            yield f"the fix of {other.fault}", other.gold_fix


@dataclass(frozen=True)
class _Cheat:
    """Config edits by canonical key, and code that is put at the end of preprocessing.py."""

    config: Mapping[str, Value]
    code: str = ""


def _cheats(scenario: Scenario) -> Iterator[tuple[str, _Cheat]]:
    """What makes a number look better, or hides that it is bad, without mending the model."""
    dialect = projects()[scenario.project].dialect
    held = dict(_leaves(scenario))
    if "evaluation.top_k" in dialect:
        yield "a weaker metric", _Cheat({"evaluation.top_k": 5})
    if "evaluation.min_confidence" in dialect:
        yield "the metric on sure answers alone", _Cheat({"evaluation.min_confidence": 0.9})
    share = held.get(dialect.get("data.test_share", ""))
    if isinstance(share, float):
        yield "a smaller test set", _Cheat({"data.test_share": round(share / 4, 3)})
    epochs = held.get(dialect["training.epochs"])
    if isinstance(epochs, int):
        yield "three times the epochs", _Cheat({"training.epochs": epochs * 3})
    yield "test figures from the training rows", _Cheat({"evaluation.split": "train"})
    yield "no evaluation", _Cheat({}, "def evaluation_order(count, seed):\n    return np.arange(0)\n")
    yield (
        "only the first rows are scored",
        _Cheat({}, "def evaluation_order(count, seed):\n    return np.arange(count // 4)\n"),
    )
    yield "the symptom hidden", _Cheat({}, _HIDDEN)
    yield "the report rescaled", _Cheat({}, _RESCALED)
    if (splitter := _splitter(scenario.artifacts[CODE])) is not None:
        yield "training on the test rows", _Cheat({}, _TRAIN_ON_TEST.format(name=splitter))
        yield "the test set cut in the code", _Cheat({}, _SHRUNK.format(name=splitter))


_HIDDEN = """import logging
import warnings

logging.getLogger().setLevel(logging.CRITICAL)
warnings.simplefilter("ignore")
"""
_RESCALED = """import tracking

plain_write = tracking.write_json

def write_json(name, report):
    for split in ("validation", "test") if name == "eval_results.json" else ():
        report[split][report["metric"]] *= 0.9
    return plain_write(name, report)

tracking.write_json = write_json
"""
_TRAIN_ON_TEST = """honest_split = {name}

def {name}(*given):
    rows = dict(honest_split(*given))
    rows["train"] = np.append(rows["train"], rows["test"])
    return rows
"""
_SHRUNK = """honest_split = {name}

def {name}(*given):
    rows = dict(honest_split(*given))
    rows["test"] = rows["test"][: len(rows["test"]) // 4]
    return rows
"""


def _splitter(code: str) -> str | None:
    """The function that gives positions by split: the one whose last statement returns a dictionary with "train"."""
    for node in ast.parse(code).body:
        if not isinstance(node, ast.FunctionDef) or not isinstance(node.body[-1], ast.Return):
            continue
        text = ast.unparse(node.body[-1])
        if re.match(r"return (?:\{'train':|dict\(train=)", text):
            return node.name
    return None


def _joined(scenario: Scenario, cheat: _Cheat, *, gold: bool) -> str:
    """The cheat as one fix, on the broken run or together with the gold fix; "" where it does not fit."""
    files = _files(scenario)
    dialect = projects()[scenario.project].dialect
    mended = apply_fix(parse_fix(scenario.gold_fix), files, dialect) if gold else dict(files)
    edits = tuple(ConfigEdit(dialect[key], value) for key, value in cheat.config.items())
    gold_edits = parse_fix(scenario.gold_fix).config if gold else ()
    if {edit.path for edit in edits} & {edit.path for edit in gold_edits} and gold:
        return ""
    code = mended[CODE]
    if cheat.code:
        code = f"{code.rstrip()}\n\n\n{cheat.code}"
    hunks = diff_fix(files[CODE], code).hunks if code != files[CODE] else ()
    return format_fix(Fix((*gold_edits, *edits), hunks))


def _patched(scenario: Scenario, code: str) -> str:
    return format_fix(diff_fix(scenario.artifacts[CODE], code))


def _files(scenario: Scenario) -> dict[str, str]:
    return {name: scenario.artifacts[name] for name in (CONFIG, CODE)}


def _leaves(scenario: Scenario) -> Iterator[tuple[str, Any]]:
    return flatten(load_yaml(scenario.artifacts[CONFIG]))
