"""Players: a file each; the file name is the agent's id.

An agent turns an observation into the next action, and never sees the environment. It imports the contract, the fix
language and the description of the tools, nothing else of this package. The few that declare themselves `privileged`
are handed what they ask for by the harness: the state, which holds the answer, the train split with all its answers,
or healthy renderings of the public templates. Players that try a trick instead of the task stand in `exploits/`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from mlops_debugger import catalog
from mlops_debugger.agents._chat import OPENAI_URL, Model, Prices, Usage
from mlops_debugger.contract import MLOpsAction, MLOpsObservation, MLOpsState
from mlops_debugger.errors import EvaluationError


class Player(Protocol):
    """An agent in one episode."""

    def act(self, observation: MLOpsObservation) -> MLOpsAction:
        """The next action, given what reset or the last step showed."""


@runtime_checkable
class Learner(Protocol):
    """A player that is told how an episode ended, before it plays the same one again."""

    def learn(self, observation: MLOpsObservation) -> None:
        """Take in the last observation of an episode."""


@runtime_checkable
class Metered(Protocol):
    """A player that uses a language model, and says how much of it so far."""

    @property
    def usage(self) -> Usage: ...


@runtime_checkable
class Closable(Protocol):
    """A player that holds something open: it is closed after its last episode."""

    def close(self) -> None:
        """Let go of it."""


@dataclass(frozen=True, eq=False)
class Example:
    """A scenario of the train split with its answer: what reset shows, the full state, and what every check finds."""

    shown: MLOpsObservation
    state: MLOpsState
    findings: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Template:
    """A healthy rendering of a public template: the data set that runs of its project name, and both texts."""

    dataset: str
    config: str
    code: str


@dataclass(frozen=True)
class Handed:
    """What the harness hands over: nothing, unless the agent is privileged or asks a model."""

    state: MLOpsState | None = None
    train_examples: tuple[Example, ...] = ()
    templates: tuple[Template, ...] = ()
    model: Model | None = None


@dataclass(frozen=True)
class Agent:
    """What an agent file binds to AGENT: `open(seed, handed)` makes a player; `privileged` names what it is handed.

    `attempts` is how often it wants to play the same episode with the same player. Only the first attempt counts.
    `asks_model` says that it is handed a language model.
    """

    summary: str
    open: Callable[[int, Handed], Player]
    privileged: Literal["state", "train_examples", "templates"] | None = None
    attempts: int = 1
    asks_model: bool = False

    def start(
        self,
        seed: int,
        state: MLOpsState | None = None,
        train_examples: tuple[Example, ...] = (),
        templates: tuple[Template, ...] = (),
        model: Model | None = None,
    ) -> Player:
        """A player for one episode; raises `EvaluationError` where an agent does not get what it needs."""
        if self.privileged is None:
            return self.open(seed, Handed(model=model if self.asks_model else None))
        if self.privileged == "state":
            if state is None:
                raise EvaluationError(
                    "this agent needs the full state, found none: play in process, or with the harness key"
                )
            return self.open(seed, Handed(state=state))
        if self.privileged == "templates":
            if not templates:
                raise EvaluationError(
                    "this agent needs the public templates, found none: let the harness hand them over"
                )
            return self.open(seed, Handed(templates=templates))
        if not train_examples:
            raise EvaluationError("this agent needs the examples of the train split, found none: play in process")
        return self.open(seed, Handed(train_examples=train_examples))


__all__ = [
    "OPENAI_URL",
    "Agent",
    "Closable",
    "Example",
    "Handed",
    "Learner",
    "Metered",
    "Model",
    "Player",
    "Prices",
    "Template",
    "Usage",
    "agents",
    "exploit_agents",
]


@functools.cache
def agents() -> dict[str, Agent]:
    """Every agent by id, the exploits left out."""
    return catalog.discover(__name__, "AGENT", Agent)


@functools.cache
def exploit_agents() -> dict[str, Agent]:
    """Every exploit by id: agents that try a trick instead of the task."""
    return catalog.discover(f"{__name__}.exploits", "AGENT", Agent)
