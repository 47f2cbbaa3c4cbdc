"""The environment as OpenEnv's server drives it: one instance a session, on one shared bank."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import EnvironmentMetadata

from mlops_debugger import __version__
from mlops_debugger.bank import Bank
from mlops_debugger.contract import MLOpsAction
from mlops_debugger.environment import TASK_DESCRIPTION, AsyncSession, Selector
from mlops_debugger.environment.driver import NO_EPISODE, AsyncTrainer, Settings
from mlops_debugger.errors import EpisodeError
from mlops_debugger.grading import TrialRequest
from mlops_debugger.openenv.access import connection_is_trusted
from mlops_debugger.openenv.banktasks import BankTasks, split_and_task
from mlops_debugger.openenv.drawing import draw
from mlops_debugger.openenv.models import MLOpsObservation, MLOpsState, SentObservation, WireAction
from mlops_debugger.openenv.rubric import DiagnosisRubric
from mlops_debugger.openenv.service import Service
from mlops_debugger.openenv.suggestions import suggest
from mlops_debugger.openenv.trail import Step, Trail
from mlops_debugger.watch import WatchedEpisode

ENVIRONMENT_NAME = "mlops_pipeline_debugger"
MAX_EPISODE_ID = 255


class MLOpsEnvironment(BankTasks, Environment[MLOpsAction, MLOpsObservation, MLOpsState]):
    """Plays episodes of a bank. Fix trials go to `trainer`; without one the fix row stays unscored.

    A server hands in its `service` instead, which has the trainer, counts what happens and keeps transcripts. It sends
    its observations and drops them, so they share what the episode holds; others are handed copies.

    The Task API's splits are those of the bank, and each split by task: `test` holds every scenario of the test split,
    `test/hard` its hard ones. Reset takes such a name as `split`, with an `index`.

    `rubric` has the rows of the grade as named children; they have scores after an accepted diagnosis (see `rubric`).
    `render_web` and `web_actions` are what OpenEnv's web page asks for (see `page`); they know the steps of the episode
    only where it is `drawn`.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    # OpenEnv gives each session a thread of its own otherwise. Nothing here needs one: reset and step are coroutines.
    REQUIRES_SINGLE_THREAD_EXECUTOR = True

    def __init__(
        self,
        bank: Bank,
        trainer: AsyncTrainer | None = None,
        settings: Settings | None = None,
        *,
        service: Service | None = None,
        drawn: bool = True,
    ) -> None:
        self._rubric = DiagnosisRubric()
        super().__init__(rubric=self._rubric)
        self._settings = settings or Settings()
        self._service = service or Service(trainer)
        tell = MLOpsObservation.owning if service is None else SentObservation.sharing
        self._session = AsyncSession(bank, self._service.trainer, self._settings, tell=tell)
        self._watch = self._service.watch.session("reset for another one")
        # Not the last observation: kept until the next step it would be freed when it is in no cache any more.
        self._watched: WatchedEpisode | None = None
        self._selector = Selector(bank)
        self._drawn, self._trail = drawn, Trail()
        self._closed = False
        self._service.opened()

    async def reset_async(
        self,
        /,  # a field named self, too, is one that is not known
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
        try:
            told = await self._open(seed, episode_id, task_id, split, index, controls)
        except EpisodeError:
            self._watch.counts.rejected("bad_reset")
            raise
        self._rubric.reset()
        self._trail = []
        self._watched = self._watch.opened(self._session, told)
        return told

    async def _open(
        self,
        seed: int | None,
        episode_id: str | None,
        task_id: str | None,
        split: str | None,
        index: int | None,
        controls: bool | None,
    ) -> MLOpsObservation:
        if self._closed:
            raise EpisodeError(self._closed_words())
        if controls is not None and not connection_is_trusted():
            raise EpisodeError("controls needs the harness key: leave it out, or connect with the key")
        if episode_id is not None and not _is_episode_id(episode_id):
            raise EpisodeError(f"expected episode_id to be text of 1 to {MAX_EPISODE_ID} characters: choose another")
        name, task = split_and_task(split, task_id)
        reset = self._session.reset(
            seed=seed, task_id=task, split=name, index=index, controls=controls, episode_id=episode_id
        )
        return cast(MLOpsObservation, await self._watch.opening(reset))

    async def step_async(self, action: MLOpsAction, timeout_s: float | None = None, **_: object) -> MLOpsObservation:
        """Carry an action out; a fix trial is awaited. Whatever goes wrong with it is told in the observation.

        Raises `EpisodeError`, and loses the episode, where it ends and its transcript cannot be kept: the server
        promised to, so a harness must not go on as if it had been.
        """
        started = time.perf_counter()
        # Kept by hand: a reset while a trial is awaited opens another one.
        watched, trail = self._watched, self._trail
        try:
            if self._closed or watched is None:
                raise EpisodeError(self._closed_words() if self._closed else NO_EPISODE)
            problem = action.problem if isinstance(action, WireAction) else None
            episode = watched.episode
            outcome = episode.step(action) if problem is None else episode.reject(problem)
            if isinstance(outcome, TrialRequest):
                outcome = await self._session.finish(episode, outcome)
        except EpisodeError as error:
            self._watch.counts.rejected("nothing_to_step")
            return self._refusal(str(error))
        told = cast(MLOpsObservation, outcome)
        if trail is self._trail:  # else a reset came while the trial ran, and this is the last episode's answer
            if self._drawn:
                trail.append(Step(told.step_count, action, told.last_action_result))
            if told.done:
                self._rubric(action, told)
        given = action if problem is None else problem
        if told.done:
            await watched.ended(given, told, started)
        else:
            watched.answered(given, told, started)
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
        if self._watched is None or self._closed:
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
        if not self._closed:
            self._closed = True
            self._session.close()
            self._service.closed()

    def get_metadata(self) -> EnvironmentMetadata:
        return EnvironmentMetadata(
            name=ENVIRONMENT_NAME,
            description="Investigate a broken training run, say what is wrong, and have the fix run.",
            version=__version__,
        )

    def _closed_words(self) -> str:
        return (
            f"the session is closed: the server ends sessions that are idle for {self._service.idle_timeout_s:g} s, "
            "and its episode is lost; connect again"
        )

    def _refusal(self, error: str) -> MLOpsObservation:
        """Nothing to step: before reset, after the end, or in a closed session. It is over for the caller: done."""
        answer: dict[str, Any] = {"error": error, "closed": True} if self._closed else {"error": error}
        told = {"last_action_result": answer, "messages": [error], "done": True, "reward": 0.0}
        if self._watched is not None:
            last = cast(MLOpsObservation, self._watched.episode.observation())
            return last.model_copy(update={**told, "metadata": {}})
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


def _is_episode_id(value: object) -> bool:
    """Half of a surrogate pair is no text: the state that repeats the id could not be sent."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_EPISODE_ID
        and not any("\ud800" <= character <= "\udfff" for character in value)
    )
