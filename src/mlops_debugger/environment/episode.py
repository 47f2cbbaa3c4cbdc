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
from mlops_debugger.contract import ARTIFACTS, CATEGORIES, ArtifactName, MLOpsAction, MLOpsObservation, MLOpsState
from mlops_debugger.environment.actions import Query, query_of
from mlops_debugger.environment.artifacts import Answer, Shelf
from mlops_debugger.environment.plain import copied, shown, to_plain
from mlops_debugger.environment.tasks import TASK_DESCRIPTION
from mlops_debugger.errors import EditError, EpisodeError
from mlops_debugger.grading import Diagnosis, Grade, TrialRequest, TrialResult

DEFAULT_MAX_STEPS = 30
MAX_FIELD = 500
MAX_PROSE = 10_000
_FEW_STEPS = 5
_NAMES: Mapping[str, ArtifactName] = {name: name for name in ARTIFACTS}
_SOURCES: Mapping[str, ArtifactName] = {
    "read_config": "config.yaml",
    "read_logs": "train.log",
    "check_dataset_stats": "dataset_stats.json",
    "inspect_preprocessing": "preprocessing.py",
    "read_eval_results": "eval_results.json",
}
_LOG = logging.getLogger(__name__)


class Episode:
    """A scenario being played. `prepare` and `grade` are those of `mlops_debugger.grading`.

    `dialect` maps canonical config keys to the project's dotted paths. With `show_rows` off, an accepted diagnosis is
    answered by its score alone.
    """

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
    ) -> None:
        if isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1:
            raise EpisodeError(f"expected max_steps to be a whole number from 1, found {max_steps!r:.80}")
        self.scenario = scenario
        self.grade: Grade | None = None
        self._prepare, self._grade, self._show_rows = prepare, grade, show_rows
        self._task_id, self._seed, self._episode_id, self._max_steps = task_id, seed, episode_id, max_steps
        self._shelf = Shelf(scenario.artifacts, dialect or {})
        self._summary: dict[str, Any] = {key: to_plain(value) for key, value in scenario.run_summary.items()}
        self._metas = [meta.model_copy() for meta in scenario.artifact_meta]
        self._answers: dict[Query, tuple[int, Answer]] = {}
        self._read: list[str] = []
        self._checked: list[str] = []
        self._steps = self._duplicates = 0
        self._done = False
        self._pending: Diagnosis | None = None

    @property
    def done(self) -> bool:
        return self._done

    def observation(self) -> MLOpsObservation:
        """What reset shows: the same things for every scenario."""
        return self._observe({}, [])

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

    def step(self, action: MLOpsAction) -> MLOpsObservation | TrialRequest:
        """Carry an action out. Raises `EpisodeError` when the episode is over or waits for a trial."""
        self._spend()
        query = query_of(action)
        if isinstance(query, str):
            return self._observe({"error": query}, [])
        if (earlier := self._answers.get(query)) is not None:
            self._duplicates += 1
            messages = [f"repeated: {_named(query)} was answered at step {earlier[0]} already; the answer is the same"]
            return self._observe(earlier[1], messages)
        if query[0] == "submit_diagnosis":
            return self._submit(query)
        answer = self._answer(query)
        self._answers[query] = (self._steps, answer)
        return self._observe(answer, [])

    def reject(self, reason: str) -> MLOpsObservation:
        """Answer input that is no action at all: it costs a step and ends nothing. Raises like `step`."""
        self._spend()
        return self._observe({"error": reason}, [])

    def resume(self, result: TrialResult | None) -> MLOpsObservation:
        """End the episode with the trial's result; None says that it could not be carried out."""
        if self._pending is None:
            raise EpisodeError("expected a diagnosis that waits for its trial, found none: step first")
        diagnosis, self._pending = self._pending, None
        return self._finish(diagnosis, result)

    def _spend(self) -> None:
        if self._done:
            raise EpisodeError(f"the episode is over after {self._steps} steps: reset before the next step")
        if self._pending is not None:
            raise EpisodeError("a diagnosis waits for its trial: resume with the result before the next step")
        self._steps += 1

    def _answer(self, query: Query) -> Answer:
        kind = query[0]
        if kind == "run_sanity_check":
            return self._check(query[1])
        if kind == "query_artifact":
            artifact = _NAMES[query[1]]
            answer = self._shelf.query(artifact, query[2])
        else:
            artifact = _SOURCES[kind]
            answer = self._shelf.log(query[1]) if kind == "read_logs" else self._shelf.read(artifact)
        if "error" not in answer and artifact not in self._read:
            self._read.append(artifact)
        return answer

    def _check(self, name: str) -> Answer:
        if name not in self._checked:
            self._checked.append(name)
        finding = self.scenario.findings.get(name)
        if finding is None:
            return {"sanity_check": name, "verdict": "not_applicable", "summary": "Not applicable: not computed."}
        return {"sanity_check": name, **finding}

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

    def _send_back(self, query: Query, reason: str) -> MLOpsObservation:
        answer: Answer = {"accepted": False, "error": reason}
        self._answers[query] = (self._steps, answer)
        return self._observe(answer, ["the diagnosis was sent back: correct it and submit again"])

    def _finish(self, diagnosis: Diagnosis, result: TrialResult | None) -> MLOpsObservation:
        grade = self._grade(self.scenario, diagnosis, result)
        self.grade, self._done = grade, True
        answer: Answer = {"accepted": True, "score": grade.score}
        if self._show_rows:
            answer["rows"] = dict(grade.rows)
        messages = ["the diagnosis was accepted: the episode is over", *grade.notes]
        if grade.unscored:
            messages.append(f"unscored: {', '.join(grade.unscored)}; the score is the sum of the other rows")
        return self._observe(answer, messages, reward=grade.score, unscored=list(grade.unscored))

    def _observe(
        self, answer: Answer, messages: list[str], reward: float = 0.0, unscored: list[str] | None = None
    ) -> MLOpsObservation:
        metadata: dict[str, Any] = {"tier": self.scenario.tier}
        remaining = self._max_steps - self._steps
        if self._done:
            metadata["unscored"] = unscored or []
        elif remaining <= 0:
            self._done = True
            messages.append(f"the limit of {self._max_steps} steps is reached without an accepted diagnosis: score 0")
        elif remaining <= _FEW_STEPS and self._steps:
            left = "1 step" if remaining == 1 else f"{remaining} steps"
            messages.append(f"{left} left: one of them must submit the diagnosis")
        # Validation copies the outer containers, so what an agent does to its observation stays there.
        return MLOpsObservation(
            task_id=self._task_id,
            task_description=TASK_DESCRIPTION,
            run_id=self.scenario.run_id,
            run_summary=self._summary,
            available_artifacts=self._metas,
            artifacts_read=self._read,
            last_action_result=_copy(answer),
            step_count=self._steps,
            max_steps=self._max_steps,
            done=self._done,
            messages=messages,
            reward=reward,
            metadata=metadata,
        )


def _copy(answer: Answer) -> dict[str, Any]:
    return {key: copied(value) if isinstance(value, dict | list) else value for key, value in answer.items()}


def _named(query: Query) -> str:
    if query[0] == "submit_diagnosis":
        return "this diagnosis"
    arguments = [part if part.isprintable() and len(part) <= 60 else shown(part, 60) for part in query[1:] if part]
    return " ".join([query[0], *arguments])


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
