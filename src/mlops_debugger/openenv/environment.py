"""The environment as OpenEnv's server drives it: one instance a session, on one shared bank."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, TypedDict

from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import EnvironmentMetadata

from mlops_debugger import __version__
from mlops_debugger.bank import Bank
from mlops_debugger.contract import MLOpsAction
from mlops_debugger.environment import TASK_DESCRIPTION, TASKS, AsyncSession, Selector
from mlops_debugger.environment.driver import AsyncTrainer, Settings
from mlops_debugger.environment.tasks import SPLITS
from mlops_debugger.errors import BankError, EpisodeError
from mlops_debugger.openenv.access import connection_is_trusted
from mlops_debugger.openenv.drawing import draw
from mlops_debugger.openenv.models import MLOpsObservation, MLOpsState, WireAction
from mlops_debugger.openenv.rubric import DiagnosisRubric
from mlops_debugger.openenv.suggestions import suggest
from mlops_debugger.openenv.trail import Step, Trail

ENVIRONMENT_NAME = "mlops_pipeline_debugger"
MAX_EPISODE_ID = 255
_LOG = logging.getLogger(__name__)


class TaskSpec(TypedDict):
    """A task of OpenEnv's Task API: what to pass to reset, and nothing about the scenario."""

    id: str
    split: str
    index: int
    task_id: str


