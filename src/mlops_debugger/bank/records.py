"""What a bank keeps of a scenario: pydantic on disk, frozen."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mlops_debugger.contract import ArtifactMeta, FailureCategory
from mlops_debugger.edits import Value

Tier = Literal["easy", "medium", "hard"]
Split = Literal["train", "validation", "test"]


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figures(Record):
    """What the parent measured of one run. Skills are in [−1, 1]; `crashed` runs have no figures worth reading.

    `reported` and `recomputed` map "validation" and "test" to skill: what eval_results.json says, and what the parent
    computes from the saved predictions and its own labels. `split_sizes` and `class_shares` describe the evaluation
    splits as the run evaluated them; `trained_on` counts those of their rows that are training rows, too (absent in
    banks that are older than the count: healthy runs have none).
    """

    crashed: bool
    finite: bool
    actual: float
    live: float
    reported: dict[str, float]
    recomputed: dict[str, float]
    split_sizes: dict[str, int]
    class_shares: dict[str, list[float]]
    trained_on: dict[str, int] = {}
    epochs: int
    parameters: int
    seconds: float = 0.0

    def measure_like(self, kept: Figures) -> bool:
        """Whether a run measures what another did, save the last digits, which another processor rounds otherwise.

        Times do not count, nor what was not yet measured when `kept` was.
        """
        one, other = self.model_dump(exclude={"seconds"}), kept.model_dump(exclude={"seconds"})
        return all(_alike(one[name], value) for name, value in other.items() if value != {})


def _alike(one: Any, other: Any) -> bool:
    if isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], value) for key, value in other.items())
    if isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)


class SeedProof(Record):
    """Both twins on one of the three seeds, and the harm between them."""

    healthy: Figures
    broken: Figures
    harm: float


class Answer(Record):
    """A site that is right: the gold one first, then others whose edit was measured to cure.

    `names` maps accepted names (lower case) to their worth: 1 for the site itself, 0.5 for an enclosing function.
    """

    categories: tuple[FailureCategory, ...]
    file: str
    field: str
    names: dict[str, float]


class Scenario(Record):
    """A proven project × fault × seed, or (fault is None) a healthy control.

    `artifacts` are those of the run that the agent sees (the broken one, or the control); `twin_artifacts` those of
    its healthy twin (empty for a control). `findings` maps the eight checks to `Finding.as_dict()`.
    """

    scenario_id: str
    run_id: str
    project: str
    fault: str | None
    site: str | None
    base_seed: int
    split: Split
    tier: Tier
    difficulty: float
    difficulty_parts: dict[str, float]
    silent: bool

    run_summary: dict[str, Any]
    artifact_meta: tuple[ArtifactMeta, ...]
    artifacts: dict[str, str]
    findings: dict[str, dict[str, Any]]
    twin_artifacts: dict[str, str]
    twin_findings: dict[str, dict[str, Any]]

    answers: tuple[Answer, ...]
    gold_fix: str
    sentence: str
    gold_touches: int

    data: dict[str, Value]
    spellings: dict[str, int]
    run_seeds: tuple[int, ...]
    started_at: str
    sigma: float
    proofs: tuple[SeedProof, ...]

    @property
    def is_control(self) -> bool:
        return self.fault is None

    @property
    def harm(self) -> float:
        """The proven harm: the least over the three seeds."""
        return min((proof.harm for proof in self.proofs), default=0.0)
