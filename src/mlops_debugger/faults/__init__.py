"""What breaks: a file each; the file name is the fault's id, the module's docstring its page.

The docstring has five sections in this order: *What changes*, *Why it bites*, *What it leaves behind*, *Not to be
confused with*, *Source*.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mlops_debugger import catalog
from mlops_debugger.contract import FailureCategory
from mlops_debugger.edits import Value
from mlops_debugger.projects import Project, Variation

Config = Mapping[str, Value]
Cluster = Literal[
    "no learning",
    "loss too high",
    "validation good, report poor",
    "too good",
    "evaluation at chance",
    "a class lost",
    "worse than random",
    "underfit",
    "deployment poor",
]
CLUSTERS: Mapping[Cluster, tuple[str, str]] = {
    "no learning": (
        "The loss stays near that of guessing and nothing is infinite.",
        "the learning rates of the log; updates relative to the weights; the share of clipped steps and of gradient "
        "entries that are zero; optimiser steps an epoch; whether a model fitted to the same inputs learns",
    ),
    "loss too high": (
        "The loss is higher than the metric would have it.",
        "the floors that a smoothed target, a second softmax or a sum over the batch imply; the loss before any update",
    ),
    "validation good, report poor": (
        "The validation curve is fine, what is reported in the end is not.",
        "which epoch was evaluated and which was best; rows that two splits share; whether predictions and targets "
        "are related at all; the range of the predictions",
    ),
    "too good": (
        "Validation or test, or both, are better than the problem allows; deployment is not.",
        "whether the gain is in the data (overlap, one telling input, times and groups on both sides) or in the metric "
        "(computed again from the saved predictions)",
    ),
    "evaluation at chance": (
        "Training goes well, and held-out figures are poor from the first epoch on.",
        "the training rows in evaluation mode: poor there means averaged weights or batch statistics, good there means "
        "the way of the held-out rows; fingerprints of the stages; one relabelling that restores the diagonal",
    ),
    "a class lost": (
        "Recall of a rare class is near zero.",
        "how well scores rank the class; its share in source, training rows and answers; the number of classes that "
        "each stage knows",
    ),
    "worse than random": (
        "Scores rank the wrong way round.",
        "whether the answers are inverted as well as the scores; whether the validation curve is",
    ),
    "underfit": (
        "Training and held-out figures are poorer than they should be, alike.",
        "another model fitted to the same prepared inputs: still poor means preparation or labels, good means model or "
        "configuration; variance, distinct values and unknown words of the inputs; which layers change",
    ),
    "deployment poor": (
        "Training, validation and test are fine; the live sample is not.",
        "fingerprints of the serving stage; what answers are named; rows that never reached a split; what the label "
        "column was agreed to mean",
    ),
}
"""Clusters of look-alikes: the symptom that the members share, and what tells them apart."""


@dataclass(frozen=True)
class ConfigPlant:
    """Break one config key, in every project whose dialect has it (`only` narrows that down).

    `broken(rng, config)` returns the wrong value, given the healthy values by canonical key, or None to say that it
    does not fit this variation (SGD alone has momentum, say).
    """

    key: str
    broken: Callable[[np.random.Generator, Config], Value]
    only: tuple[str, ...] = ()
    sentence: str = ""

    def fits(self, project: Project) -> bool:
        return self.key in project.dialect and (not self.only or project.id in self.only)


@dataclass(frozen=True)
class CodePlant:
    """Break one slot of one project's preprocessing.py.

    `broken` has, for each spelling of the slot, the broken texts to choose from (or none where it is not supported);
    each with as many lines as the spelling. `when(variation)` says whether the variation can show the fault.
    """

    project: str
    slot: str
    broken: tuple[tuple[str, ...], ...]
    when: Callable[[Variation], bool] = lambda variation: True
    sentence: str = ""

    def fits(self, project: Project) -> bool:
        return self.project == project.id


Plant = ConfigPlant | CodePlant


@dataclass(frozen=True)
class Move:
    """A counter edit: what somebody would try who suspects a look-alike. It must not cure.

    Sets a canonical key (skipped where the project lacks it) to `value(config)`; None skips it.
    """

    key: str
    value: Callable[[Config], Value]


@dataclass(frozen=True)
class Fault:
    """A kind of defect. `category` follows the edited line; `also` lists a second category for a fault on a border.

    `sentence` is the gold fix in words. `site` names the place that the fault shares with its relatives (a canonical
    key, or a slot): whole sites are held out. `clusters` names the symptoms that it shares with other faults, and
    `look_alikes` are counter edits at the sites of those.
    """

    category: FailureCategory
    site: str
    plants: tuple[Plant, ...]
    sentence: str
    look_alikes: tuple[Move, ...] = ()
    also: tuple[FailureCategory, ...] = ()
    clusters: tuple[Cluster, ...] = ()

    def plants_for(self, project: Project) -> tuple[Plant, ...]:
        return tuple(plant for plant in self.plants if plant.fits(project))


@functools.cache
def faults() -> dict[str, Fault]:
    """Every fault by id."""
    return catalog.discover(__name__, "FAULT", Fault)
