"""Difficulty: how many reads and checks, in the best order, until one cause of the project's panel is left.

The panel of a project is its scenarios. A cause is a site, or none at all (controls and healthy twins). Every run is
described by what each of the eight checks and five reads shows of it (`observations`), counted from where the project's
healthy runs end: a value that they show too is nothing. What a cause typically shows is the mean over its faults'
scenarios without the one being rated. An action speaks against a cause by as many bits as what is seen lies further
from that cause's typical observation than runs lie from their own; bits of several actions add. All sets of actions
are tried: the size of the smallest one after which every other cause is at most a tenth as plausible as the true one is
the number of steps. Difficulty is finer: the bits about the cause that are open after the best k actions, as a share of
those open at the start, in the mean over all k. Nothing here looks at an agent.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops_debugger.bank.records import Scenario
from mlops_debugger.forge.observations import ACTIONS
from mlops_debugger.forge.panel import Panel

LEFT = 10.0
"""A cause is left while it is more than a tenth as plausible as the true one."""
TAIL = 2.0
"""Twice as far as runs usually lie from their own cause is a quarter as plausible, four times as far a sixteenth."""
MOST_BITS = 3.0
"""The most that one action says against a cause, a factor of 8: none settles anything by itself. An odd value or line
is a suspicion as long as no symptom goes with it (harmless ones exist), and a symptom has more than one cause."""
_ENOUGH = 1.05
"""Where no set of actions leaves one cause alone, the smallest set that leaves hardly more than the best is shown."""
LOOKS = ("config.yaml", "preprocessing.py")
"""Where every fault sits."""
UNKNOWN = "something else"
UNKNOWN_PRIOR = 0.25
"""Beside the panel's causes there may be one that no scenario has, a quarter as likely as any of these. It can show
every symptom, and nothing in the lines and values that are known: a look at the odd place alone speaks against it."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Rating:
    """What the search found. `steps` are its actions in order and `left` how many causes are left after each.

    `separated` says whether the true one alone is. `causes` counts those of the panel; `remaining` is the effective
    number of causes (plausibilities relative to the true one, summed; "no fault" weighs as much as all faults
    together) after the best set of k actions, k from 0 on; never more than at the start.
    """

    scenario_id: str
    steps: tuple[str, ...]
    left: tuple[tuple[str, ...], ...]
    separated: bool
    causes: int
    remaining: tuple[float, ...]
    difficulty: float

    @property
    def count(self) -> int:
        """Steps until the true cause alone is left; the number of all actions and one more where it never is."""
        return len(self.steps) if self.separated else len(ACTIONS) + 1

    @property
    def parts(self) -> dict[str, float]:
        """What a bank keeps of it."""
        return {
            "steps": float(self.count),
            "left": float(len(self.left[-1]) + 1),
            "causes": float(self.causes),
            "remaining": round(self.remaining[-1], 3),
        }


def rate(scenarios: Iterable[Scenario]) -> dict[str, Rating]:
    """Rate scenarios, controls included, each within its project; by scenario id, whatever the order."""
    by_project: dict[str, list[Scenario]] = defaultdict(list)
    for scenario in scenarios:
        by_project[scenario.project].append(scenario)
    rated: dict[str, Rating] = {}
    for project in sorted(by_project):
        members = sorted(by_project[project], key=lambda scenario: scenario.scenario_id)
        rated |= {rating.scenario_id: rating for rating in _rate_panel(Panel.of(members))}
    return rated


def _rate_panel(panel: Panel) -> list[Rating]:
    causes = panel.causes
    bits = np.stack([_bits(panel, action) for action in ACTIONS])
    names = [cause or "no fault" for cause in causes]
    prior = np.ones(len(causes))
    unknown = np.zeros((*bits.shape[:2], 1))
    if None in causes:
        # Whether there is a fault at all is open in the beginning.
        prior[causes.index(None)] = max(1, len(causes) - 1)
        looks = [ACTIONS.index(action) for action in LOOKS]
        unknown[looks, :, 0] = bits[looks, :, causes.index(None)]
        names, prior = [*names, UNKNOWN], np.append(prior, UNKNOWN_PRIOR)
        bits = np.concatenate([bits, unknown], axis=2)
    return [
        _search(name, bits[:, row], causes.index(cause), prior, names)
        for row, (name, cause) in enumerate(zip(panel.names, panel.truths, strict=True))
    ]


def _bits(panel: Panel, action: str) -> FloatArray:
    """log2 of each cause's plausibility (scenarios × causes), at most 0, from one action."""
    bits = np.minimum(0.0, -TAIL * np.log2(np.maximum(panel.distances(action), 1e-9)))
    return np.maximum(bits, -MOST_BITS)


_SETS = np.array(
    sorted(itertools.product((0.0, 1.0), repeat=len(ACTIONS)), key=lambda chosen: (sum(chosen), [-x for x in chosen]))
)
_SIZES = _SETS.sum(axis=1).astype(np.int64)
_FIRST = np.searchsorted(_SIZES, np.arange(len(ACTIONS) + 1))


def _search(name: str, bits: FloatArray, truth: int, prior: FloatArray, names: Sequence[str]) -> Rating:
    """Try all sets of actions; `bits` has actions × causes."""
    others = np.array([cause != truth for cause in range(len(names))])
    against = bits[:, truth, None] - bits[:, others]
    odds = np.exp2(-(_SETS @ against))
    effective = 1.0 + odds @ prior[others] / prior[truth]
    start = float(effective[0])
    best = np.minimum.accumulate(np.minimum(np.minimum.reduceat(effective, _FIRST), start))
    share = np.minimum(prior[others], 1.0)
    alone = (odds * share * LEFT <= 1.0).all(axis=1)
    separated = bool(alone.any())
    if separated:
        size = _SIZES[int(np.argmax(alone))]
        chosen = min(np.flatnonzero(alone & (size == _SIZES)), key=lambda index: (effective[index], index))
    else:
        # The smallest set that leaves hardly more than the best one does.
        size = int(np.argmax(best <= _ENOUGH * best[-1]))
        chosen = min(np.flatnonzero(size == _SIZES), key=lambda index: (effective[index], index))
    steps = _ordered(np.flatnonzero(_SETS[chosen]), against, prior[others])
    rivals = [cause for cause, other in zip(names, others, strict=True) if other]
    left = [tuple(rivals)]
    for size in range(1, len(steps) + 1):
        weight = np.exp2(-against[list(steps[:size])].sum(axis=0)) * share
        left.append(tuple(cause for cause, odd in zip(rivals, weight, strict=True) if odd * LEFT > 1.0))
    # Bits that are open after k actions, as a share of those at the start, in the mean over all k.
    open_bits = np.log2(best[1:]) / max(np.log2(start), 1e-9) if start > 1.0 else np.zeros(len(ACTIONS))
    return Rating(
        scenario_id=name,
        steps=tuple(ACTIONS[step] for step in steps),
        left=tuple(left),
        separated=separated,
        causes=len(names),
        remaining=tuple(float(value) for value in best),
        difficulty=round(float(np.clip(open_bits.mean(), 0.0, 1.0)), 4),
    )


def _ordered(chosen: NDArray[np.int64], against: FloatArray, prior: FloatArray) -> list[int]:
    """The actions of a set, each next one leaving the least."""
    rest, done = [int(step) for step in chosen], np.zeros(against.shape[1])
    steps: list[int] = []
    while rest:
        step = min(rest, key=lambda item: (float(np.exp2(-(done + against[item])) @ prior), item))
        rest.remove(step)
        steps.append(step)
        done = done + against[step]
    return steps
