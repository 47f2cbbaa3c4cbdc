"""The fix language: what parses, what applies, and what is refused with a message that helps."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlops_debugger.edits import (
    CODE,
    CONFIG,
    ConfigEdit,
    Fix,
    apply_fix,
    diff_fix,
    dump_yaml,
    format_fix,
    load_yaml,
    parse_fix,
)
from mlops_debugger.errors import EditError, FixApplyError, FixSyntaxError

CONFIG_TEXT = "optim:\n  lr: 0.5\n  betas: [0.9, 0.999]\nmodel:\n  act: relu\n  frozen: []\n"
CODE_TEXT = '''"""Doc."""


def fit(frame, rows):
    scaler = StandardScaler()
    scaler.fit(frame)
    return scaler


def use(frame, scaler):
    frame = frame.copy()
    return scaler.transform(frame)
'''
FILES = {CONFIG: CONFIG_TEXT, CODE: CODE_TEXT}
CANONICAL = {"optimizer.learning_rate": "optim.lr", "optimizer.betas": "optim.betas", "model.activation": "model.act"}


@pytest.mark.parametrize(
    ("written", "value"),
    [("1e-3", 0.001), ("0.001", 0.001), (".001", 0.001), ("10", 10), ("1E2", 100.0), ("true", True), ("null", None),
     ("[64, 32]", [64, 32]), ("gelu", "gelu"), ("'yes'", "yes"), ("yes", "yes"), ("-2", -2)],
)  # fmt: skip
def test_values_are_yaml_1_2(written: str, value: object) -> None:
    assert parse_fix(f"config.yaml: optimizer.learning_rate = {written}") == Fix(
        config=(ConfigEdit("optimizer.learning_rate", value),)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("path", ["optim.lr", "optimizer.learning_rate"])
def test_both_dialects_reach_the_same_key(path: str) -> None:
    after = apply_fix(parse_fix(f"config.yaml: {path} = 1e-3"), FILES, CANONICAL)
    assert load_yaml(after[CONFIG])["optim"]["lr"] == 0.001
    assert after[CODE] == CODE_TEXT


@pytest.mark.parametrize("path", ["optim.betas[1]", "optim.betas.1", "optimizer.betas[1]"])
def test_list_elements(path: str) -> None:
    after = apply_fix(parse_fix(f"config.yaml: {path} = 0.95"), FILES, CANONICAL)
    assert load_yaml(after[CONFIG])["optim"]["betas"] == [0.9, 0.95]


@pytest.mark.parametrize(
    "patch",
    [
        "preprocessing.py:\n- scaler.fit(frame)\n+ scaler.fit(frame.iloc[rows])",
        "preprocessing.py:\n-    scaler.fit(frame)\n+    scaler.fit(frame.iloc[rows])",
        "preprocessing.py:\n  scaler = StandardScaler()\n- scaler.fit(frame)\n+ scaler.fit(frame.iloc[rows])\n  return scaler",
        "```diff\npreprocessing.py:\n- scaler.fit(frame)\n+ scaler.fit(frame.iloc[rows])\n```",
        "--- a/preprocessing.py\n+++ b/preprocessing.py\n@@ -4,4 +4,4 @@\n     scaler = StandardScaler()\n-    scaler.fit(frame)\n"
        "+    scaler.fit(frame.iloc[rows])\n     return scaler\n",
        "preprocessing.py:\r\n- scaler.fit(frame)\r\n+ scaler.fit(frame.iloc[rows])\r\n",
    ],
)
def test_ways_to_write_a_patch(patch: str) -> None:
    after = apply_fix(parse_fix(patch), FILES, CANONICAL)
    assert after[CODE] == CODE_TEXT.replace("scaler.fit(frame)", "scaler.fit(frame.iloc[rows])")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("please lower the learning rate", "not in the fix language"),
        ("do NOT reduce the learning rate", "not in the fix language"),
        ("config.yaml: optim.lr", "dotted.path = value"),
        ("config.yaml: optim.lr = {a: 1}", "expected a number"),
        ("config.yaml: optim.lr = [[1]]", "expected a number"),
        ("preprocessing.py: scaler.fit(x)", "below its header"),
        ("- a\n+ b", "not in the fix language"),
        ("preprocessing.py:\n  scaler.fit(frame)", "changes nothing"),
        ("config.yaml: a = 1\n" * 17, "at most 16 edits"),
        ("preprocessing.py:\n" + "\n".join(f"+ x{i} = {i}" for i in range(13)), "at most 12 lines"),
        ("x" * 9000, "at most 8000 characters"),
    ],
)
def test_prose_and_malformed_text_are_refused(text: str, says: str) -> None:
    with pytest.raises(FixSyntaxError, match=says):
        parse_fix(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("config.yaml: optim.learning = 1", "no key 'optim.learning'; nearest"),
        ("config.yaml: optim.betas[7] = 1", "has 2 elements"),
        ("config.yaml: optim.lr = .nan", "finite"),
        ("preprocessing.py:\n- scaler.fit(frames)\n+ pass", "nearest line is 'scaler.fit\\(frame\\)'"),
        ("preprocessing.py:\n- return scaler\n- scaler.fit(frame)\n+ pass", "not one after the other"),
        ("preprocessing.py:\n- scaler.fit(frame)\n+ scaler.fit(frame", "not valid Python"),
        ("preprocessing.py:\n+ x = 1", "without saying where"),
    ],
)
def test_what_does_not_match_is_named(text: str, says: str) -> None:
    with pytest.raises(FixApplyError, match=says):
        apply_fix(parse_fix(text), FILES, CANONICAL)


def test_an_ambiguous_block_asks_for_context() -> None:
    files = {CONFIG: CONFIG_TEXT, CODE: "def a():\n    x = 1\n    return x\n\n\ndef b():\n    x = 1\n    return x\n"}
    with pytest.raises(FixApplyError, match="2 places"):
        apply_fix(parse_fix("preprocessing.py:\n- x = 1\n+ x = 2"), files, {})
    after = apply_fix(parse_fix("preprocessing.py:\n  def b():\n-     x = 1\n+     x = 2"), files, {})
    assert after[CODE].count("x = 2") == 1
    assert after[CODE].index("x = 2") > after[CODE].index("def b")


@pytest.mark.parametrize("text", ["a: &x [1]\nb: *x", "a: " + "[" * 500, "a: 2026-13-45", "a: !!int abc", "a: &x [*x]"])
def test_hostile_yaml_is_an_edit_error(text: str) -> None:
    with pytest.raises(EditError):
        apply_fix(Fix(config=(ConfigEdit("a", 1),)), {CONFIG: text, CODE: ""}, {})


LINES = st.lists(st.sampled_from(["x = 1", "y = f(x)", "", "    z = 2", "return_ = y"]), min_size=1, max_size=12)


@given(LINES, LINES)
def test_a_diff_turns_one_text_into_the_other(before: list[str], after: list[str]) -> None:
    old, new = "if True:\n    pass\n" + "\n".join(before), "if True:\n    pass\n" + "\n".join(after)
    try:
        fix = diff_fix(old, new)
    except FixApplyError:
        return
    assert apply_fix(parse_fix(format_fix(fix)), {CONFIG: "{}", CODE: old}, {})[CODE] == new


@given(st.text(max_size=300))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        parse_fix(text)
    except FixSyntaxError:
        pass


@given(st.text(alphabet="abc:=-+@ .[]{}&*!#\n0123456789'\"yn", max_size=120))
def test_any_config_value_parses_or_is_refused(text: str) -> None:
    try:
        apply_fix(parse_fix(f"config.yaml: optim.lr = {text}"), FILES, CANONICAL)
    except EditError:
        pass


def test_yaml_round_trip_keeps_lists_on_a_line() -> None:
    text = dump_yaml({"model": {"hidden": [64, 32], "act": None, "rate": 1e-05}})
    assert text == "model:\n  hidden: [64, 32]\n  act: null\n  rate: 1.0e-05\n"
    assert load_yaml(text) == {"model": {"hidden": [64, 32], "act": None, "rate": 1e-05}}


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_yaml_nested_without_end_is_refused(opening: str) -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml(opening * 50_000)


def test_yaml_aliases_are_refused() -> None:
    with pytest.raises(yaml.YAMLError, match="aliases"):
        load_yaml("a: &x [1, 2]\nb: [*x, *x]\n")