class MLOpsEnvironment(Environment[MLOpsAction, MLOpsObservation, MLOpsState]):
    """Plays episodes of a bank. Fix trials go to `trainer`; without one the fix row stays unscored.

    The Task API's splits are those of the bank, and each split by task: `test` holds every scenario of the test split,
    `test/hard` its hard ones. Reset takes such a name as `split`, with an `index`.

    `rubric` has the rows of the grade as named children; they have scores after an accepted diagnosis (see `rubric`).
    `render_web` and `web_actions` are what OpenEnv's web page asks for (see `page`).
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, bank: Bank, trainer: AsyncTrainer | None = None, settings: Settings | None = None) -> None:
        self._rubric = DiagnosisRubric()
        super().__init__(rubric=self._rubric)
        self._settings = settings or Settings()
        self._session = AsyncSession(bank, trainer, self._settings)
        self._selector = Selector(bank)
        self._last: MLOpsObservation | None = None
        self._trail: Trail = []
        self._closed = False

    async def reset_async(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        task_id: str | None = None,
        split: str | None = None,
        index: int | None = None,
        controls: bool | None = None,
        **_: object,
    ) -> MLOpsObservation:
        """Open an episode; names that are not known are ignored, since harnesses pass whole rows of their data.

        Raises `EpisodeError` for bad values (the server answers with an error; a running episode goes on), and for
        `controls` from a connection without the harness key: it would tell whether there is a fault.
        """
        if controls is not None and not connection_is_trusted():
            raise EpisodeError("controls needs the harness key: leave it out, or connect with the key")
        if episode_id is not None and not (isinstance(episode_id, str) and 0 < len(episode_id) <= MAX_EPISODE_ID):
            raise EpisodeError(f"expected episode_id to be text of 1 to {MAX_EPISODE_ID} characters: choose another")
        name, task = _split_and_task(split, task_id)
        try:
            observation = await self._session.reset(
                seed=seed, task_id=task, split=name, index=index, controls=controls, episode_id=episode_id
            )
        except BankError as error:
            # Its words name files of this machine and a scenario: they are the operator's to read.
            _LOG.error("a scenario could not be read: %s", error)
            raise EpisodeError("expected a readable bank, found a damaged one: the operator's log says more") from None
        self._rubric.reset()
        self._trail = []
        self._last = MLOpsObservation.of(observation)
        return self._last

    async def step_async(self, action: MLOpsAction, timeout_s: float | None = None, **_: object) -> MLOpsObservation:
        """Carry an action out; a fix trial is awaited. Whatever goes wrong is told in the observation."""
        trail = self._trail
        try:
            problem = action.problem if isinstance(action, WireAction) else None
            if problem is None:
                observation = await self._session.step(action)
            else:
                observation = self._session.reject(problem)
        except EpisodeError as error:
            return self._refusal(str(error))
        told = MLOpsObservation.of(observation)
        if trail is self._trail:  # else a reset came while the trial ran, and this is the last episode's answer
            trail.append(Step(told.step_count, action, told.last_action_result))
            self._last = told
            if told.done:
                self._rubric(action, told)
        return told

    def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> MLOpsObservation:
        """`reset_async` for callers without an event loop."""
        return asyncio.run(self.reset_async(seed=seed, episode_id=episode_id, **options))

    def step(self, action: MLOpsAction, timeout_s: float | None = None, **options: Any) -> MLOpsObservation:
        """`step_async` for callers without an event loop."""
        return asyncio.run(self.step_async(action, timeout_s=timeout_s, **options))

    @property
    def state(self) -> MLOpsState:
        """The state; its answer is sealed unless the connection presented the harness key."""
        if self._last is None or self._closed:
            return MLOpsState.empty(self._settings.max_steps).sealed()
        state = MLOpsState.of(self._session.state())
        return state if connection_is_trusted() else state.sealed()

    def render_web(self, observation: dict[str, Any]) -> str | None:
        """The episode as HTML, for OpenEnv's web page: what was shown so far, and nothing that was not."""
        return draw(observation, self._trail)

    def web_actions(self, observation: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """Next actions that an engineer would think of, as (label, action) pairs; none when the episode is over."""
        return suggest(observation, self._trail)

    def close(self) -> None:
        """End the session. The server may do so while the client is still connected: later steps are refused."""
        self._closed = True
        self._session.close()

    def get_metadata(self) -> EnvironmentMetadata:
        return EnvironmentMetadata(
            name=ENVIRONMENT_NAME,
            description="Investigate a broken training run, say what is wrong, and have the fix run.",
            version=__version__,
        )

    def list_splits(self) -> list[dict[str, str]]:
        """The splits, then each by task; those without a scenario are left out."""
        names = [*SPLITS, *(f"{split}/{task}" for split in SPLITS for task in TASKS if task != "mixed")]
        return [{"name": name, "type": name.partition("/")[0]} for name in names if self._count(name)]

    def num_tasks(self, split: str) -> int:
        name, task = _split_and_task(split, None)
        return len(self._selector.pool(split=name or "train", task_id=task))

    def get_task(self, split: str, index: int) -> TaskSpec:
        """Raises `IndexError` out of range, as the Task API wants."""
        if not 0 <= index < self.num_tasks(split):
            raise IndexError(f"expected an index from 0 to {self.num_tasks(split) - 1} in split {split}, found {index}")
        return self.get_task_range(split, index, index + 1)[0]

    def list_tasks(self, split: str) -> list[TaskSpec]:
        return self.get_task_range(split)

    def get_task_range(self, split: str, start: int | None = None, stop: int | None = None) -> list[TaskSpec]:
        """The tasks in [start, stop), bounds read as in a Python slice."""
        _, task = _split_and_task(split, None)
        indices = range(self.num_tasks(split))[slice(start, stop)]
        return [TaskSpec(id=f"{split}-{index}", split=split, index=index, task_id=task) for index in indices]

    def _count(self, split: str) -> int:
        try:
            return self.num_tasks(split)
        except EpisodeError:
            return 0

    def _refusal(self, error: str) -> MLOpsObservation:
        """Nothing to step: before reset, after the end, or in a closed session. It is over for the caller: done."""
        answer: dict[str, Any] = {"error": error, "closed": True} if self._closed else {"error": error}
        told = {"last_action_result": answer, "messages": [error], "done": True, "reward": 0.0}
        if self._last is not None:
            return self._last.model_copy(update={**told, "metadata": {}})
        return MLOpsObservation(
            task_id="",
            task_description=TASK_DESCRIPTION,
            run_id="",
            run_summary={},
            available_artifacts=[],
            max_steps=self._settings.max_steps,
            last_action_result=answer,
            messages=[error],
            done=True,
            reward=0.0,
        )


def _split_and_task(split: str | None, task_id: str | None) -> tuple[str | None, str]:
    """The bank's split and the task that a split's name and a task's mean together."""
    if not isinstance(split, str):
        return split, task_id or "mixed"
    name, slash, task = split.partition("/")
    if slash and task_id not in (None, task):
        raise EpisodeError(f"split {split!r} names a task, task_id another, {task_id!r}: leave one out")
    return name, task if slash else task_id or "mixed"
