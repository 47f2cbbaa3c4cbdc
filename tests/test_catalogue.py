"""Every fault on every project that it fits, every slot, every sentence: without training."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from functools import cache

import numpy as np
import pytest

from mlops_debugger.contract import CATEGORIES
from mlops_debugger.edits import CODE, CONFIG, flatten, load_yaml, parse_fix
from mlops_debugger.faults import CodePlant, ConfigPlant, faults
from mlops_debugger.forge.counters import counter_moves, counters
from mlops_debugger.forge.finish import HELD_OUT_PROJECTS, HELD_OUT_SITES
from mlops_debugger.forge.plant import Planted, plant, variation_of
from mlops_debugger.grading.sites import worth
from mlops_debugger.projects import projects
from mlops_debugger.runs.workspace import render

PAIRS = [
    (fault, project) for fault in faults() for project in projects() if faults()[fault].plants_for(projects()[project])
]
SECTIONS = ("What changes:", "Why it bites:", "What it leaves behind:", "Not to be confused with:", "Source:")
HINTS = re.compile(
    r"\b(bugs?|faults?|faulty|planted|broken|fixme|todo|should be|wrong|incorrect|leak\w*|mistake\w*)\b", re.IGNORECASE
)


@cache
def fitting(fault: str, project: str) -> tuple[Planted, ...]:
    """The first four base seeds whose variation the fault fits."""
    tries = (plant(projects()[project], fault, seed) for seed in range(60))
    found = tuple(item for _, item in zip(range(4), (item for item in tries if item is not None), strict=False))
    assert len(found) == 4, f"{fault} fits too few variations of {project}"
    return found


def planted(fault: str, project: str, number: int) -> Planted:
    return fitting(fault, project)[number]


def test_enough_of_everything() -> None:
    by_category = Counter(fault.category for fault in faults().values())
    assert len(projects()) >= 8
    assert len(faults()) >= 72
    assert all(by_category[category] >= 10 for category in CATEGORIES), by_category
    assert {fault.site for fault in faults().values()} >= set(HELD_OUT_SITES)
    assert set(projects()) >= set(HELD_OUT_PROJECTS)
    assert len(HELD_OUT_SITES) >= 10


@pytest.mark.parametrize("fault", faults())
def test_docstring_sections(fault: str) -> None:
    text = importlib.import_module(f"mlops_debugger.faults.{fault}").__doc__ or ""
    places = [text.find(f"\n{section}") for section in SECTIONS]
    assert all(place > 0 for place in places), f"{fault}: expected the sections {SECTIONS}"
    assert places == sorted(places)
    assert faults()[fault].sentence.endswith(".")


@pytest.mark.parametrize(("fault", "project"), PAIRS)
def test_every_edit_is_derivable(fault: str, project: str) -> None:
    for number in range(3):
        item = planted(fault, project, number)
        assert item.answer is not None
        changed = [name for name in item.healthy if item.healthy[name] != item.broken[name]]
        assert changed == [item.answer.file], "a fault changes one artifact alone"
        assert parse_fix(item.gold_fix)
        assert len(item.gold_fix) < 2000
        assert item.gold_touches == 1
        # The number of lines is shown at reset: it must be the same in both twins.
        assert len(item.healthy[changed[0]].splitlines()) == len(item.broken[changed[0]].splitlines())
        assert worth(item.answer.field, item.answer.names) == 1.0
        if item.answer.file == CODE:
            ast.parse(item.broken[CODE])
        else:
            before, after = (dict(flatten(load_yaml(text[CONFIG]))) for text in (item.healthy, item.broken))
            assert [key for key in before if before[key] != after.get(key)] == [item.answer.field]
        assert list(counter_moves(fault, _canonical(item))), "there is something else that somebody would try"


def _canonical(item: Planted) -> dict[str, object]:
    from mlops_debugger.forge.plant import canonical_config

    return dict(canonical_config(item.project, item.broken))


@pytest.mark.parametrize(("fault", "project"), PAIRS)
def test_counter_edits_change_the_broken_run_at_another_site(fault: str, project: str) -> None:
    item = planted(fault, project, 0)
    assert item.answer is not None
    for counter in counters(item, 0):
        changed = [name for name in item.broken if counter.sources[name] != item.broken[name]]
        assert changed == [counter.answer.file]
        assert (counter.answer.file, counter.answer.field) != (item.answer.file, item.answer.field)
        assert worth(counter.answer.field, counter.answer.names) == 1.0
        if counter.answer.file == CODE:
            ast.parse(counter.sources[CODE])


def test_look_alikes_in_the_code_are_tried_in_the_code() -> None:
    tried = {counter.site for counter in counters(planted("label_order_at_serving", "ticket_routing", 0), 0)}
    assert tried & {slot.name for slot in projects()["ticket_routing"].slots}


@pytest.mark.parametrize(("fault", "project"), PAIRS)
def test_values_vary_with_the_seed(fault: str, project: str) -> None:
    texts = {
        planted(fault, project, number).gold_fix + planted(fault, project, number).broken[CONFIG] for number in range(4)
    }
    assert len(texts) == 4


@pytest.mark.parametrize("fault", faults())
def test_plants_support_every_spelling(fault: str) -> None:
    for item in faults()[fault].plants:
        if isinstance(item, ConfigPlant):
            continue
        assert isinstance(item, CodePlant)
        slot = projects()[item.project].slot(item.slot)
        assert len(item.broken) == len(slot.spellings)
        for spelling, texts in zip(slot.spellings, item.broken, strict=True):
            assert texts
            for text in texts:
                assert text != spelling
                assert text.count("\n") == spelling.count("\n"), f"{fault}: {text!r}"
                assert not HINTS.search(text)


@pytest.mark.parametrize("project", projects())
def test_slots_stand_once_and_default_spellings_run(project: str) -> None:
    item = projects()[project]
    sources = item.sources()
    assert len(item.slots) >= 5
    for slot in item.slots:
        assert len(slot.spellings) >= 2
        assert sources[slot.file].count(slot.spellings[0]) == 1, slot.name
    for name in sources:
        if name.endswith(".py"):
            ast.parse(sources[name])


@pytest.mark.parametrize("project", projects())
def test_sources_give_no_hint(project: str) -> None:
    sources = projects()[project].sources()
    found = {name: HINTS.findall(text) for name, text in sources.items() if name in (CODE, CONFIG, "model.py")}
    assert not any(found.values()), found


@pytest.mark.parametrize("project", projects())
def test_at_least_twelve_independent_choices(project: str) -> None:
    item = projects()[project]
    rows = []
    for seed in range(60):
        variation = variation_of(item, seed)
        config = load_yaml(render(item, variation)[CONFIG])
        rows.append({**{f"c.{k}": str(v) for k, v in flatten(config)}, **{f"s.{k}": str(v) for k, v in variation.spellings.items()},
                     **{f"d.{k}": str(v) for k, v in variation.data.items()}, "order": str(list(config))})  # fmt: skip
    varying = [key for key in rows[0] if len({row[key] for row in rows}) > 1]
    assert len(varying) >= 12, varying
    assert sum(key.startswith("s.") for key in varying) >= 5


@pytest.mark.parametrize("project", projects())
def test_the_dialect_reaches_every_key(project: str) -> None:
    item = projects()[project]
    leaves = dict(flatten(load_yaml(item.sources()[CONFIG])))
    missing = {key: path for key, path in item.dialect.items() if path not in leaves}
    assert not missing
    needed = {"training.seed", "optimizer.learning_rate", "training.epochs", "checkpoint.mode", "evaluation.split"}
    assert needed <= set(item.dialect)


@pytest.mark.parametrize("project", projects())
def test_model_card_has_the_same_fields_always(project: str) -> None:
    item = projects()[project]
    cards = [item.card(variation_of(item, seed), np.random.default_rng(seed)) for seed in range(20)]
    assert len({str(sorted(flatten(card), key=lambda pair: pair[0])) for card in cards}) > 1
    assert len({tuple(sorted(key for key, _ in flatten(card))) for card in cards}) == 1


@pytest.mark.parametrize("project", projects())
def test_generators_are_repeatable_and_keep_serving_apart(project: str) -> None:
    item = projects()[project]
    choices = variation_of(item, 3).data
    first, second, other = item.generate(5, choices), item.generate(5, choices), item.generate(6, choices)
    assert first.files == second.files
    assert first.serving == second.serving
    assert first.files != other.files
    ids = [set(first.labels[name].row_id.tolist()) for name in ("rows", "live", "sealed")]
    assert not (ids[0] & ids[1] or ids[0] & ids[2] or ids[1] & ids[2])
    assert len(ids[2]) >= 1500
