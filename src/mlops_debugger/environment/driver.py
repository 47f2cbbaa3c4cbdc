"""Drivers: they hold a bank, open episodes, and carry out what an episode asks for."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mlops_debugger.bank import Bank, Scenario
from mlops_debugger.contract import MLOpsAction, MLOpsObservation, MLOpsState
from mlops_debugger.environment.episode import Episode
from mlops_debugger.environment.investigation import DEFAULT_MAX_STEPS, Tell, tell
from mlops_debugger.environment.tasks import Selector, check_seed, check_task
from mlops_debugger.errors import EpisodeError, RunError
from mlops_debugger.grading import TrialRequest, TrialResult, grade, prepare
from mlops_debugger.projects import projects

Trainer = Callable[[TrialRequest], TrialResult]
AsyncTrainer = Callable[[TrialRequest], Awaitable[TrialResult]]
NO_EPISODE = "expected reset before step or state, found no episode: call reset first"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """How episodes are opened. `max_steps` is the contract's limit.

    `show_rows` off withholds row scores. `reveal` tells the answer, too, once a diagnosis was accepted.
    """

    max_steps: int = DEFAULT_MAX_STEPS
    show_rows: bool = True
    reveal: bool = False


class _Driver:
    """What both drivers share. A bank may serve many drivers: closing one leaves it open."""

    def __init__(self, bank: Bank, settings: Settings | None = None, tell: Tell = tell) -> None:
        self._bank, self._tell = bank, tell
        self._selector = Selector(bank)
        self._settings = settings or Settings()
        self._episode: Episode | None = None
        self._closed = False

    @property
    def episode(self) -> Episode:
        """The running episode; raises `EpisodeError` before reset and after close."""
        if self._closed:
            raise EpisodeError("the session is closed: open another one")
        if self._episode is None:
            raise EpisodeError(NO_EPISODE)
        return self._episode

    def state(self) -> MLOpsState:
        """The full state, the answer included: for the harness, never for the agent."""
        return self.episode.state()

    def reject(self, reason: str) -> MLOpsObservation:
        """Answer input that is no action (see `read_action`): it costs a step and ends nothing."""
        return self.episode.reject(reason)

    def close(self) -> None:
        """Drop the episode; every later call is refused."""
        self._closed = True
        self._episode = None

    def _open(
        self,
        *,
        seed: int | None,
        task_id: str,
        split: str | None,
        index: int | None,
        controls: bool | None,
        scenario_id: str | None,
        episode_id: str | None,
    ) -> MLOpsObservation:
        if self._closed:
            raise EpisodeError("the session is closed: open another one")
        check_task(task_id)
        drawn = index is None and scenario_id is None
        if seed is None:
            # 48 bits survive readers of JSON whose numbers are doubles; where nothing is drawn, no seed matters.
            seed = secrets.randbits(48) if drawn else 0
        if scenario_id is None:
            scenario_id = self._selector.select(seed=seed, task_id=task_id, split=split, index=index, controls=controls)
        scenario = self._bank.get(scenario_id)
        self._episode = Episode(
            scenario,
            task_id=task_id,
            seed=check_seed(seed),
            episode_id=episode_id or secrets.token_hex(16),
            prepare=prepare,
            grade=grade,
            max_steps=self._settings.max_steps,
            dialect=_dialect(scenario),
            show_rows=self._settings.show_rows,
            reveal=self._settings.reveal,
            tell=self._tell,
        )
        return self._episode.observation()


def _dialect(scenario: Scenario) -> dict[str, str]:
    project = projects().get(scenario.project)
    return dict(project.dialect) if project else {}


class Session(_Driver):
    """Plays episodes in this process. Without a trainer the fix row stays unscored.

    A trainer that raises `RunError` leaves the row unscored too: that is our failure, not the agent's.
    """

    def __init__(self, bank: Bank, trainer: Trainer | None = None, settings: Settings | None = None) -> None:
        super().__init__(bank, settings)
        self._trainer = trainer

    def reset(
        self,
        *,
        seed: int | None = None,
        task_id: str = "mixed",
        split: str | None = None,
        index: int | None = None,
        controls: bool | None = None,
        scenario_id: str | None = None,
        episode_id: str | None = None,
    ) -> MLOpsObservation:
        """Open an episode: by `seed` (random when omitted; the state says which), by `split` and `index`, or by id.

        `task_id` and `split` narrow a draw and an index; `controls` keeps or drops healthy controls.
        Raises `EpisodeError` for values out of range and `BankError` where the bank cannot be read.
        """
        return self._open(
            seed=seed,
            task_id=task_id,
            split=split,
            index=index,
            controls=controls,
            scenario_id=scenario_id,
            episode_id=episode_id,
        )

    def step(self, action: MLOpsAction) -> MLOpsObservation:
        """Carry an action out, the trial of a fix included. Raises `EpisodeError` when there is nothing to step."""
        episode = self.episode
        outcome = episode.step(action)
        if not isinstance(outcome, TrialRequest):
            return outcome
        if self._trainer is None:
            return episode.resume(None)
        try:
            result = self._trainer(outcome)
        except RunError as error:
            _LOG.warning("the trial of episode %s could not be carried out: %s", episode.state().episode_id, error)
            return episode.resume(None)
        except BaseException:
            episode.resume(None)
            raise
        return episode.resume(result)


class AsyncSession(_Driver):
    """Plays episodes on an event loop: a trial is awaited. Otherwise like `Session`.

    `tell` makes the observations, for callers who want a class of their own, or look at none of them twice.
    """

    def __init__(
        self,
        bank: Bank,
        trainer: AsyncTrainer | None = None,
        settings: Settings | None = None,
        *,
        tell: Tell = tell,
    ) -> None:
        super().__init__(bank, settings, tell)
        self._trainer = trainer

    async def reset(
        self,
        *,
        seed: int | None = None,
        task_id: str = "mixed",
        split: str | None = None,
        index: int | None = None,
        controls: bool | None = None,
        scenario_id: str | None = None,
        episode_id: str | None = None,
    ) -> MLOpsObservation:
        """Open an episode, as `Session.reset` does."""
        return self._open(
            seed=seed,
            task_id=task_id,
            split=split,
            index=index,
            controls=controls,
            scenario_id=scenario_id,
            episode_id=episode_id,
        )

    async def step(self, action: MLOpsAction) -> MLOpsObservation:
        """Carry an action out, as `Session.step` does. The episode is kept by hand: a reset meanwhile opens another."""
        episode = self.episode
        outcome = episode.step(action)
        return await self.finish(episode, outcome) if isinstance(outcome, TrialRequest) else outcome

    async def finish(self, episode: Episode, request: TrialRequest) -> MLOpsObservation:
        """The end of a step of `episode` that asked for a trial: waits for it."""
        if self._trainer is None:
            return episode.resume(None)
        try:
            result = await self._trainer(request)
        except RunError as error:
            _LOG.warning("the trial of episode %s could not be carried out: %s", episode.state().episode_id, error)
            return episode.resume(None)
        except BaseException:
            # A cancelled wait, too, must not leave an episode behind that waits for ever.
            episode.resume(None)
            raise
        return episode.resume(result)
