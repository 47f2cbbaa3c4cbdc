"""Right fixes that are not the gold one, and what real trials say of proposals.

Right ones are written by hand (benchmarks/equivalent_fixes.yaml); `wrong` makes the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from mlops_debugger.bank import Bank, Scenario
from mlops_debugger.edits import CODE, ConfigEdit, Fix, Hunk, Value, format_fix, parse_fix
from mlops_debugger.errors import EditError, EvaluationError
from mlops_debugger.grading import Diagnosis, TrialRequest, TrialResult, prepare
from mlops_debugger.grading.rubric import fix_worth, seed_verdict
from mlops_debugger.grading.trial import run_once
from mlops_debugger.runs.pool import Limits, TrainerPool

Trial = Callable[[TrialRequest], TrialResult]


@dataclass(frozen=True)
class Proposal:
    """A fix with what it is; `right` says what a trial should say of it."""

    scenario: Scenario
    kind: str
    fix: str
    right: bool


@dataclass(frozen=True)
class Ruling:
    """What came of a proposal: the fix row's share, or why it was sent back before anything ran."""

    proposal: Proposal
    share: float
    sent_back: str = ""

    @property
    def accepted(self) -> bool:
        return self.share == 1.0

    @property
    def agrees(self) -> bool:
        """A right fix earns the whole row; a wrong one less than a half right fix does."""
        return self.accepted if self.proposal.right else self.share < 0.5


def judge(proposal: Proposal, trial: Trial) -> Ruling:
    """Run a proposal as a submission would be; raises `EvaluationError` where the trial fails for our own reasons."""
    try:
        request = prepare(proposal.scenario, Diagnosis(None, None, None, proposal.fix))
    except EditError as error:
        return Ruling(proposal, 0.0, str(error))
    if request is None:
        raise EvaluationError(f"expected a scenario with a fault, found the control {proposal.scenario.scenario_id}")
    result = trial(request)
    if result.status != "completed":
        raise EvaluationError(f"{proposal.kind} on {proposal.scenario.scenario_id}: {result.status}, {result.detail}")
    return Ruling(proposal, fix_worth(proposal.scenario, result))


class OwnTrials:
    """Trials of fixes that this repository wrote itself: they run in a warm worker, code patches too.

    Strangers' patches go through `grading.Trials`, which isolates them; the training and the verdict are the same.
    """

    def __init__(self, workers: int = 1) -> None:
        # The limit is for strangers' endless loops: on a busy machine an honest run may wait for long.
        self._pool = TrainerPool(workers, Limits(seconds=300.0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    def run(self, request: TrialRequest) -> TrialResult:
        """Train on the scenario's seeds, up to the first on which the fix is wrong."""
        scenario, found = request.scenario, []
        if request.touches == 0:
            return TrialResult("completed", (scenario.proofs[0].broken,), "the fix changes nothing", 0)
        for index, proof in enumerate(scenario.proofs):
            found.append(run_once(scenario, request.config, request.code, index, self._pool))
            if seed_verdict(found[-1], proof, scenario.sigma) == 0.0:
                break
        return TrialResult("completed", tuple(found), "", request.touches)


# ------------------------------------------------------------------ right fixes


def right_fixes(table: Sequence[Mapping[str, Any]], bank: Bank) -> Iterator[list[Proposal]]:
    """For every entry of the table its right fixes, on the first scenario that it fits.

    Raises `EvaluationError` where the bank has no such scenario.
    """
    for entry in table:
        scenario = _scenario(entry, bank)
        yield [Proposal(scenario, "right", fix, True) for fix in dict.fromkeys(_written(entry, scenario))]


def _scenario(entry: Mapping[str, Any], bank: Bank) -> Scenario:
    for row in bank.entries:
        if (row.fault, row.project) == (entry["fault"], entry["project"]):
            scenario = bank.get(row.scenario_id)
            if re.search(entry.get("where", ""), scenario.gold_fix, re.MULTILINE):
                return scenario
    raise EvaluationError(f"the bank has no {entry['fault']} on {entry['project']} like {entry.get('where', 'any')!r}")


def _written(entry: Mapping[str, Any], scenario: Scenario) -> Iterator[str]:
    gold = parse_fix(scenario.gold_fix)
    for key, values in entry.get("set", {}).items():
        for value in values:
            yield format_fix(Fix(config=(ConfigEdit(key, _scaled(value, gold)),)))
    removed = [text for hunk in gold.hunks for op, text in hunk.lines if op == "-"]
    for text in entry.get("instead", ()):
        yield _instead(removed, text)
    for fix in entry.get("fix", ()):
        yield fix.format(epochs=scenario.proofs[0].healthy.epochs)


def _scaled(value: Any, gold: Fix) -> Value:
    """A value as it stands, or the gold one times the factor after an x."""
    if not (isinstance(value, str) and re.fullmatch(r"x[\d.]+", value)):
        return value  # type: ignore[no-any-return]
    base = gold.config[0].value
    if not isinstance(base, int | float):
        raise EvaluationError(f"expected a number to multiply by {value}, found {base!r}")
    scaled = base * float(value[1:])
    return round(scaled) if isinstance(base, int) else float(f"{scaled:.4g}")


def _instead(removed: Sequence[str], text: str) -> str:
    """A patch that puts `text` in the place of the removed lines, indented as the first of them."""
    indent = removed[0][: len(removed[0]) - len(removed[0].lstrip())]
    lines = [("-", line) for line in removed] + [("+", indent + line) for line in text.split("\n")]
    return format_fix(Fix(hunks=(Hunk(CODE, tuple(lines)),)))
