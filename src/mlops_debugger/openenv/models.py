"""The wire models: the contract's, which are OpenEnv's as well.

`MLOpsAction`, `MLOpsObservation` and `MLOpsState` are what a client uses, as strict as the contract. The server reads
actions as `WireAction`, which never fails: an error while reading would reach the client as an error frame, outside of
the episode, and end many harnesses. It remembers what was wrong instead, and the environment answers with an
observation that costs a step.
"""

from __future__ import annotations

from typing import Any, Self

from openenv.core.env_server.types import Action, Observation, State
from pydantic import ConfigDict, ValidationError

from mlops_debugger import contract
from mlops_debugger.environment import problems_of, read_action
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
    def owning(cls, values: dict[str, Any]) -> Self:
        """Of valid values that are copied: for callers in this process, who may do with it what they like."""
        return revived(cls, isolated(values))


_ALL_FIELDS = set(MLOpsObservation.model_fields)


class SentObservation(MLOpsObservation):
    """To be sent and dropped, never to be changed: it shares its values with the episode, which goes on using them.

    Copying them took 6 µs a step, and more with many sessions, whose copies the garbage collector looked through.
    """

    model_config = ConfigDict(title="MLOpsObservation")

    @classmethod
    def sharing(cls, values: dict[str, Any]) -> Self:
        """Of valid values, one for every field."""
        return revived(cls, values, _ALL_FIELDS)

    def model_dump(self, *, exclude: Any = None, **options: Any) -> dict[str, Any]:
        """What OpenEnv asks for to send it. The values are plain data already: they are handed on, not copied."""
        if options or not isinstance(exclude, set):
            return super().model_dump(exclude=exclude, **options)
        told = vars(self).copy()
        for name in exclude:
            told.pop(name, None)
        if "available_artifacts" in told:
            told["available_artifacts"] = [meta.__dict__ for meta in self.available_artifacts]
        return told


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
            # What `super().model_validate` does, without looking at seven options first.
            action: WireAction = cls.__pydantic_validator__.validate_python(obj)
            return action
        except ValidationError as error:
            # Where only OpenEnv's own field can differ, reading it again by the contract would be told the same.
            read = problems_of(error) if isinstance(obj, dict) and "metadata" not in obj else read_action(obj)
        if isinstance(read, str):
            return revived(_UnusableAction, {**_UNUSABLE, "metadata": {"problem": f"invalid action: {read}"}})
        return revived(cls, dict(vars(read)))


class _UnusableAction(WireAction):
    """It keeps what was wrong in OpenEnv's own field: an attribute more would make all actions dearer."""

    @property
    def problem(self) -> str | None:
        return str(self.metadata["problem"])


_UNUSABLE = {**dict.fromkeys(WireAction.model_fields), "action_type": "invalid"}
