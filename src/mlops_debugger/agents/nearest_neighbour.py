"""The nearest neighbour: knows the train split with all its answers by heart, and repeats the answer of the likest run.

It looks at everything, then takes the remembered runs of the same project (of all projects where there is none) in the
order of their likeness. A remembered fault is only believed where its fix makes sense: the lines that a patch removes
stand in this run's code, or a key is closer to the faulty value than to the healthy one. A patch that makes sense comes
before all else, since healthy code seldom has a faulty line. What is sent back gives way to the next neighbour.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from mlops_debugger.agents import Agent, Example, Handed, Player
from mlops_debugger.agents._dossier import Dossier, Leaf
from mlops_debugger.agents._likeness import Likeness
from mlops_debugger.agents._survey import Survey
from mlops_debugger.agents.oracle import gold
from mlops_debugger.contract import MLOpsAction, MLOpsObservation
from mlops_debugger.edits import CODE, CONFIG, ConfigEdit, Fix, Value, apply_fix, format_fix, parse_fix
from mlops_debugger.errors import EditError


@dataclass(frozen=True)
class Memory:
    """The remembered runs of a project, what they looked like, and how to compare with them."""

    examples: tuple[Example, ...]
    runs: tuple[Dossier, ...]
    likeness: Likeness


@functools.lru_cache(maxsize=64)
def remember(examples: tuple[Example, ...], dataset: object) -> Memory:
    """Kept from one episode to the next: comparing is quick, remembering is not."""
    same = tuple(item for item in examples if item.shown.run_summary.get("dataset") == dataset) or examples
    runs = tuple(Dossier(item.state.artifacts, item.findings) for item in same)
    return Memory(same, runs, Likeness(runs))


class NearestNeighbour:
    """One episode: the round of looking, then answers of neighbours until one is accepted."""

    def __init__(self, examples: tuple[Example, ...]) -> None:
        self._examples = examples
        self._survey = Survey()
        self._answers: list[MLOpsAction] | None = None

    def act(self, observation: MLOpsObservation) -> MLOpsAction:
        if (action := self._survey.next(observation)) is not None:
            return action
        if self._answers is None:
            memory = remember(self._examples, observation.run_summary.get("dataset"))
            self._answers = answers(memory, Dossier(self._survey.artifacts, self._survey.findings))
        if self._answers:
            return self._answers.pop(0)
        return MLOpsAction(action_type="submit_diagnosis", diagnosis="No fault found: it is like no run in memory.")


def answers(memory: Memory, run: Dossier) -> list[MLOpsAction]:
    """The neighbours' answers that make sense for this run: patches first, then by likeness."""
    ranked = sorted(zip(memory.likeness.of(run), memory.examples, memory.runs, strict=True), key=lambda item: -item[0])
    patches: list[MLOpsAction] = []
    others: list[MLOpsAction] = []
    for _, example, remembered in ranked:
        answer = gold(example.state)
        of_this_kind = others
        if answer.proposed_fix:
            moved = transplant(parse_fix(answer.proposed_fix), remembered, run)
            if moved is None:
                continue
            changes = {"proposed_fix": format_fix(moved)}
            if moved.config:
                changes["root_cause_field"] = moved.config[0].path
            of_this_kind = patches if moved.hunks else others
            answer = answer.model_copy(update=changes)
        if answer not in of_this_kind:
            of_this_kind.append(answer)
    return patches + others


def transplant(fix: Fix, remembered: Dossier, run: Dossier) -> Fix | None:
    """The fix of a remembered run, in the words of this one; None where it makes no sense here."""
    edits = []
    for edit in fix.config:
        here = _counterpart(edit.path, run)
        if here is None or not _as_faulty(here.value, _value(edit.path, remembered), edit.value):
            return None
        edits.append(ConfigEdit(here.path, edit.value))
    moved = Fix(tuple(edits), fix.hunks)
    files = {CONFIG: run.artifacts.get(CONFIG, ""), CODE: run.artifacts.get(CODE, "")}
    try:
        apply_fix(moved, files, {})
    except EditError:
        return None
    return moved


def _counterpart(path: str, run: Dossier) -> Leaf | None:
    """The key at this path, or the only one whose last part is the same: other projects sort their keys otherwise."""
    same = [leaf for leaf in run.leaves if leaf.path == path]
    alike = same or list(run.find(path.rpartition(".")[2].lower()))
    return alike[0] if len(alike) == 1 else None


def _value(path: str, run: Dossier) -> Value:
    return next((leaf.value for leaf in run.leaves if leaf.path == path), None)


def _as_faulty(value: Value, faulty: Value, healthy: Value) -> bool:
    """Whether a value is as wrong as the faulty one: numbers by orders of magnitude, words by being the same."""
    if value == healthy:
        return False
    orders = [_order(item) for item in (value, faulty, healthy)]
    if None not in orders:
        here, wrong, right = (order or 0.0 for order in orders)
        return abs(here - wrong) <= abs(here - right)
    return isinstance(value, list) or value == faulty


def _order(value: Value) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return math.copysign(math.log1p(abs(value) * 1e6), value)


def _open(_: int, handed: Handed) -> Player:
    return NearestNeighbour(handed.train_examples)


AGENT = Agent(
    "knows the train split by heart and repeats the answer of the likest run", _open, privileged="train_examples"
)
