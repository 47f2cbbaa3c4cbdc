"""The artifact probe: how often does a single artifact, or a single check, give the fault away?

A bag of words and numbers of some texts of a run is learnt on the train split, controls being a class of their own,
and tested on the scenarios of the other splits whose fault occurs in train. Three classifiers try: naive Bayes in every
project for itself, on words and binned numbers that weigh the more the rarer they are; and over all projects together,
told the project, randomised trees on everything, and on the numbers and single words alone. The best one counts, in
every group of scenarios anew: this is an upper bound, the more generous the smaller the group.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy import sparse
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.naive_bayes import ComplementNB

from mlops_debugger.bank import Scenario
from mlops_debugger.contract import ARTIFACTS, SANITY_CHECKS
from mlops_debugger.edits import load_yaml
from mlops_debugger.environment.log import parse_log
from mlops_debugger.evaluation.records import NO_FAULT

CARD = "model_card.json"
SINGLE = tuple((name,) for name in ARTIFACTS)
WITH_CARD = tuple((CARD, name) for name in ARTIFACTS if name != CARD)
CHECKS = tuple((name,) for name in SANITY_CHECKS)
GROUPS = ("all", "easy", "medium", "hard", "silent", "controls")
"""Controls count in `all` and in `controls`; tiers and `silent` are of faults alone."""

_WORD = re.compile(r"[A-Za-z_]\w*|[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[^\w\s]")
_NAMED = re.compile(r"([A-Za-z_][\w.]*)[\"']?\]?\s*[=:(]\s*\[?([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w.])")
_QUANTILES = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)
_TREES, _TRIED, _COLUMNS = 200, 400, 20_000
_LARGEST = 1e30
"""Beyond it a number does not fit into the trees' single precision."""


@dataclass(frozen=True)
class Probed:
    """Per classifier and tested scenario: 1 where it named the fault or said that there is none, else 0."""

    tested: tuple[Scenario, ...]
    right: Mapping[str, NDArray[np.float64]]

    def size(self, group: str) -> int:
        return int(self._members(group).sum())

    def share(self, group: str) -> float | None:
        """The share identified by the best classifier; None for an empty group."""
        members = self._members(group)
        return max(float(hits[members].mean()) for hits in self.right.values()) if members.any() else None

    def _members(self, group: str) -> NDArray[np.bool_]:
        return np.array([_belongs(scenario, group) for scenario in self.tested], dtype=np.bool_)


def _belongs(scenario: Scenario, group: str) -> bool:
    if group in ("all", "controls"):
        return group == "all" or scenario.is_control
    return not scenario.is_control and (scenario.silent if group == "silent" else scenario.tier == group)


def seen_and_tested(scenarios: Sequence[Scenario]) -> tuple[list[Scenario], tuple[Scenario, ...]]:
    """The train split, and the scenarios of other splits whose fault occurs in it, controls included."""
    seen = [scenario for scenario in scenarios if scenario.split == "train"]
    known = {scenario.fault for scenario in seen} | {None}
    return seen, tuple(item for item in scenarios if item.split != "train" and item.fault in known)


def guesses(scenarios: Sequence[Scenario]) -> dict[str, Probed]:
    """What needs no artifact, given the project: its most usual answer in train, and a draw by the shares of train."""
    seen, tested = seen_and_tested(scenarios)
    answers: dict[str, list[str]] = defaultdict(list)
    for scenario in seen:
        answers[scenario.project].append(_label(scenario))
    majority, chance = [], []
    for scenario in tested:
        known = answers[scenario.project] or [""]
        majority.append(_label(scenario) == max(sorted(set(known)), key=known.count))
        chance.append(known.count(_label(scenario)) / len(known))
    return {
        "majority": Probed(tested, {"majority": np.array(majority, dtype=np.float64)}),
        "chance": Probed(tested, {"chance": np.array(chance)}),
    }


def artifact_probe(scenarios: Sequence[Scenario], sources: Sequence[str]) -> Probed:
    """Identify the faults from these artifacts or checks (by name) alone."""
    seen, tested = seen_and_tested(scenarios)
    both = [*seen, *tested]
    bags = [bag(_texts(scenario, sources)) for scenario in both]
    labels = np.array([_label(scenario) for scenario in both])
    bayes = np.zeros(len(tested))
    for project in sorted({scenario.project for scenario in tested}):
        rows = [index for index, scenario in enumerate(both) if scenario.project == project]
        count = sum(index < len(seen) for index in rows)
        predicted = _bayes([bags[index] for index in rows], labels[rows[:count]])
        here = rows[count:]
        bayes[[index - len(seen) for index in here]] = predicted == labels[here]
    named = [
        Bag(item.words | {f"project {where.project}"}, item.numbers) for item, where in zip(bags, both, strict=True)
    ]
    right = {"bayes": bayes}
    for name, kept in (("trees", named), ("plain trees", [_plain(item) for item in named])):
        right[name] = (_trees(kept, labels[: len(seen)]) == labels[len(seen) :]).astype(np.float64)
    return Probed(tested, right)


def _label(scenario: Scenario) -> str:
    return scenario.fault or NO_FAULT


def _texts(scenario: Scenario, sources: Sequence[str]) -> dict[str, str]:
    findings = {f"{name}.json": json.dumps(scenario.findings[name]) for name in sources if name in scenario.findings}
    return {name: scenario.artifacts[name] for name in sources if name in scenario.artifacts} | findings


