"""One episode, sans-I/O: an action goes in, an observation or a request for a fix trial comes out.

    observation = episode.observation()
    outcome = episode.step(action)            an observation, or a TrialRequest …
    observation = episode.resume(result)      … whose result the driver hands back

Before an accepted diagnosis nothing here reads the scenario's answers, fault or twin.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from mlops_debugger.bank.records import Scenario
from mlops_debugger.contract import ARTIFACTS, CATEGORIES, MLOpsObservation, MLOpsState
from mlops_debugger.environment.actions import Query
from mlops_debugger.environment.artifacts import Answer
from mlops_debugger.environment.investigation import DEFAULT_MAX_STEPS, MAX_FIELD, MAX_PROSE, Investigation, Tell, tell
from mlops_debugger.environment.plain import shown
from mlops_debugger.environment.tasks import TASK_DESCRIPTION
from mlops_debugger.errors import EditError, EpisodeError
from mlops_debugger.grading import Diagnosis, Grade, TrialRequest, TrialResult

_LOG = logging.getLogger(__name__)


class Episode(Investigation):
    """A scenario being played. `prepare` and `grade` are those of `mlops_debugger.grading`.

    `dialect` maps canonical config keys to the project's dotted paths. With `show_rows` off, an accepted diagnosis is
    answered by its score alone; with `reveal` on it is answered with the answer, too. `tell` makes the observations.
    """

    description = TASK_DESCRIPTION

    def __init__(
        self,
        scenario: Scenario,
        *,
        task_id: str,
        seed: int,
        episode_id: str | None,
        prepare: Callable[[Scenario, Diagnosis], TrialRequest | None],
        grade: Callable[[Scenario, Diagnosis, TrialResult | None], Grade],
        max_steps: int = DEFAULT_MAX_STEPS,
        dialect: Mapping[str, str] | None = None,
        show_rows: bool = True,
        reveal: bool = False,
        tell: Tell = tell,
    ) -> None:
        super().__init__(
            scenario,
            task_id=task_id,
            seed=seed,
            episode_id=episode_id,
            max_steps=max_steps,
            dialect=dialect,
            tell=tell,
        )
        self.scenario = scenario
        self.grade: Grade | None = None
        self._prepare, self._grade, self._show_rows, self._reveal = prepare, grade, show_rows, reveal
        self._pending: Diagnosis | None = None

    def state(self) -> MLOpsState:
        """The full state, the answer included: for the harness, never for the agent."""
        scenario = self.scenario
        gold = scenario.answers[0] if scenario.fault is not None and scenario.answers else None
        return MLOpsState(
            episode_id=self._episode_id,
            task_id=self._task_id,
            seed=self._seed,
            step_count=self._steps,
            max_steps=self._max_steps,
            episode_done=self._done,
            bug_type=scenario.fault or "",
            bug_category=gold.categories[0] if gold else "",
            bug_file=gold.file if gold else "",
            bug_field=gold.field if gold else "",
            gold_fix=scenario.gold_fix if gold else "",
            artifacts=dict(scenario.artifacts),
            artifacts_read=list(self._read),
            sanity_checks_run=list(self._checked),
            duplicate_queries=self._duplicates,
            current_score=self.grade.score if self.grade else 0.0,
        )

    def resume(self, result: TrialResult | None) -> MLOpsObservation:
        """End the episode with the trial's result; None says that it could not be carried out."""
        if self._pending is None:
            raise EpisodeError("expected a diagnosis that waits for its trial, found none: step first")
        diagnosis, self._pending = self._pending, None
        return self._finish(diagnosis, result)

    def _spend(self) -> None:
        if self._pending is not None:
            raise EpisodeError("a diagnosis waits for its trial: resume with the result before the next step")
        super()._spend()

    def _submit(self, query: Query) -> MLOpsObservation | TrialRequest:
        diagnosis = _diagnosis(query)
        if isinstance(diagnosis, str):
            return self._send_back(query, diagnosis)
        try:
            request = self._prepare(self.scenario, diagnosis)
        except EditError as error:
            return self._send_back(query, f"proposed_fix: {error}")
        except (ValueError, TypeError, AttributeError, RecursionError, MemoryError) as error:
            # A fix is a stranger's text; what the parsers of YAML and Python choke on must not end the session.
            _LOG.warning("a proposed fix upset its parser: %r", error)
            return self._send_back(query, "proposed_fix: a value or line of it cannot be read: use plain ones")
        if request is None:
            return self._finish(diagnosis, None)
        self._pending = diagnosis
        return request

    def _finish(self, diagnosis: Diagnosis, result: TrialResult | None) -> MLOpsObservation:
        grade = self._grade(self.scenario, diagnosis, result)
        self.grade, self._done = grade, True
        answer: Answer = {"accepted": True, "score": grade.score}
        if self._show_rows:
            answer["rows"] = dict(grade.rows)
        if self._reveal:
            answer["answer"] = self._truth()
        messages = ["the diagnosis was accepted: the episode is over", *grade.notes]
        if grade.unscored:
            messages.append(f"unscored: {', '.join(grade.unscored)}; the score is the sum of the other rows")
        return self._observe(answer, messages, reward=grade.score)

    def _truth(self) -> Answer:
        """The answer as `state` has it; every value of a healthy control is empty."""
        state = self.state()
        return {
            "category": state.bug_category,
            "file": state.bug_file,
            "field": state.bug_field,
            "gold_fix": state.gold_fix,
        }

    def _metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = {"tier": self.scenario.tier}
        if self.grade is not None:
            metadata["unscored"] = list(self.grade.unscored)
        return metadata

    def _out_of_steps(self) -> str:
        return "without an accepted diagnosis: score 0"


def _diagnosis(query: Query) -> Diagnosis | str:
    """The submission, or why it is incomplete."""
    _, category, file, field, fix, prose = query
    fix = fix if fix.strip() else ""
    given = {"failure_category": category, "root_cause_file": file, "root_cause_field": field, "proposed_fix": fix}
    missing = [name for name, value in given.items() if not value]
    if len(missing) == len(given):
        if not prose:
            return "expected a diagnosis, found nothing: give all fields, or for no fault found diagnosis alone"
    elif missing:
        return (
            f"incomplete: {', '.join(missing)} missing. Give {', '.join(given)} and diagnosis; "
            "or, for no fault found, diagnosis alone"
        )
    elif category not in CATEGORIES:
        return f"failure_category: expected one of {', '.join(CATEGORIES)}, found {shown(category)}"
    elif file not in ARTIFACTS:
        return f"root_cause_file: expected one of {', '.join(ARTIFACTS)}, found {shown(file)}"
    if len(field) > MAX_FIELD:
        return f"root_cause_field has at most {MAX_FIELD} characters, found {len(field)}: give the name alone"
    if len(prose) > MAX_PROSE:
        return f"diagnosis has at most {MAX_PROSE} characters, found {len(prose)}: shorten it"
    return Diagnosis(
        category=category or None, file=file or None, field=field or None, fix=fix or None, prose=prose or None
    )
