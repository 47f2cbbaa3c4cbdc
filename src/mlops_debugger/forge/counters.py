"""Counter edits: what somebody would try who takes the fault for one of its look-alikes. They must not cure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from mlops_debugger.bank.records import Answer
from mlops_debugger.contract import FailureCategory
from mlops_debugger.edits import CODE, CONFIG, Value, dump_yaml, load_yaml, set_path
from mlops_debugger.faults import CodePlant, Config, Fault, faults
from mlops_debugger.forge.plant import Planted, canonical_config, code_answer, config_answer
from mlops_debugger.runs.workspace import replace_once
from mlops_debugger.seeds import generator

CODE_MOVES = 3
"""Edits of code that are tried on a broken run."""


@dataclass(frozen=True)
class Counter:
    """One counter edit: its site (canonical key or slot), what is put there, the edited sources, and the answer that
    it makes if it cures."""

    site: str
    value: Value
    sources: Mapping[str, str]
    answer: Answer


def counters(planted: Planted, seed: int, *, everywhere: bool = True, sites: Collection[str] = ()) -> Iterator[Counter]:
    """The edits of the config, then those of the code; each changes the broken run at another site than the fault's.

    `everywhere` gives all of the config's and a few of the code's, drawn by `seed`; `sites` (canonical keys and slots)
    have all theirs tried in any case.
    """
    yield from (counter for counter in _config_counters(planted) if everywhere or counter.site in sites)
    yield from _code_counters(planted, seed, CODE_MOVES if everywhere else 0, sites)


def _config_counters(planted: Planted) -> Iterator[Counter]:
    project, broken = planted.project, planted.broken
    config = canonical_config(project, broken)
    for key, value in counter_moves(planted.fault_id, config):
        path = project.dialect.get(key)
        if path is None or (planted.answer and path == planted.answer.field) or config[key] == value:
            continue
        edited = load_yaml(broken[CONFIG])
        set_path(edited, path, value)
        answer = config_answer(project, broken[CONFIG], key, (category_of(key),))
        yield Counter(key, value, {**broken, CONFIG: dump_yaml(edited)}, answer)


def _code_counters(planted: Planted, seed: int, count: int, sites: Collection[str]) -> Iterator[Counter]:
    """What the look-alikes do to their own slots, done on top: two errors may cancel, and then both sites are right."""
    found = [
        (slot, name, text)
        for name, fault, plant in _mates(planted)
        for slot, text in _texts(planted, plant)
        if fault.site != faults()[planted.fault_id or name].site
    ]
    drawn = generator(seed, "counter edits").permutation(len(found))
    chosen = [found[position] for turn, position in enumerate(drawn) if turn < count or found[position][0] in sites]
    for slot, name, (old, new) in chosen:
        edited = replace_once(planted.broken[CODE], old, new, f"{planted.project.id}/{slot}")
        fault = faults()[name]
        answer = code_answer(planted.broken[CODE], edited, (fault.category, *fault.also))
        yield Counter(slot, name, {**planted.broken, CODE: edited}, answer)


def _mates(planted: Planted) -> Iterator[tuple[str, Fault, CodePlant]]:
    """Plants in the project's code of the faults that share a cluster with the planted one."""
    clusters = set(faults()[planted.fault_id].clusters) if planted.fault_id else set()
    for name, fault in faults().items():
        if name != planted.fault_id and clusters & set(fault.clusters):
            for plant in fault.plants_for(planted.project):
                if isinstance(plant, CodePlant) and plant.when(planted.variation):
                    yield name, fault, plant


def _texts(planted: Planted, plant: CodePlant) -> Iterator[tuple[str, tuple[str, str]]]:
    """The slot, what stands there and what the plant would put there; nothing where the planted fault sits itself."""
    slot = planted.project.slot(plant.slot)
    spelling = planted.variation.spellings.get(slot.name, 0)
    if slot.spellings[spelling] in planted.broken[CODE]:
        for text in plant.broken[spelling][:1]:
            yield slot.name, (slot.spellings[spelling], text)


def category_of(key: str) -> FailureCategory:
    """The category of an edit at a canonical config key: it follows the edited line."""
    if key.startswith("model.") and key != "model.dropout":
        return "architecture_bug"
    if key.startswith("data.") and "label" not in key:
        return "data_leakage"
    if key.startswith("evaluation."):
        return "evaluation_bug"
    if key.startswith(("features.", "tokenizer.")):
        return "preprocessing_bug"
    return "config_error"


def counter_moves(fault_id: str | None, config: Config) -> Iterator[tuple[str, Value]]:
    """The fault's own counter edits, then boosters that anybody would try."""
    if fault_id is not None:
        for move in faults()[fault_id].look_alikes:
            if move.key in config:
                value = move.value(config)
                if value is not None:
                    yield move.key, value
    rate = config["optimizer.learning_rate"]
    epochs = config["training.epochs"]
    if isinstance(rate, int | float) and isinstance(epochs, int):
        yield "training.epochs", 2 * epochs
        yield "optimizer.learning_rate", 3 * rate
        yield "optimizer.learning_rate", rate / 3
    yield from (("optimizer.name", name) for name in ("adam", "adamw") if name != config["optimizer.name"])
    widths = config.get("model.hidden_dims")
    if isinstance(widths, list) and widths:
        yield "model.hidden_dims", [max(1, int(width * 1.5)) if isinstance(width, int) else width for width in widths]
