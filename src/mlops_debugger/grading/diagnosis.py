"""What an agent hands in, and what has to be run to judge it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from mlops_debugger.bank.records import Figures, Scenario
from mlops_debugger.edits import CODE, CONFIG, apply_fix, flatten, load_yaml, parse_fix
from mlops_debugger.projects import projects


@dataclass(frozen=True)
class Diagnosis:
    """A submission. `no_fault` is one that has none of category, file, field and fix; prose weighs nothing."""

    category: str | None
    file: str | None
    field: str | None
    fix: str | None
    prose: str | None = None

    @property
    def no_fault(self) -> bool:
        return self.category is None and self.file is None and self.field is None and self.fix is None


@dataclass(frozen=True)
class TrialRequest:
    """The run folder to train again: config.yaml and preprocessing.py with the fix applied.

    `touches` counts changed config keys and separate changed blocks of code; 0 when the fix changes nothing.
    """

    scenario: Scenario
    config: str
    code: str
    touches_code: bool
    touches: int


@dataclass(frozen=True)
class TrialResult:
    """What came of a trial: figures of the seeds that were run, in order (fewer where one of them decided).

    `refused`: the operator does not allow it here. `infrastructure`: it failed for reasons that are ours.
    """

    status: Literal["completed", "refused", "infrastructure"]
    figures: tuple[Figures, ...] = ()
    detail: str = ""
    touches: int = 0


def prepare(scenario: Scenario, diagnosis: Diagnosis) -> TrialRequest | None:
    """Apply the fix; None where nothing has to be run (a control, or "no fault found").

    Raises `EditError` for a fix that cannot be parsed or applied, on controls just as on faults.
    """
    if diagnosis.fix is None:
        return None
    fix = parse_fix(diagnosis.fix)
    before = {CONFIG: scenario.artifacts[CONFIG], CODE: scenario.artifacts[CODE]}
    after = apply_fix(fix, before, projects()[scenario.project].dialect)
    touches = touched(before, after)
    if scenario.is_control:
        return None
    return TrialRequest(scenario, after[CONFIG], after[CODE], after[CODE] != before[CODE], touches)


def touched(before: Mapping[str, str], after: Mapping[str, str]) -> int:
    """Changed config keys and separate changed blocks of code, as the texts show them, however the fix is written."""
    old = dict(flatten(load_yaml(before[CONFIG])))
    new = dict(flatten(load_yaml(after[CONFIG])))
    keys = sum(repr(old.get(key, _MISSING)) != repr(new.get(key, _MISSING)) for key in old.keys() | new.keys())
    return int(keys) + _blocks(before[CODE], after[CODE])


def _blocks(before: str, after: str) -> int:
    """Runs of changed lines of code; what is at most `_GAP` lines apart is one block, however many hunks it came in."""
    matcher = difflib.SequenceMatcher(a=_code_lines(before), b=_code_lines(after), autojunk=False)
    spots = [(start, end) for tag, start, end, _, _ in matcher.get_opcodes() if tag != "equal"]
    return bool(spots) + sum(second[0] - first[1] > _GAP for first, second in pairwise(spots))


def _code_lines(text: str) -> list[str]:
    """Lines that are neither blank nor a comment, without what stands behind them."""
    lines = (line.rstrip() for line in text.splitlines())
    return [line for line in lines if line and not line.lstrip().startswith("#")]


_GAP = 3
"""Unchanged lines between two changes of one block: as many as a unified diff shows around a change."""
_MISSING = object()
