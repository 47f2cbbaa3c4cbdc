"""What trains: base pipelines, a folder each.

A folder `<id>/` holds `project.py`, which binds `PROJECT`, and `template/`, the real code that runs. This file has
the types that a project is made of. NumPy alone is imported: generators must run where no trainer library is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_debugger import catalog
from mlops_debugger.edits import CODE, CONFIG, Value
from mlops_debugger.errors import CatalogError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SHARED = Path(__file__).parent / "shared"


@dataclass(frozen=True)
class Labels:
    """What is true, known to the parent alone: `target` holds class positions, or values in the target's unit.

    `row_id` has shape (n,), `target` (n,) or, for several horizons, (n, h).
    """

    row_id: IntArray
    target: FloatArray


@dataclass(frozen=True)
class Data:
    """One draw of a project's data.

    `files` goes to `data/` of the workspace; `serving["live"]` and `serving["sealed"]` (inputs without labels) go to
    `serving/live/` and `serving/sealed/` once training is over. `labels` has "rows" (the rows of the training files by
    row id), "live" and "sealed". `classes` names the positions that `Labels.target` holds; empty for a regression.
    """

    files: Mapping[str, bytes]
    serving: Mapping[str, Mapping[str, bytes]]
    labels: Mapping[str, Labels]
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Slot:
    """A place of a template file with several equivalent spellings; the first is the template's.

    Every spelling stands exactly once in the file once it is rendered. Spellings of a slot may differ in the number of
    lines; a fault's broken text has as many lines as the spelling that it replaces.
    """

    name: str
    spellings: tuple[str, ...]
    file: str = CODE


@dataclass(frozen=True)
class Variation:
    """The healthy choices of one seed.

    `config` maps canonical keys to values, `spellings` slot names to positions, `data` goes to the generator, `style`
    to the renderer: "sections" (order of the config's sections), "comments" (section → comment or absent).
    """

    config: Mapping[str, Value]
    spellings: Mapping[str, int]
    data: Mapping[str, Value]
    style: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Metric:
    """The primary metric: its name in eval_results.json and its range.

    `compute(target, prediction)` takes arrays of equal shape. `naive(labels_rows, labels)` is the value that the naive
    predictor reaches on `labels` having seen the training rows; `perfect` the best value there is.
    """

    name: str
    compute: Callable[[FloatArray, FloatArray], float]
    naive: Callable[[Labels, Labels], float]
    perfect: float


@dataclass(frozen=True)
class Project:
    """A runnable base pipeline.

    `dialect` maps canonical config keys to this project's dotted paths. `vary(rng)` draws the healthy choices;
    `generate(seed, data_choices)` draws data; `card(variation, rng)` writes the model card from policy (it sees the
    healthy variation only, and must give the same fields for every one).
    `kind` keys the bands of the checks.
    """

    id: str
    kind: str
    model: str
    dataset: str
    metric: Metric
    dialect: Mapping[str, str]
    slots: tuple[Slot, ...]
    vary: Callable[[np.random.Generator], Variation]
    generate: Callable[[int, Mapping[str, Value]], Data]
    card: Callable[[Variation, np.random.Generator], dict[str, Any]]
    template: Path
    shared: tuple[str, ...] = ("tracking.py", "logstyles.py", "engine.py", "dataset_report.py")

    def skill(self, value: float, naive: float) -> float:
        """(metric − naive) / (perfect − naive), clipped to [−1, 1]; NaN counts as −1."""
        if not np.isfinite(value):
            return -1.0
        span = self.metric.perfect - naive
        return float(np.clip((value - naive) / span, -1.0, 1.0)) if span else 0.0

    def slot(self, name: str) -> Slot:
        for slot in self.slots:
            if slot.name == name:
                return slot
        raise CatalogError(f"project {self.id} has no slot {name!r}: there are {', '.join(s.name for s in self.slots)}")

    def sources(self) -> dict[str, str]:
        """The template's files with their default spellings, config.yaml included, shared modules included."""
        own = {path.name: path.read_text("utf-8") for path in sorted(self.template.iterdir()) if path.is_file()}
        for name in self.shared:
            own[name] = (SHARED / name).read_text("utf-8")
        for needed in (CONFIG, CODE, "pipeline.py"):
            if needed not in own:
                raise CatalogError(f"project {self.id}: expected template/{needed}, found {', '.join(own)}")
        return own


@functools.cache
def projects() -> dict[str, Project]:
    """Every project by id."""
    found = catalog.discover(__name__, "PROJECT", Project)
    for name, project in found.items():
        if project.id != name:
            raise CatalogError(f"projects/{name}: PROJECT.id is {project.id!r}: the folder's name is the id")
    return found


# ------------------------------------------------------------------ metrics, in NumPy, for the parent


def accuracy(target: FloatArray, prediction: FloatArray) -> float:
    """Share of equal class positions."""
    return float(np.mean(target == prediction)) if target.size else float("nan")


def macro_f1(target: FloatArray, prediction: FloatArray) -> float:
    """Unweighted mean of the F1 of every class that occurs in `target` or `prediction`."""
    scores = []
    for label in np.union1d(target, prediction):
        hit = float(np.sum((target == label) & (prediction == label)))
        wrong = float(np.sum((target == label) != (prediction == label)))
        scores.append(2 * hit / (2 * hit + wrong) if hit + wrong else 0.0)
    return float(np.mean(scores)) if scores else float("nan")


def mean_absolute_error(target: FloatArray, prediction: FloatArray) -> float:
    """Mean absolute difference, in the target's unit."""
    return float(np.mean(np.abs(target - prediction))) if target.size else float("nan")


def majority(compute: Callable[[FloatArray, FloatArray], float]) -> Callable[[Labels, Labels], float]:
    """The naive predictor of a classification: the most frequent class of the training rows."""

    def naive(rows: Labels, labels: Labels) -> float:
        values, counts = np.unique(rows.target, return_counts=True)
        return compute(labels.target, np.full_like(labels.target, values[np.argmax(counts)]))

    return naive
