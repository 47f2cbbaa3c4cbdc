"""Sessions and episodes as their server sees them: what to count, and what to keep before the last reply is sent."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

from mlops_debugger.contract import MLOpsAction, MLOpsObservation
from mlops_debugger.environment import AsyncSession, Episode
from mlops_debugger.errors import BankError, EpisodeError, ServingError
from mlops_debugger.watch.transcripts import Recording, TranscriptLog

INVALID = "invalid"
"""The action type of what is none."""
Reject = Literal["invalid_action", "incomplete_diagnosis", "nothing_to_step", "bad_reset", "unauthorized", "capacity"]
Trouble = Literal["trial", "bank", "transcripts"]
Told = TypeVar("Told", bound=MLOpsObservation)
_LOG = logging.getLogger(__name__)


class Counts(Protocol):
    """What counts (`openenv.metrics.Metrics` does, for Prometheus); called on the event loop at every step."""

    def began(self) -> None:
        """A session opened its first episode."""

    def seated(self, sessions: int, playing: int) -> None:
        """So many MCP sessions are connected now, and so many of them play an episode."""

    def stepped(self, action_type: str, seconds: float) -> None:
        """A step was answered, of an action type or `INVALID`."""

    def rejected(self, reason: Reject) -> None:
        """Something was turned away."""

    def troubled(self, kind: Trouble) -> None:
        """Something failed that is the server's own."""

    def ended(self, *, diagnosed: bool) -> None:
        """An episode ended."""


class Uncounted:
    """Counts nothing."""

    def began(self) -> None: ...
    def seated(self, sessions: int, playing: int) -> None: ...
    def stepped(self, action_type: str, seconds: float) -> None: ...
    def rejected(self, reason: Reject) -> None: ...
    def troubled(self, kind: Trouble) -> None: ...
    def ended(self, *, diagnosed: bool) -> None: ...


@dataclass(frozen=True)
class Watch:
    """Shared by all sessions of a process. `log` takes finished episodes; None keeps none.

    `answering` is put around waits for the log: a server does not end meanwhile.
    """

    counts: Counts = field(default_factory=Uncounted)
    log: TranscriptLog | None = None
    answering: Callable[[], AbstractContextManager[object]] = nullcontext

    def session(self, again: str) -> WatchedSession:
        """For a new session; `again` tells its player how to open another episode where one is lost."""
        return WatchedSession(self, again)


class WatchedSession:
    """One session, whose episodes come one after the other."""

    def __init__(self, watch: Watch, again: str) -> None:
        self.counts = watch.counts
        self._watch, self._again = watch, again
        self._began = False

    async def opening(self, reset: Awaitable[Told]) -> Told:
        """What `reset` gives; raises `EpisodeError`, for a bank that cannot be read too."""
        try:
            return await reset
        except BankError as error:
            # Its words name files of this machine and a scenario: they are the operator's to read.
            _LOG.error("a scenario could not be read: %s", error)
            self.counts.troubled("bank")
            raise EpisodeError("expected a readable bank, found a damaged one: the operator's log says more") from None

    def opened(self, session: AsyncSession, told: MLOpsObservation) -> WatchedEpisode:
        """For the episode that `session` has just opened with `told`."""
        if not self._began:
            self._began = True
            self.counts.began()
        return WatchedEpisode(self._watch, self._again, session.episode, told)


class WatchedEpisode:
    """One episode. Of every step it is told what was given, an action or why what came is none, and the answer."""

    __slots__ = ("_again", "_counts", "_recording", "_watch", "episode")

    def __init__(self, watch: Watch, again: str, episode: Episode, opening: MLOpsObservation) -> None:
        self._watch, self._again, self.episode = watch, again, episode
        self._counts = watch.counts
        self._recording: Recording | None = None
        if watch.log is not None:
            state = episode.state()
            self._recording = Recording(opening, str(state.episode_id), state.seed)

    def answered(self, given: MLOpsAction | str, told: MLOpsObservation, started: float) -> None:
        """The episode goes on. `started` is `time.perf_counter()` of when the step came."""
        if self._recording is not None:
            self._recording.add(given, told)
        counts, kind = self._counts, INVALID
        if isinstance(given, str):
            counts.rejected("invalid_action")
        else:
            kind = given.action_type
            if kind == "submit_diagnosis" and told.last_action_result.get("accepted") is False:
                counts.rejected("incomplete_diagnosis")
        counts.stepped(kind, time.perf_counter() - started)

    async def ended(self, given: MLOpsAction | str, told: MLOpsObservation, started: float) -> None:
        """The step ended the episode: returns once its transcript is on the disk.

        Raises `EpisodeError` where it cannot be kept: the server promised to, so a harness must not go on as if it had
        been.
        """
        grade = self.episode.grade
        self._counts.ended(diagnosed=grade is not None)
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.add(given, told)
            await self._keep(
                recording.finish(0.0, {}, ())
                if grade is None
                else recording.finish(grade.score, dict(grade.rows), grade.unscored)
            )
        self.answered(given, told, started)

    async def _keep(self, record: dict[str, object]) -> None:
        log = self._watch.log
        if log is None:
            return
        try:
            with self._watch.answering():
                await log.add(record)
        except ServingError as error:
            _LOG.error("a transcript was lost: %s", error)
            self._counts.troubled("transcripts")
            raise EpisodeError(
                "the episode is over, but its transcript could not be kept, so it does not count: "
                f"the operator's log says more; {self._again}"
            ) from None
