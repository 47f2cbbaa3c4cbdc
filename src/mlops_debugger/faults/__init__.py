"""What breaks: a file each; the file name is the fault's id, the module's docstring its page.

The docstring has five sections in this order: *What changes*, *Why it bites*, *What it leaves behind*, *Not to be
confused with*, *Source*.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mlops_debugger import catalog
from mlops_debugger.contract import FailureCategory
from mlops_debugger.edits import Value
from mlops_debugger.projects import Project, Variation

Config = Mapping[str, Value]


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
    key, or a slot): whole sites are held out. `look_alikes` are counter edits at the sites of its look-alikes.
    """

    category: FailureCategory
    site: str
    plants: tuple[Plant, ...]
    sentence: str
    look_alikes: tuple[Move, ...] = ()
    also: tuple[FailureCategory, ...] = ()

    def plants_for(self, project: Project) -> tuple[Plant, ...]:
        return tuple(plant for plant in self.plants if plant.fits(project))


@functools.cache
def faults() -> dict[str, Fault]:
    """Every fault by id."""
    return catalog.discover(__name__, "FAULT", Fault)
