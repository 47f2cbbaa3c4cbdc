"""Places for MCP sessions: one running episode each, a cap on how many run at once, idle ones ended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from mlops_debugger.bank import Bank
from mlops_debugger.contract import MLOpsObservation
from mlops_debugger.environment import AsyncSession
from mlops_debugger.environment.driver import AsyncTrainer, Settings
from mlops_debugger.errors import BankError, EpisodeError
from mlops_debugger.tools import read_call

_LOG = logging.getLogger(__name__)
NOT_STARTED = "expected a running episode, found none: call start_episode first"


@dataclass(frozen=True)
class Start:
    """What an episode starts with where the client names nothing."""

    task: str = "mixed"
    split: str | None = None


class Hall:
    """Hands out seats on one shared bank. At most `capacity` of them have a running episode at any time.

    An episode without a call for `idle_s` seconds is ended: its own next call is told so, and its place is free as soon
    as somebody asks for one. `clock` gives seconds that never go back.
    """

    def __init__(
        self,
        bank: Bank,
        trainer: AsyncTrainer | None = None,
        settings: Settings | None = None,
        *,
        capacity: int,
        idle_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bank, self._trainer, self._settings = bank, trainer, settings or Settings()
        self.capacity, self.idle_s = capacity, idle_s
        self._clock = clock
        self._used: dict[Seat, float] = {}

    @property
    def playing(self) -> int:
        """How many episodes are running; those that are due to be ended are still counted."""
        return len(self._used)

    def seat(self) -> Seat:
        """A seat for a new MCP session; it takes none of the places until its episode starts."""
        return Seat(self)

    def open(self) -> AsyncSession:
        return AsyncSession(self._bank, self._trainer, self._settings)

    def admit(self, seat: Seat) -> None:
        """Give a place to the seat, unless it has one; raises `EpisodeError` where all are taken."""
        for other in list(self._used):
            if other is not seat and not other.busy and self.overdue(other):
                other.evict()
        if seat not in self._used and len(self._used) >= self.capacity:
            raise EpisodeError(
                f"expected a free place, found all {self.capacity} taken by running episodes: try again later; "
                f"an episode without a call for {self.idle_s:g} s is ended"
            )
        self._used[seat] = self._clock()

    def overdue(self, seat: Seat) -> bool:
        """Whether the seat's running episode was without a call for too long."""
        return seat in self._used and self._clock() - self._used[seat] > self.idle_s

    def touch(self, seat: Seat) -> None:
        """Note that the seat's episode was used just now."""
        if seat in self._used:
            self._used[seat] = self._clock()

    def leave(self, seat: Seat) -> None:
        self._used.pop(seat, None)


class Seat:
    """One MCP session: its calls are carried out one after the other, in the order in which they came."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._session: AsyncSession | None = None
        self._turn = asyncio.Lock()
        self._step: asyncio.Task[MLOpsObservation] | None = None
        self.evicted = False
        self.last: MLOpsObservation | None = None

    @property
    def busy(self) -> bool:
        """Whether a call is being carried out, or a a step whose call was given up."""
        return self._turn.locked() or (self._step is not None and not self._step.done())

    async def start(self, *, seed: int | None, task: str, split: str | None, index: int | None) -> MLOpsObservation:
        """Open an episode in place of the one that there is. Raises `EpisodeError`; what was running then goes on."""
        async with self._turn:
            await self._settle()
            session = self._hall.open()
            try:
                observation = await session.reset(seed=seed, task_id=task, split=split, index=index)
            except BankError as error:
                # Its words name files of this machine and a scenario: they are the operator's to read.
                _LOG.error("a scenario could not be read: %s", error)
                raise EpisodeError(
                    "expected a readable bank, found a damaged one: the operator's log says more"
                ) from None
            self._hall.admit(self)
            if self._session is not None:
                self._session.close()
            self._session, self.last, self.evicted = session, observation, False
            return observation

    async def call(self, name: str, arguments: object) -> MLOpsObservation:
        """Carry a tool call out; a call that makes no sense costs a step. Raises `EpisodeError` with nothing to step.

        A fix trial whose call is given up (a client that does not wait so long) goes on, and its result is kept.
        """
        async with self._turn:
            await self._settle()
            if self._hall.overdue(self):
                self.evict()
            if self.evicted:
                raise EpisodeError(
                    f"the episode was ended after {self._hall.idle_s:g} s without a call: start_episode opens another"
                )
            if self._session is None or self.last is None:
                raise EpisodeError(NOT_STARTED)
            if self.last.done:
                raise EpisodeError(_over(self.last))
            action = read_call(name, arguments)
            if isinstance(action, str):
                self._keep(self._session.reject(action))
            else:
                self._step = asyncio.ensure_future(self._session.step(action))
                await self._settle()
            return self.last

    async def _settle(self) -> None:
        """Wait for the step that is being carried out, if there is one, and keep what came of it."""
        step = self._step
        if step is not None:
            # Unlike awaiting it, this leaves the step alone when the wait is given up.
            await asyncio.wait((step,))
            self._step = None
            self._keep(step.result())

    def _keep(self, observation: MLOpsObservation) -> None:
        self.last = observation
        if observation.done:
            self._hall.leave(self)
        else:
            self._hall.touch(self)

    def evict(self) -> None:
        """End the episode because it was idle."""
        self.close()
        self.evicted = True

    def close(self) -> None:
        """Give the place back; a trial that is under way is given up."""
        self._hall.leave(self)
        if self._step is not None:
            self._step.cancel()
            self._step = None
        if self._session is not None:
            self._session.close()
            self._session = None
        self.last = None


def _over(last: MLOpsObservation) -> str:
    result = last.last_action_result
    rows = f", rows {result['rows']}" if result.get("rows") else ""
    return (
        f"the episode is over after {last.step_count} steps with score {last.reward or 0:g}{rows}: "
        "start_episode opens another"
    )
