"""One agent, one episode: from reset to a transcript."""

from __future__ import annotations

import json
import time
from typing import Any

from mlops_debugger.agents import Learner, Metered, Player
from mlops_debugger.contract import CATEGORIES, MLOpsAction, MLOpsObservation, MLOpsState
from mlops_debugger.errors import EvaluationError
from mlops_debugger.evaluation.records import Transcript, Truth, Turn
from mlops_debugger.evaluation.tables import SEALED, Table
from mlops_debugger.grading import WEIGHTS

_SHOWN = 600
"""Characters of an answer that a transcript keeps."""


def play(
    table: Table, name: str, player: Player, first: MLOpsObservation, *, split: str, task: str, index: int
) -> Transcript:
    """Play the episode that `first` opened until it is over. What an agent breaks is recorded and scores 0.

    Raises `EvaluationError` where an agent says that what it needs is gone: no other episode would fare better.
    """
    started = time.monotonic()
    turns: list[Turn] = []
    observation, error = first, ""
    while not observation.done:
        action, error = _act(player, observation)
        if action is None:
            break
        observation = table.step(action)
        turns.append(_turn(action, observation))
    if observation.done and isinstance(player, Learner):
        player.learn(observation)
    state = table.state()
    rows = observation.last_action_result.get("rows")
    return Transcript(
        agent=name,
        run_id=first.run_id,
        split=split,
        task=task,
        index=index,
        tier=str(first.metadata.get("tier", "")),
        dataset=str(first.run_summary.get("dataset", "")),
        truth=truth_of(state),
        score=float(observation.reward or 0.0) if observation.done else 0.0,
        rows=_rows(rows, observation),
        unscored=list(observation.metadata.get("unscored", [])),
        steps=observation.step_count,
        duplicates=state.duplicate_queries,
        seconds=round(time.monotonic() - started, 3),
        error=error,
        usage=player.usage if isinstance(player, Metered) else None,
        turns=turns,
    )


def _act(player: Player, observation: MLOpsObservation) -> tuple[MLOpsAction | None, str]:
    try:
        return player.act(observation), ""
    except EvaluationError:
        raise
    except Exception as problem:  # an agent is a stranger's code: a failed episode is a result
        return None, f"{type(problem).__name__}: {problem}"[:500]


def truth_of(state: MLOpsState) -> Truth | None:
    """What the state tells of the answer; None where it is sealed."""
    if state.bug_type == SEALED or (state.bug_category and state.bug_category not in CATEGORIES):
        return None
    return Truth(
        fault=state.bug_type,
        category=state.bug_category,
        file=state.bug_file,
        field=state.bug_field,
        gold_fix=state.gold_fix,
    )


def _rows(rows: object, last: MLOpsObservation) -> dict[str, float | None]:
    if isinstance(rows, dict):
        return {name: rows.get(name) for name in WEIGHTS}
    accepted = last.last_action_result.get("accepted") is True
    # Without an accepted diagnosis nothing was right; with one, missing rows are withheld.
    return {} if accepted else dict.fromkeys(WEIGHTS, 0.0)


def _turn(action: MLOpsAction, observation: MLOpsObservation) -> Turn:
    # Half a surrogate pair is text to Python and none to UTF-8: an agent's nonsense must not break the journal.
    given = action.model_dump(exclude_defaults=True, warnings=False)
    return Turn(
        action={name: _encodable(value) if isinstance(value, str) else value for name, value in given.items()},
        result=_encodable(shortened(observation.last_action_result)),
        messages=[_encodable(text) for text in observation.messages],
    )


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def shortened(result: dict[str, Any]) -> str:
    """An answer as somebody reads it: an artifact's first lines, a check's verdict, anything else as JSON."""
    text = result.get("content")
    if "sanity_check" in result:
        text = f"{result.get('verdict')}: {result.get('summary')}"
    if not isinstance(text, str):
        text = json.dumps(result, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} … ({len(text)} characters)"
