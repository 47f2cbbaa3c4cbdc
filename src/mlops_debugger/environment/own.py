"""Own runs as episodes: everything can be asked, nothing is graded, because nobody knows the answer.

No ground truth stands behind such an episode: no fault, no fix, no reward. What it shows (findings included) is
computed before it begins and handed in; see `mlops_debugger.intake.open_episode`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops_debugger.contract import CATEGORIES, ArtifactMeta, MLOpsAction, MLOpsObservation, MLOpsState
from mlops_debugger.environment.actions import Query
from mlops_debugger.environment.artifacts import Answer
from mlops_debugger.environment.investigation import DEFAULT_MAX_STEPS, MAX_FIELD, MAX_PROSE, Investigation
from mlops_debugger.environment.plain import shown
from mlops_debugger.environment.tasks import TASK_DESCRIPTION
from mlops_debugger.errors import EpisodeError

TASK_ID = "own"
UNGRADED = (
    "ungraded: this run is somebody's own and nobody knows what is wrong with it, so there is no score. "
    "Try the fix, train again, and hold the new run against the checks"
)
_ACTIONS = TASK_DESCRIPTION[TASK_DESCRIPTION.index("\nACTIONS") : TASK_DESCRIPTION.index("\nFIX:")]
OWN_TASK_DESCRIPTION = f"""\
This is somebody's own training run. It may have a fault or none. Investigate it, find the root cause, propose a fix.
Artifacts that no file of the run holds were put together from what its tools logged; their descriptions say so.
{_ACTIONS}
FIX: in words, or in lines such as config.yaml: optimizer.learning_rate = 0.001, or as a diff of whichever file.

UNGRADED: nobody knows the answer. The diagnosis ends the episode; there is no reward, and the fix is not run.
"""


@dataclass(frozen=True)
class OwnCase:
    """What is shown of an own run. `artifacts` holds those that there are; `absent` says of others what would help.

    `notes` are sentences about what was read, shown at the start.
    """

    run_id: str
    run_summary: Mapping[str, Any]
    artifact_meta: tuple[ArtifactMeta, ...]
    artifacts: Mapping[str, str]
    findings: Mapping[str, Mapping[str, Any]]
    absent: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class OwnEpisode(Investigation):
    """An own run being investigated. `submitted` is the diagnosis that ended it: the fields that were filled."""

    description = OWN_TASK_DESCRIPTION
    idle_reward = None

    def __init__(self, case: OwnCase, *, episode_id: str | None, max_steps: int = DEFAULT_MAX_STEPS) -> None:
        super().__init__(
            case,
            task_id=TASK_ID,
            seed=0,
            episode_id=episode_id,
            max_steps=max_steps,
            absent=case.absent,
        )
        self._notes = case.notes
        self.submitted: dict[str, str] | None = None

    def observation(self) -> MLOpsObservation:
        """What reset shows, with the notes on what was read."""
        return self._observe({}, list(self._notes))

    def state(self) -> MLOpsState:
        """The full state. The fields of the answer are empty: there is none."""
        return MLOpsState(
            episode_id=self._episode_id,
            task_id=self._task_id,
            seed=self._seed,
            step_count=self._steps,
            max_steps=self._max_steps,
            episode_done=self._done,
            bug_type="",
            bug_category="",
            bug_file="",
            bug_field="",
            gold_fix="",
            artifacts=dict(self._case.artifacts),
            artifacts_read=list(self._read),
            sanity_checks_run=list(self._checked),
            duplicate_queries=self._duplicates,
        )

    def _submit(self, query: Query) -> MLOpsObservation:
        names = ("failure_category", "root_cause_file", "root_cause_field", "proposed_fix", "diagnosis")
        given = {name: part.strip() for name, part in zip(names, query[1:], strict=True) if part.strip()}
        if (reason := _unreadable(given)) is not None:
            return self._send_back(query, reason)
        self._done, self.submitted = True, given
        answer: Answer = {"accepted": True, "ungraded": True, "submitted": {**given}}
        return self._observe(answer, ["the diagnosis was accepted: the episode is over", UNGRADED])

    def _metadata(self) -> dict[str, Any]:
        return {"ungraded": True}

    def _out_of_steps(self) -> str:
        return "without a diagnosis: the episode is over, ungraded"


def _unreadable(given: Mapping[str, str]) -> str | None:
    """Why the submission is sent back. The cause may sit anywhere in an own run, so most of it is free text."""
    if not given:
        return "expected a diagnosis, found nothing: say in diagnosis what is wrong, or that no fault was found"
    category = given.get("failure_category", "")
    if category and category not in CATEGORIES:
        return f"failure_category: expected one of {', '.join(CATEGORIES)}, or nothing, found {shown(category)}"
    for name, text in given.items():
        most = MAX_PROSE if name in ("diagnosis", "proposed_fix") else MAX_FIELD
        if len(text) > most:
            return f"{name} has at most {most} characters, found {len(text)}: shorten it"
    return None


class OwnSession:
    """Plays an own run in this process, as `Session` plays a bank: reset, step, reject, state, close."""

    def __init__(self, case: OwnCase, *, max_steps: int = DEFAULT_MAX_STEPS) -> None:
        self.case = case
        self._max_steps = max_steps
        self._episode: OwnEpisode | None = None
        self._closed = False

    @property
    def episode(self) -> OwnEpisode:
        """The running episode; raises `EpisodeError` before reset and after close."""
        if self._closed:
            raise EpisodeError("the session is closed: open another one")
        if self._episode is None:
            raise EpisodeError("expected reset before step or state, found no episode: call reset first")
        return self._episode

    def reset(self, *, episode_id: str | None = None) -> MLOpsObservation:
        """Open the run from the beginning. Raises `EpisodeError` after close."""
        if self._closed:
            raise EpisodeError("the session is closed: open another one")
        self._episode = OwnEpisode(self.case, episode_id=episode_id or secrets.token_hex(16), max_steps=self._max_steps)
        return self._episode.observation()

    def step(self, action: MLOpsAction) -> MLOpsObservation:
        """Carry an action out. Raises `EpisodeError` when there is nothing to step."""
        outcome = self.episode.step(action)
        if not isinstance(outcome, MLOpsObservation):
            raise EpisodeError(f"expected an own run to be ungraded, found a {type(outcome).__name__}: report this")
        return outcome

    def reject(self, reason: str) -> MLOpsObservation:
        """Answer input that is no action (see `read_action`): it costs a step and ends nothing."""
        return self.episode.reject(reason)

    def state(self) -> MLOpsState:
        """The full state; it holds no answer."""
        return self.episode.state()

    def close(self) -> None:
        """Drop the episode; every later call is refused."""
        self._closed = True
        self._episode = None
