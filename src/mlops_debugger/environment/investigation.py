"""Looking at a run, sans-I/O: steps, artifacts, findings, repeated questions. What a diagnosis comes to is not here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from mlops_debugger.contract import ARTIFACTS, ArtifactMeta, ArtifactName, MLOpsAction, MLOpsObservation, MLOpsState
from mlops_debugger.environment.actions import Query, query_of
from mlops_debugger.environment.artifacts import Answer, Shelf
from mlops_debugger.environment.plain import copied, shown, to_plain
from mlops_debugger.environment.revive import revived
from mlops_debugger.errors import EpisodeError
from mlops_debugger.grading import TrialRequest

DEFAULT_MAX_STEPS = 30
MAX_FIELD = 500
MAX_PROSE = 10_000
_FEW_STEPS = 5
Tell = Callable[[dict[str, Any]], MLOpsObservation]
"""Makes an observation of its values, one for every field. They are shared with the episode: see `isolated`."""
_NAMES: Mapping[str, ArtifactName] = {name: name for name in ARTIFACTS}
_SOURCES: Mapping[str, ArtifactName] = {
    "read_config": "config.yaml",
    "read_logs": "train.log",
    "check_dataset_stats": "dataset_stats.json",
    "inspect_preprocessing": "preprocessing.py",
    "read_eval_results": "eval_results.json",
}


class Case(Protocol):
    """What is shown of a run. `findings` maps checks to `Finding.as_dict()`."""

    @property
    def run_id(self) -> str: ...
    @property
    def run_summary(self) -> Mapping[str, Any]: ...
    @property
    def artifact_meta(self) -> Sequence[ArtifactMeta]: ...
    @property
    def artifacts(self) -> Mapping[str, str]: ...
    @property
    def findings(self) -> Mapping[str, Mapping[str, Any]]: ...


def isolated(values: dict[str, Any]) -> dict[str, Any]:
    """The same dict, nothing of what it holds shared any more: what an agent does to its observation stays there."""
    values["run_summary"] = values["run_summary"].copy()
    values["available_artifacts"] = values["available_artifacts"].copy()
    answer: Answer = values["last_action_result"]
    values["last_action_result"] = {
        key: copied(value) if isinstance(value, dict | list) else value for key, value in answer.items()
    }
    return values


def tell(values: dict[str, Any]) -> MLOpsObservation:
    """The contract's observation, for callers in this process."""
    return revived(MLOpsObservation, isolated(values))


class Investigation(ABC):
    """A run being looked at. `dialect` maps canonical config keys to the run's dotted paths.

    `absent` says of an artifact that is not there why, or what to do about it. `tell` makes the observations.
    """

    description: ClassVar[str]
    idle_reward: ClassVar[float | None] = 0.0

    def __init__(
        self,
        case: Case,
        *,
        task_id: str,
        seed: int,
        episode_id: str | None,
        max_steps: int = DEFAULT_MAX_STEPS,
        dialect: Mapping[str, str] | None = None,
        absent: Mapping[str, str] | None = None,
        tell: Tell = tell,
    ) -> None:
        if isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1:
            raise EpisodeError(f"expected max_steps to be a whole number from 1, found {max_steps!r:.80}")
        self._case, self._tell = case, tell
        self._task_id, self._seed, self._episode_id, self._max_steps = task_id, seed, episode_id, max_steps
        self._shelf = Shelf(case.artifacts, dialect or {}, absent)
        self._summary: dict[str, Any] = {key: to_plain(value) for key, value in case.run_summary.items()}
        self._metas = [revived(ArtifactMeta, dict(vars(meta))) for meta in case.artifact_meta]
        self._answers: dict[Query, tuple[int, Answer]] = {}
        self._read: list[str] = []
        self._checked: list[str] = []
        self._steps = self._duplicates = 0
        self._done = False

    @abstractmethod
    def state(self) -> MLOpsState:
        """The full state: for the harness, never for the agent."""

    @abstractmethod
    def _submit(self, query: Query) -> MLOpsObservation | TrialRequest: ...

    @abstractmethod
    def _metadata(self) -> dict[str, Any]: ...

    @abstractmethod
    def _out_of_steps(self) -> str: ...

    @property
    def done(self) -> bool:
        return self._done

    def observation(self) -> MLOpsObservation:
        """What reset shows: the same things for every run."""
        return self._observe({}, [])

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

    def _spend(self) -> None:
        if self._done:
            raise EpisodeError(f"the episode is over after {self._steps} steps: reset before the next step")
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
        if "error" not in answer and artifact in self._case.artifacts and artifact not in self._read:
            self._read.append(artifact)
        return answer

    def _check(self, name: str) -> Answer:
        if name not in self._checked:
            self._checked.append(name)
        finding = self._case.findings.get(name)
        if finding is None:
            return {"sanity_check": name, "verdict": "not_applicable", "summary": "Not applicable: not computed."}
        return {"sanity_check": name, **finding}

    def _send_back(self, query: Query, reason: str) -> MLOpsObservation:
        answer: Answer = {"accepted": False, "error": reason}
        self._answers[query] = (self._steps, answer)
        return self._observe(answer, ["the diagnosis was sent back: correct it and submit again"])

    def _observe(self, answer: Answer, messages: list[str], reward: float | None = None) -> MLOpsObservation:
        remaining = self._max_steps - self._steps
        if not self._done and remaining <= 0:
            self._done = True
            messages.append(f"the limit of {self._max_steps} steps is reached {self._out_of_steps()}")
        elif not self._done and remaining <= _FEW_STEPS and self._steps:
            left = "1 step" if remaining == 1 else f"{remaining} steps"
            messages.append(f"{left} left: one of them must submit the diagnosis")
        values = {
            "task_id": self._task_id,
            "task_description": self.description,
            "run_id": self._case.run_id,
            "run_summary": self._summary,
            "available_artifacts": self._metas,
            "artifacts_read": self._read.copy(),  # it grows, and this observation's must not
            "last_action_result": answer,
            "step_count": self._steps,
            "max_steps": self._max_steps,
            "done": self._done,
            "messages": messages,
            "reward": self.idle_reward if reward is None else reward,
            "metadata": self._metadata(),
        }
        return self._tell(values)


def _named(query: Query) -> str:
    if query[0] == "submit_diagnosis":
        return "this diagnosis"
    arguments = [part if part.isprintable() and len(part) <= 60 else shown(part, 60) for part in query[1:] if part]
    return " ".join([query[0], *arguments])
