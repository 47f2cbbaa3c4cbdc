"""The oracle: submits the gold answer from the state. It proves that a score of 1 is within reach."""

from __future__ import annotations

from mlops_debugger.agents import Agent, Handed, Player
from mlops_debugger.contract import CATEGORIES, MLOpsAction, MLOpsObservation, MLOpsState
from mlops_debugger.errors import EvaluationError


class Oracle:
    """Knows the answer from the start."""

    def __init__(self, state: MLOpsState) -> None:
        if state.bug_category and state.bug_category not in CATEGORIES:
            raise EvaluationError("expected the full state, found a sealed one: give the server's harness key")
        self._state = state

    def act(self, observation: MLOpsObservation) -> MLOpsAction:
        return gold(self._state)


def gold(state: MLOpsState) -> MLOpsAction:
    """The submission that scores 1 on the scenario of this state."""
    if not state.bug_type:
        return MLOpsAction(action_type="submit_diagnosis", diagnosis="No fault found.")
    answer = {
        "action_type": "submit_diagnosis",
        "failure_category": state.bug_category,
        "root_cause_file": state.bug_file,
        "root_cause_field": state.bug_field,
        "proposed_fix": state.gold_fix,
        "diagnosis": f"{state.bug_type} at {state.bug_field}",
    }
    return MLOpsAction.model_validate(answer)


def _open(_: int, handed: Handed) -> Player:
    if handed.state is None:
        raise EvaluationError("the oracle needs the full state, found none: let the harness hand it over")
    return Oracle(handed.state)


AGENT = Agent("submits the answer that the state holds: the upper bound", _open, privileged="state")
