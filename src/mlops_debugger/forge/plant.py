"""Planting: from a project, a fault and a base seed to the sources of both twins and the gold fix."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlops_debugger.bank.records import Answer
from mlops_debugger.contract import FailureCategory
from mlops_debugger.edits import (
    CODE,
    CONFIG,
    ConfigEdit,
    Fix,
    Value,
    apply_fix,
    diff_fix,
    format_fix,
    load_yaml,
    parse_fix,
)
from mlops_debugger.errors import ForgeError
from mlops_debugger.faults import CodePlant, ConfigPlant, Fault, Plant, faults
from mlops_debugger.grading.sites import code_names, config_names
from mlops_debugger.projects import Project, Variation
from mlops_debugger.runs.workspace import render, replace_once
from mlops_debugger.seeds import generator


@dataclass(frozen=True)
class Planted:
    """Both twins' sources, the gold fix in the fix language, and the answer that it implies.

    For a control, `fault` is None and both twins are the same healthy run.
    """

    project: Project
    fault_id: str | None
    variation: Variation
    healthy: Mapping[str, str]
    broken: Mapping[str, str]
    card: str
    gold_fix: str
    gold_touches: int
    answer: Answer | None


def variation_of(project: Project, base_seed: int) -> Variation:
    """The healthy choices of a base seed."""
    return project.vary(generator(base_seed, "variation"))


def plant(project: Project, fault_id: str | None, base_seed: int) -> Planted | None:
    """Render both twins; None where the fault does not fit this variation. Raises `ForgeError` on a bad fault file."""
    variation = variation_of(project, base_seed)
    healthy = render(project, variation)
    card = json.dumps(project.card(variation, generator(base_seed, "card")), indent=1) + "\n"
    if fault_id is None:
        return Planted(project, None, variation, healthy, healthy, card, "", 0, None)
    fault = faults()[fault_id]
    rng = generator(base_seed, "fault", fault_id)
    fitting = fault.plants_for(project)
    if not fitting:
        raise ForgeError(f"fault {fault_id} has no plant for project {project.id}")
    chosen = fitting[int(rng.integers(len(fitting)))]
    broken = _break(project, chosen, variation, healthy, rng)
    if broken is None or broken == healthy:
        return None
    fix, answer = _gold(project, fault, chosen, healthy, broken)
    text = format_fix(fix)
    _prove_text(project, text, healthy, broken)
    touches = len(fix.config) + len(parse_fix(text).hunks)
    return Planted(project, fault_id, variation, healthy, broken, card, text, touches, answer)


def _break(
    project: Project, chosen: Plant, variation: Variation, healthy: Mapping[str, str], rng: Any
) -> dict[str, str] | None:
    if isinstance(chosen, ConfigPlant):
        old = dict(variation.config).get(chosen.key, _value(project, healthy[CONFIG], chosen.key))
        value = chosen.broken(rng, _canonical(project, healthy[CONFIG]))
        if value is None and not _allows_none(chosen.key):
            return None
        if value == old:
            return None
        return render(project, replace(variation, config={**variation.config, chosen.key: value}))
    if not chosen.when(variation):
        return None
    slot = project.slot(chosen.slot)
    spelling = variation.spellings.get(slot.name, 0)
    texts = chosen.broken[spelling] if spelling < len(chosen.broken) else ()
    if not texts:
        raise ForgeError(
            f"fault at {project.id}/{slot.name}: no broken text for spelling {spelling}: give one for every spelling"
        )
    text = texts[int(rng.integers(len(texts)))]
    return {
        **healthy,
        slot.file: replace_once(healthy[slot.file], slot.spellings[spelling], text, f"{project.id}/{slot.name}"),
    }


def _allows_none(key: str) -> bool:
    """Keys whose broken value is null: elsewhere None means that the fault does not fit."""
    return key == "data.group_column"


def _at(config: Any, path: str) -> Value:
    for part in path.split("."):
        config = config[part]
    result: Value = config
    return result


def _value(project: Project, config: str, key: str) -> Value:
    return _at(load_yaml(config), project.dialect[key])


def _canonical(project: Project, config: str) -> dict[str, Value]:
    parsed = load_yaml(config)
    return {key: _at(parsed, path) for key, path in project.dialect.items()}


def canonical_config(project: Project, sources: Mapping[str, str]) -> dict[str, Value]:
    """The values of a rendered config by canonical key."""
    return _canonical(project, sources[CONFIG])


def _gold(
    project: Project, fault: Fault, chosen: Plant, healthy: Mapping[str, str], broken: Mapping[str, str]
) -> tuple[Fix, Answer]:
    categories = (fault.category, *fault.also)
    if isinstance(chosen, CodePlant):
        return diff_fix(broken[CODE], healthy[CODE]), code_answer(broken[CODE], healthy[CODE], categories)
    path = project.dialect[chosen.key]
    fix = Fix(config=(ConfigEdit(path, _value(project, healthy[CONFIG], chosen.key)),))
    return fix, config_answer(project, broken[CONFIG], chosen.key, categories)


def _title(names: Mapping[str, float]) -> str:
    """The name to show a maintainer: the longest of up to three parts that is worth everything, with its function."""
    qualified = [name for name, value in names.items() if value == 1.0 and 1 <= name.count(".") <= 2]
    return max(qualified or list(names), key=lambda name: (len(name), name))


def code_answer(broken: str, fixed: str, categories: tuple[FailureCategory, ...]) -> Answer:
    """The answer that a change of the code makes."""
    names = code_names(broken, fixed)
    return Answer(categories=categories, file=CODE, field=_title(names), names=names)


def config_answer(project: Project, config: str, key: str, categories: tuple[FailureCategory, ...]) -> Answer:
    """The answer that a canonical config key makes."""
    path = project.dialect[key]
    names = config_names(load_yaml(config), path, key, project.dialect)
    return Answer(categories=categories, file=CONFIG, field=path, names=names)


def _prove_text(project: Project, text: str, healthy: Mapping[str, str], broken: Mapping[str, str]) -> None:
    """The gold fix, as text, must give the healthy twin; training is repeatable, so its harm is then 0."""
    files = {CONFIG: broken[CONFIG], CODE: broken[CODE]}
    fixed = apply_fix(parse_fix(text), files, project.dialect)
    if fixed[CODE] != healthy[CODE] or load_yaml(fixed[CONFIG]) != load_yaml(healthy[CONFIG]):
        raise ForgeError(f"project {project.id}: the gold fix does not restore the healthy twin:\n{text}")
