"""Places for MCP sessions: one running episode each, a cap on how many run at once, idle ones ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from mlops_debugger.bank import Bank
from mlops_debugger.contract import MLOpsAction, MLOpsObservation
from mlops_debugger.environment import AsyncSession
from mlops_debugger.environment.driver import AsyncTrainer, Settings
from mlops_debugger.errors import EpisodeError
from mlops_debugger.tools import read_call
from mlops_debugger.watch import Reject, Watch, WatchedEpisode

NOT_STARTED = "expected a running episode, found none: call start_episode first"
_AGAIN = "start_episode opens another"


@dataclass(frozen=True)
class Start:
    """What an episode starts with where the client names nothing."""

    task: str = "mixed"
    split: str | None = None


class Hall:
    """Hands out seats on one shared bank. At most `capacity` of them have a running episode at any time.

    An episode without a call for `idle_s` seconds is ended: its own next call is told so, and its place is free as soon
    as somebody asks for one. `watch` counts what the sessions do and keeps their finished episodes. `clock` gives
    seconds that never go back.
    """

    def __init__(
        self,
        bank: Bank,
        trainer: AsyncTrainer | None = None,
        settings: Settings | None = None,
        *,
        capacity: int,
        idle_s: float,
        watch: Watch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bank, self._trainer, self._settings = bank, trainer, settings or Settings()
        self.capacity, self.idle_s = capacity, idle_s
        self.watch = watch or Watch()
        self._clock = clock
        self._seats: set[Seat] = set()
        self._used: dict[Seat, float] = {}

    @property
    def sessions(self) -> int:
        """How many MCP sessions are connected, playing or not."""
        return len(self._seats)

    @property
    def playing(self) -> int:
        """How many episodes are running; those that are due to be ended are still counted."""
        return len(self._used)

    def seat(self) -> Seat:
        """A seat for a new MCP session; it takes none of the places until its episode starts."""
        seat = Seat(self)
        self._seats.add(seat)
        self._count()
        return seat

    def dismiss(self, seat: Seat) -> None:
        """The seat's MCP session is over."""
        self._seats.discard(seat)
        self.leave(seat)

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
        self._count()

    def overdue(self, seat: Seat) -> bool:
        """Whether the seat's running episode was without a call for too long."""
        return seat in self._used and self._clock() - self._used[seat] > self.idle_s

    def touch(self, seat: Seat) -> None:
        """Note that the seat's episode was used just now."""
        if seat in self._used:
            self._used[seat] = self._clock()

    def leave(self, seat: Seat) -> None:
        self._used.pop(seat, None)
        self._count()

    def _count(self) -> None:
        self.watch.counts.seated(self.sessions, self.playing)


class Seat:
    """One MCP session: its calls are carried out one after the other, in the order in which they came."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._watch = hall.watch.session(_AGAIN)
        self._session: AsyncSession | None = None
        self._watched: WatchedEpisode | None = None
        self._turn = asyncio.Lock()
        self._step: asyncio.Task[MLOpsObservation] | None = None
        # Why there is no episode to step.
        self._gone = NOT_STARTED
        self.last: MLOpsObservation | None = None

    @property
    def busy(self) -> bool:
        """Whether a call is being carried out, or a step whose call was given up."""
        return self._turn.locked() or (self._step is not None and not self._step.done())

    def refused(self, reason: Reject, words: str) -> EpisodeError:
        """The error to raise for a call that is turned away: it is counted."""
        self._watch.counts.rejected(reason)
        return EpisodeError(words)

    async def start(self, *, seed: int | None, task: str, split: str | None, index: int | None) -> MLOpsObservation:
        """Open an episode in place of the one that there is. Raises `EpisodeError`; what was running then goes on."""
        async with self._turn:
            await self._settle()
            session = self._hall.open()
            try:
                opening = session.reset(seed=seed, task_id=task, split=split, index=index)
                observation = await self._watch.opening(opening)
            except EpisodeError:
                self._watch.counts.rejected("bad_reset")
                raise
            try:
                self._hall.admit(self)
            except EpisodeError:
                self._watch.counts.rejected("capacity")
                raise
            if self._session is not None:
                self._session.close()
            self._session, self.last = session, observation
            self._watched = self._watch.opened(session, observation)
            return observation

    async def call(self, name: str, arguments: object) -> MLOpsObservation:
        """Carry a tool call out; a call that makes no sense costs a step.

        Raises `EpisodeError` with nothing to step, and, the episode lost, where it ends and its transcript cannot be
        kept. A fix trial whose call is given up (a client that does not wait so long) goes on, and its result is kept.
        """
        async with self._turn:
            await self._settle()
            if self._hall.overdue(self):
                self.evict()
            session, watched = self._session, self._watched
            if session is None or watched is None or self.last is None:
                raise self.refused("nothing_to_step", self._gone)
            if self.last.done:
                raise self.refused("nothing_to_step", _over(self.last))
            self._step = asyncio.ensure_future(_take(session, watched, read_call(name, arguments)))
            await self._settle()
            return self.last

    async def _settle(self) -> None:
        """Wait for the step that is being carried out, if there is one, and keep what came of it."""
        step = self._step
        if step is None:
            return
        # Unlike awaiting it, this leaves the step alone when the wait is given up.
        await asyncio.wait((step,))
        self._step = None
        try:
            observation = step.result()
        except EpisodeError as error:
            self._drop(str(error))
            raise
        self.last = observation
        if observation.done:
            self._hall.leave(self)
        else:
            self._hall.touch(self)

    def evict(self) -> None:
        """End the episode because it was idle."""
        self._drop(f"the episode was ended after {self._hall.idle_s:g} s without a call: {_AGAIN}")

    def close(self) -> None:
        """The MCP session is over: a trial that is under way is given up."""
        self._drop(NOT_STARTED)
        self._hall.dismiss(self)

    def _drop(self, why: str) -> None:
        """Give the place back, the episode lost; later calls are told why."""
        self._hall.leave(self)
        self._gone = why
        if self._step is not None:
            self._step.cancel()
            self._step = None
        if self._session is not None:
            self._session.close()
        self._session = self._watched = self.last = None


async def _take(session: AsyncSession, watched: WatchedEpisode, given: MLOpsAction | str) -> MLOpsObservation:
    """A step, counted, and kept where it ends the episode, whether or not anybody waits for it."""
    started = time.perf_counter()
    told = session.reject(given) if isinstance(given, str) else await session.step(given)
    if told.done:
        await watched.ended(given, told, started)
    else:
        watched.answered(given, told, started)
    return told


def _over(last: MLOpsObservation) -> str:
    result = last.last_action_result
    rows = f", rows {result['rows']}" if result.get("rows") else ""
    return f"the episode is over after {last.step_count} steps with score {last.reward or 0:g}{rows}: {_AGAIN}"
