"""Players: a file each; the file name is the agent's id.

An agent is sans-I/O: it turns an observation into the next action, and never sees the environment. It imports the
contract and the fix language, nothing else of this package. The few that declare themselves `privileged` are handed
the state, which holds the answer, by the harness.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mlops_debugger import catalog
from mlops_debugger.contract import MLOpsAction, MLOpsObservation, MLOpsState
from mlops_debugger.errors import EvaluationError


class Player(Protocol):
    """An agent in one episode."""

    def act(self, observation: MLOpsObservation) -> MLOpsAction:
        """The next action, given what reset or the last step showed."""


@dataclass(frozen=True)
class Agent:
    """What an agent file binds to AGENT. `open(seed, state)` makes a player; `state` is None unless `privileged`."""

    summary: str
    open: Callable[[int, MLOpsState | None], Player]
    privileged: bool = False

    def start(self, seed: int, state: MLOpsState | None = None) -> Player:
        """A player for one episode; raises `EvaluationError` where a privileged agent gets no state."""
        if self.privileged and state is None:
            raise EvaluationError(
                "this agent needs the full state, found none: play in process, or with the harness key"
            )
        return self.open(seed, state if self.privileged else None)


@functools.cache
def agents() -> dict[str, Agent]:
    """Every agent by id."""
    return catalog.discover(__name__, "AGENT", Agent)
