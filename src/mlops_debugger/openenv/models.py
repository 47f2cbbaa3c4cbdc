"""The wire models: the contract's, which are OpenEnv's as well.

`MLOpsAction`, `MLOpsObservation` and `MLOpsState` are what a client uses, as strict as the contract. The server reads
actions as `WireAction`, which never fails: an error while reading would reach the client as an error frame, outside of
the episode, and end many harnesses. It remembers what was wrong instead, and the environment answers with an
observation that costs a step.
"""

from __future__ import annotations

from typing import Any, Self

from openenv.core.env_server.types import Action, Observation, State
from pydantic import ConfigDict, PrivateAttr, ValidationError

from mlops_debugger import contract
from mlops_debugger.environment import read_action
from mlops_debugger.environment.investigation import isolated
from mlops_debugger.environment.revive import revived

SEALED = "sealed"


class MLOpsAction(contract.MLOpsAction, Action):
    """One action per step."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class MLOpsObservation(contract.MLOpsObservation, Observation):
    """Everything the agent sees after reset and after each step."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    @classmethod
    def sharing(cls, values: dict[str, Any]) -> Self:
        """Of valid values that the episode goes on using: to be sent and dropped, never to be changed.

        Copying them took 6 µs a step, and more with many sessions, whose copies the garbage collector looked through.
        """
        return revived(cls, values)

    @classmethod
    def owning(cls, values: dict[str, Any]) -> Self:
        """Of valid values that are copied: for callers in this process, who may do with it what they like."""
        return revived(cls, isolated(values))


class MLOpsState(contract.MLOpsState, State):
    """Full internal state; over the network the fields that hold the answer are sealed without the harness key."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    @classmethod
    def of(cls, state: contract.MLOpsState) -> Self:
        """The same state as a wire model, nothing sealed."""
        return cls.model_construct(**vars(state))

    def sealed(self) -> Self:
        """A copy without the answer: what a connection sees that did not present the harness key.

        The artifacts are sealed too, since reading them costs an agent its steps. The score stays hidden until the
        episode is over; then the last reward has told it already.
        """
        return self.model_copy(
            update={
                "bug_type": SEALED,
                "bug_category": SEALED,
                "bug_file": SEALED,
                "bug_field": SEALED,
                "gold_fix": SEALED,
                "artifacts": dict.fromkeys(contract.ARTIFACTS, SEALED),
                "current_score": self.current_score if self.episode_done else 0.0,
            }
        )

    @classmethod
    def empty(cls, max_steps: int) -> Self:
        """The state before the first reset: there is no episode, so there is nothing to hold."""
        return cls(
            task_id="",
            seed=0,
            max_steps=max_steps,
            bug_type="",
            bug_category="",
            bug_file="",
            bug_field="",
            gold_fix="",
            artifacts={},
        )


class WireAction(MLOpsAction):
    """An action as the server reads it: always an instance; `problem` says why it is unusable, if it is."""

    model_config = ConfigDict(title="MLOpsAction")

    @property
    def problem(self) -> str | None:
        return None

    @classmethod
    def model_validate(cls, obj: Any, **_: Any) -> WireAction:
        """Read an action of any shape; never raises `ValidationError`."""
        try:
            return super().model_validate(obj)
        except ValidationError:
            read = read_action(obj)
        if isinstance(read, str):
            action = _UnusableAction.model_construct(action_type="invalid")
            action._problem = f"invalid action: {read}"
            return action
        return revived(cls, dict(vars(read)))


class _UnusableAction(WireAction):
    """Apart from the others, whose making would take a third longer for an attribute that is None."""

    _problem: str | None = PrivateAttr(default=None)

    @property
    def problem(self) -> str | None:
        return self._problem
