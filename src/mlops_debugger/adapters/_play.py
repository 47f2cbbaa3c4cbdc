"""An episode as a harness holds it: what is shown to the policy as text, and what is told to the harness alone."""

from __future__ import annotations

import atexit
import functools
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.contract import MLOpsAction, MLOpsObservation, MLOpsState
from mlops_debugger.environment import Session, read_action
from mlops_debugger.environment.driver import Settings, Trainer
from mlops_debugger.errors import EpisodeError
from mlops_debugger.grading import Trials
from mlops_debugger.tools import opening, read_call, reading

BankLike = Bank | Path | str | None


def open_bank(bank: BankLike = None) -> Bank:
    """The bank itself, or one opened once a thread: the starter bank when none is named. Raises `BankError`."""
    if isinstance(bank, Bank):
        return bank
    return _bank(str(bank or starter_bank_path()), os.getpid(), threading.get_ident())


def shared_trials(*, workers: int = 1, allow_code: bool = False) -> Trials:
    """Fix trials that all environments of this process share: warm workers cost seconds and hundreds of megabytes.

    They start with the first trial. `allow_code` matters where the machine has no sandbox (see `Trials`).
    """
    return _trials(workers, allow_code, os.getpid())


# By process: neither an open database nor the pipes of a warm worker survive a fork. A bank is for one thread.
@functools.lru_cache(maxsize=16)
def _bank(path: str, _process: int, _thread: int) -> Bank:
    return Bank(path)


@functools.lru_cache(maxsize=16)
def _trials(workers: int, allow_code: bool, _process: int) -> Trials:
    trials = Trials(workers=workers, allow_code=allow_code)
    atexit.register(trials.close)
    return trials


class Play:
    """One session, an episode at a time. What the policy may see comes back as text.

    `trainer` carries out fix trials; the shared ones when omitted. Bad input costs a step and ends nothing.
    """

    def __init__(self, bank: BankLike = None, trainer: Trainer | None = None, max_steps: int | None = None) -> None:
        settings = Settings() if max_steps is None else Settings(max_steps=max_steps)
        self._session = Session(open_bank(bank), trainer or shared_trials().run, settings)
        self._last: MLOpsObservation | None = None

    def reset(self, **selection: Any) -> str:
        """Open an episode, chosen as `Session.reset` does; returns what an agent is told at first."""
        self._last = self._session.reset(**selection)
        return opening(self._last)

    def act(self, action: MLOpsAction | Mapping[str, object]) -> str:
        """Carry an action out, a fix trial included; returns what the agent is told."""
        read = read_action(action)
        try:
            self._last = self._session.reject(read) if isinstance(read, str) else self._session.step(read)
        except EpisodeError as error:
            return json.dumps({"error": str(error)})
        return reading(self._last)

    def call(self, name: str, arguments: object) -> str:
        """Carry a tool's call out as `act` does; what is wrong with the call is told, and costs a step."""
        read = read_call(name, arguments)
        return self.reject(read) if isinstance(read, str) else self.act(read)

    def reject(self, reason: str) -> str:
        """Answer what is no action at all: it costs a step."""
        try:
            self._last = self._session.reject(reason)
        except EpisodeError as error:
            return json.dumps({"error": str(error)})
        return reading(self._last)

    @property
    def observation(self) -> MLOpsObservation:
        """The last observation; raises `EpisodeError` before reset."""
        if self._last is None:
            raise EpisodeError("expected reset before anything else, found no episode: call reset first")
        return self._last

    @property
    def done(self) -> bool:
        return self._last is not None and self._last.done

    @property
    def score(self) -> float:
        """The score in [0, 1]; 0 until the episode is over."""
        return float(self._last.reward or 0.0) if self._last is not None and self._last.done else 0.0

    @property
    def rows(self) -> dict[str, float | None]:
        """The scores of the rubric's rows; empty until a diagnosis was accepted."""
        return dict(self._last.last_action_result.get("rows") or {}) if self._last is not None else {}

    @property
    def unscored(self) -> list[str]:
        """Rows that could not be scored, for reasons that are not the agent's: such scores are not comparable."""
        return list(self._last.metadata.get("unscored") or []) if self._last is not None else []

    def state(self) -> MLOpsState:
        """The full state, the answer included: for the harness, never for the policy."""
        return self._session.state()

    def close(self) -> None:
        """Drop the episode. The bank and the trials are shared and stay."""
        self._session.close()
