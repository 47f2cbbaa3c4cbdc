"""The rubric as OpenEnv shows rubrics: a root with a named child for each row.

    for name, row in environment.rubric.named_rubrics():
        print(name, row.weight, row.status, row.last_score)

Grading is not here (see `mlops_debugger.grading`): a row tells what the last observation tells, so it knows no more
than the client does. Before an accepted diagnosis no row has a score; one that was not scored, or that the operator
withholds, has none after it either, and never a zero in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from openenv.core.rubrics import Rubric

from mlops_debugger.contract import MLOpsObservation
from mlops_debugger.errors import EpisodeError
from mlops_debugger.grading.rubric import WEIGHTS

Status = Literal["pending", "scored", "unscored", "withheld", "undiagnosed"]


class RowRubric(Rubric):
    """A row of the grade. `last_score` is its share of its weight in [0, 1], None unless `status` is "scored".

    `status` is "pending" while the episode runs; afterwards "scored", "unscored" (the fix could not be run here),
    "withheld" (the operator hides rows) or "undiagnosed" (the steps ran out).
    """

    def __init__(self, row: str, weight: float) -> None:
        super().__init__()
        self.row, self.weight = row, weight
        self.status: Status = "pending"

    def forward(self, action: Any, observation: MLOpsObservation) -> float:
        """The row's share; raises `EpisodeError` where the observation has none."""
        status, share = _read(self.row, observation)
        if share is None:
            raise EpisodeError(f"expected a score of the row {self.row}, found none ({status}): read its status first")
        return share

    def update(self, action: Any, observation: MLOpsObservation) -> None:
        """Take over what the observation says of the row; hooks run where it was scored."""
        self.status, share = _read(self.row, observation)
        if share is None:
            self.last_score = None
        else:
            self(action, observation)

    def reset(self) -> None:
        """Forget the last episode."""
        # Setting an attribute of OpenEnv's rubrics takes 1 µs: five of them would be felt in every reset.
        if self.status != "pending" or self.last_score is not None:
            self.last_score, self.status = None, "pending"


class DiagnosisRubric(Rubric):
    """The score of an episode, with the rows `category`, `file`, `field` and `fix` as children.

    Its value is the observation's reward: the weighted sum of the rows that were scored, never renormalised.
    """

    def __init__(self) -> None:
        super().__init__()
        for row, weight in WEIGHTS.items():
            setattr(self, row, RowRubric(row, weight))

    @property
    def weights(self) -> dict[str, float]:
        """The most that each row can add to the score."""
        return dict(WEIGHTS)

    @property
    def rows(self) -> dict[str, RowRubric]:
        return {name: row for name, row in self.named_children() if isinstance(row, RowRubric)}

    def forward(self, action: Any, observation: MLOpsObservation) -> float:
        """The reward that the observation carries; the rows are brought up to date."""
        for row in self.rows.values():
            row.update(action, observation)
        return float(observation.reward or 0.0)

    def reset(self) -> None:
        """Forget the last episode, in the rows as well."""
        self.last_score = None
        for row in self.rows.values():
            row.reset()

    def state_dict(self) -> dict[str, Any]:
        return {"weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises `EpisodeError` for other weights than these: they are the environment's, not a trainer's."""
        if state.get("weights", self.weights) != self.weights:
            raise EpisodeError(f"expected the weights {self.weights}, found {state['weights']!r:.200}: they are fixed")


def _read(row: str, observation: MLOpsObservation) -> tuple[Status, float | None]:
    """What the observation says of a row, and its share where it was scored."""
    answer = observation.last_action_result
    if not observation.done:
        return "pending", None
    if answer.get("accepted") is not True:
        return "undiagnosed", None
    if row in (observation.metadata.get("unscored") or ()):
        return "unscored", None
    rows = answer.get("rows")
    if not isinstance(rows, Mapping) or row not in rows:
        return "withheld", None
    share = rows[row]
    return ("unscored", None) if share is None else ("scored", float(share))
