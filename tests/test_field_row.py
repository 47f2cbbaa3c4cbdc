"""The field row on real faults: tests/golden/field_row.yaml, and what no answer may do."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_debugger.edits import CODE, CONFIG, load_yaml
from mlops_debugger.faults import CodePlant, ConfigPlant, faults
from mlops_debugger.forge.plant import code_answer, config_answer
from mlops_debugger.grading.sites import code_names, normal, worth
from mlops_debugger.projects import Variation, projects
from mlops_debugger.runs.workspace import render, replace_once

TABLE = load_yaml((Path(__file__).parent / "golden" / "field_row.yaml").read_text("utf-8"))
CASES = [
    (entry["fault"], entry["project"], answer, share) for entry in TABLE for answer, share in entry["cases"].items()
]


@cache
def names(fault: str, project: str) -> dict[str, float]:
    """The accepted names of a fault in the default spelling of a project, computed as forging does."""
    base, declared = projects()[project], faults()[fault]
    plant = declared.plants_for(base)[0]
    healthy = render(base, Variation({}, {}, {}))
    if isinstance(plant, ConfigPlant):
        return config_answer(base, healthy[CONFIG], plant.key, (declared.category,)).names
    assert isinstance(plant, CodePlant)
    slot = base.slot(plant.slot)
    broken = replace_once(healthy[CODE], slot.spellings[0], plant.broken[0][0], slot.name)
    return code_answer(broken, healthy[CODE], (declared.category,)).names


@pytest.mark.parametrize(("fault", "project", "answer", "share"), CASES)
def test_golden_cases(fault: str, project: str, answer: str, share: float) -> None:
    assert worth(answer, names(fault, project)) == pytest.approx(share)


def test_the_table_is_as_broad_as_it_should_be() -> None:
    assert len(CASES) >= 150
    assert len({project for _, project, _, _ in CASES}) >= 8
    assert len({fault for fault, *_ in CASES}) >= 25
    assert {share for *_, share in CASES} >= {0, 0.25, 0.5, 1}


# ------------------------------------------------------------------ code over several lines

SPREAD = """
class Scaler:
    def fit(self, frame, rows):
        kept = frame.dropna(
            subset=["label"],
            how="any",
        )
        table = (
            kept.groupby("shop")
            .transform("mean")
            .rename(columns={"a": "b"})
        )
        return table
"""


@pytest.mark.parametrize(
    ("changed", "answer", "share"),
    [
        ('how="any"', "how", 1), ('how="any"', "dropna.how", 1), ('how="any"', "dropna", 1), ('how="any"', "kept", 1),
        ('how="any"', "Scaler.fit.how", 1), ('how="any"', "fit", 0.5), ('how="any"', "Scaler.fit", 0.5),
        ('how="any"', "subset", 0), ('how="any"', "table", 0), ('how="any"', "Scaler", 0), ('"mean"', "transform", 1),
        ('"mean"', "groupby.transform", 1), ('"mean"', "kept.groupby.transform", 1), ('"mean"', "table", 1),
        ('"mean"', "groupby", 0), ('"mean"', "rename", 0), ('"mean"', "mean", 1), ("frame, rows", "rows", 1),
        ("frame, rows", "fit.frame", 1), ("frame, rows", "fit", 0.5),
    ],
)  # fmt: skip
def test_a_name_counts_on_its_own_line_and_what_goes_over_it_by_target_and_call(
    changed: str, answer: str, share: float
) -> None:
    other = {'how="any"': 'how="all"', '"mean"': '"max"', "frame, rows": "frame, rows=None"}[changed]
    assert worth(answer, code_names(SPREAD.replace(changed, other), SPREAD)) == pytest.approx(share)


def test_a_docstring_is_no_name() -> None:
    text = 'def fit(x):\n    """Scale."""\n    return x\n'
    found = code_names(text, text.replace('"""Scale."""\n    return x', '"""Scale."""\n    return -x'))
    assert worth("scale", found) == 0.0
    assert worth("x", code_names(text, text.replace("Scale", "Centre"))) == 0.0


# ------------------------------------------------------------------ what no answer may do

EVERY = [names(entry["fault"], entry["project"]) for entry in TABLE]


@given(st.sampled_from(EVERY), st.text(max_size=80))
def test_any_answer_is_worth_something_between_nothing_and_all(accepted: dict[str, float], answer: str) -> None:
    assert 0.0 <= worth(answer, accepted) <= 1.0


@given(st.sampled_from(EVERY), st.lists(st.sampled_from(["a1", "b2", "c3", "d4", "e5"]), unique=True), st.data())
def test_listing_dilutes(accepted: dict[str, float], others: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(accepted)))
    assert worth(", ".join([name, *others]), accepted) == pytest.approx(accepted[name] / (1 + len(others)))


@given(st.sampled_from(EVERY), st.sampled_from(["not {}", "no {}", "never {}", "the {} is fine", "{} is not wrong",
       "{} (not this)", "everything except {}", "it cannot be {}", "!{}", "{}?!", "{} perhaps", "rather {}"]), st.data())  # fmt: skip
def test_negation_and_prose_around_a_name_earn_nothing(
    accepted: dict[str, float], frame: str, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(accepted)))
    assert worth(frame.format(name), accepted) == 0.0


@given(st.sampled_from(EVERY), st.data())
def test_case_and_separators_do_not_matter(accepted: dict[str, float], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(accepted)))
    for other in (
        name.upper(),
        name.replace("_", "-"),
        name.replace("_", " "),
        name.replace(".", "/"),
        f"`{name}`",
        f" {name}() ",
    ):
        assert worth(other, accepted) == pytest.approx(accepted[name])


@given(st.text(max_size=60))
def test_the_normal_form_is_a_fixed_point(text: str) -> None:
    once = normal(text)
    assert normal(once) == once or len(normal(once)) < len(once)


def test_a_very_long_answer_is_no_name() -> None:
    assert worth("lr, " * 1000, {"lr": 1.0}) == 0.0
