"""What an agent hands in, and what has to be run to judge it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mlops_debugger.bank.records import Figures, Scenario
from mlops_debugger.edits import CODE, CONFIG, Fix, apply_fix, flatten, load_yaml, parse_fix
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
    touches = _touches(fix, before, after)
    if scenario.is_control:
        return None
    return TrialRequest(scenario, after[CONFIG], after[CODE], after[CODE] != before[CODE], touches)


def _touches(fix: Fix, before: Mapping[str, str], after: Mapping[str, str]) -> int:
    old = dict(flatten(load_yaml(before[CONFIG])))
    new = dict(flatten(load_yaml(after[CONFIG])))
    keys = sum(old.get(key, _MISSING) != new.get(key, _MISSING) for key in old.keys() | new.keys())
    blocks = sum(hunk.file == CODE for hunk in fix.hunks) if after[CODE] != before[CODE] else 0
    return int(keys) + blocks


_MISSING = object()