@dataclass(frozen=True)
class Bag:
    """One, two and three words in a row (numbers and signs are words too), and numbers by name."""

    words: frozenset[str]
    numbers: Mapping[str, float]


def bag(texts: Mapping[str, str]) -> Bag:
    """The words and numbers of some texts by name; numbers are named by their path in JSON or YAML, else by the name
    in front of them, then with the first, last, least, largest and mean value and their count."""
    words: set[str] = set()
    numbers: dict[str, float] = {}
    for name, text in texts.items():
        found = _WORD.findall(text)
        for run in (zip(found, strict=True), itertools.pairwise(found), zip(found, found[1:], found[2:], strict=False)):
            words |= {f"{name} {' '.join(part)}" for part in run}
        numbers |= {f"{name} {key}": value for key, value in _numbers(name, text) if math.isfinite(value)}
        numbers[f"{name} length"] = float(len(text))
    return Bag(frozenset(words), numbers)


def _plain(item: Bag) -> Bag:
    """Without rows of words and digits among them, so that trees find the numbers in a log of ten thousand words."""
    return Bag(frozenset(word for word in item.words if re.fullmatch(r"\S+ [^\s\d]+", word)), item.numbers)


def _numbers(name: str, text: str) -> Iterator[tuple[str, float]]:
    if name.endswith((".json", ".yaml")):
        try:
            tree = json.loads(text) if name.endswith(".json") else load_yaml(text)
        except (ValueError, yaml.YAMLError):
            return
        yield from _leaves(tree, "")
        return
    series: dict[str, list[float]] = defaultdict(list)
    if name == "train.log":
        text = "\n".join(parse_log(text).spelled)
    for key, number in _NAMED.findall(text):
        series[key].append(float(number))
    for key, values in series.items():
        yield f"{key} first", values[0]
        yield f"{key} last", values[-1]
        yield f"{key} min", min(values)
        yield f"{key} max", max(values)
        yield f"{key} mean", math.fsum(values) / len(values)
        yield f"{key} count", float(len(values))


def _leaves(tree: object, path: str) -> Iterator[tuple[str, float]]:
    if isinstance(tree, list):
        yield f"{path} count", float(len(tree))
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from _leaves(value, f"{path}.{key}")
    if isinstance(tree, int | float):
        yield path, float(tree)


def _bayes(bags: Sequence[Bag], labels: NDArray[np.str_]) -> NDArray[np.str_]:
    """Answers for the bags behind those that have labels; without two classes to tell apart, the one there is."""
    count = len(labels)
    if len(set(labels)) < 2:
        return np.full(len(bags) - count, labels[0] if count else "", dtype=np.str_)
    ranges = _ranges(bags[:count])
    rows = [dict.fromkeys(item.words, 1.0) | _binned(item.numbers, ranges) for item in bags]
    coder = DictVectorizer().fit(rows[:count])
    table = coder.transform(rows)
    rarity = np.log((1 + count) / (1 + np.asarray(table[:count].sum(axis=0)).ravel())) ** 2
    table = table @ sparse.diags(rarity)
    length = np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).ravel()) + 1e-9
    table = sparse.csr_matrix(sparse.diags(1 / length) @ table)
    return _answers(ComplementNB(alpha=0.1), table[:count], labels, table[count:])


def _ranges(bags: Sequence[Bag]) -> dict[str, NDArray[np.float64]]:
    """Where the bins of every number begin."""
    values: dict[str, list[float]] = defaultdict(list)
    for item in bags:
        for key, value in item.numbers.items():
            values[key].append(value)
    return {key: np.unique(np.quantile(found, _QUANTILES)) for key, found in values.items()}


def _binned(numbers: Mapping[str, float], ranges: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    return {f"{key} in {np.digitize(value, ranges[key])}": 1.0 for key, value in numbers.items() if key in ranges}


def _trees(bags: Sequence[Bag], labels: NDArray[np.str_]) -> NDArray[np.str_]:
    """As `_bayes`; what stands in one labelled bag alone is left out, and what is rarest where there is too much."""
    count = len(labels)
    spread: dict[str, int] = defaultdict(int)
    for item in bags[:count]:
        for key in (*item.words, *item.numbers):
            spread[key] += 1
    usual = sorted((key for key in spread if spread[key] > 1), key=lambda key: (-spread[key], key))[:_COLUMNS]
    column = {key: index for index, key in enumerate(usual)}
    table = np.zeros((len(bags), len(column)), dtype=np.float32)
    for key in {key for item in bags[:count] for key in item.numbers} & column.keys():
        table[:, column[key]] = np.nan
    for row, item in zip(table, bags, strict=True):
        row[[column[word] for word in item.words if word in column]] = 1.0
        for key, value in item.numbers.items():
            if key in column:
                row[column[key]] = max(-_LARGEST, min(_LARGEST, value))
    model = ExtraTreesClassifier(_TREES, max_features=min(_TRIED, table.shape[1]), random_state=0, n_jobs=1)
    return _answers(model, table[:count], labels, table[count:])


def _answers(
    model: ComplementNB | ExtraTreesClassifier, seen: object, labels: NDArray[np.str_], tested: object
) -> NDArray[np.str_]:
    with warnings.catch_warnings():
        # Many faults with two members each are many classes, not a regression.
        warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
        answers: NDArray[np.str_] = model.fit(seen, labels).predict(tested)
    return answers
