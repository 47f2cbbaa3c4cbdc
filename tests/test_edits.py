"""The fix language: what parses, what applies, and what is refused with a message that helps."""

from __future__ import annotations

import re
import sys

import pytest
import yaml
from hypothesis import given, settings
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
     ("[64, 32]", [64, 32]), ("gelu", "gelu"), ("'yes'", "yes"), ("yes", "yes"), ("-2", -2), ("017", 17), ("0o17", 15),
     ("0x1F", 31), ("1:30", "1:30"), ("1_000", "1_000"), ("2026-03-14", "2026-03-14"), ("'1e-3'", "1e-3"), ("~", None),
     ("+.5e1", 5.0), ("no", "no"), ("{a: 1, b: [x]}", {"a": 1, "b": ["x"]}), ("[[1], [2, 3]]", [[1], [2, 3]]), ("{}", {}),
     ("0.1  # was 0.5", 0.1)],
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
        ("config.yaml: optim.lr = [[[[[1]]]]]", "expected a number"),
        ("config.yaml: optim.lr = {1: 2}", "expected a number"),
        ("config.yaml: optim.lr = [" + "1, " * 64 + "1]", "at most 64"),
        ("config.yaml: optim.lr = 9223372036854775808", "64 bits"),
        ("config.yaml: optim.lr = !!set {a}", "expected a number"),
        ("config.yaml: optim.lr = # lower", "dotted.path = value"),
        ("config.yaml: optim.lr = &a [*a]", "not a YAML value"),
        ("config.yaml: remove", "dotted.path = value"),
        ("config.yaml: " + "a." * 101 + "a = 1", "at most 200 characters"),
        ("config.yaml:\n" + "\n".join(f"+ k{i}: {i}" for i in range(17)), "at most 16 lines of config.yaml"),
        ("preprocessing.py:\n- a\n+ b = '" + "x" * 240 + "'", "line 3: an added line .* at most 240 characters"),
        (
            "--- a/model.py\n+++ b/model.py\n@@ -1 +1 @@\n-a\n+b",
            "line 2: a fix may change .* found a diff of 'model.py'",
        ),
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
        ("config.yaml: remove optim.betas[2]", "has 2 elements"),
        ("config.yaml: add optim.betas[3] = 1", "0 to 2"),
        ("config.yaml: add optim.betas.last = 1", "0 to 2, found 'last'"),
        ("config.yaml: add optim.lr = 1", "already"),
        ("config.yaml: add sched.gamma = 1", "no section for the new key 'sched.gamma'"),
        ("config.yaml: remove optim.rate", "no key 'optim.rate'; nearest: optim.lr"),
        ("config.yaml: optim = 3", "optim is a section \\(lr, betas\\)"),
        ("config.yaml: zzz = 3", "it has the sections optim, model"),
        ("config.yaml: optim.lr = [1, .inf]", "finite"),
        (
            "preprocessing.py:\n- return scaler.transform(frames)\n+ pass",
            "nearest line is .*transform\\(frame\\)' \\(line 12\\)",
        ),
        (
            "preprocessing.py:\n  frame = frame.copy()\n- return scaler.fit(frame)\n+ pass",
            "no line 'return scaler.fit\\(frame\\)'; where it is expected, at line 12, stands 'return scaler.transform\\(frame\\)'",
        ),
        (
            "preprocessing.py:\n  def fit(frame, rows):\n- scaler = StandardScaler()\n+ pass",
            "at line 4, but not with these indentations: 'scaler = StandardScaler\\(\\)' stands there as '    scaler",
        ),
        ("preprocessing.py:\n  return scaler.transform(frame)\n- x = 1\n+ x = 2", "has no line 'x = 1'"),
        (
            "preprocessing.py:\n- scaler.fit(frame)\n+ " + "; ".join(f"a{i} = {i}" for i in range(13)),
            "at most 12 statements of code, found 13",
        ),
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


@pytest.mark.parametrize(
    "text", ["a: &x [1]\nb: *x", "a: " + "[" * 500, "a: !!timestamp 2026-13-45", "a: !!int abc", "a: &x [*x]"]
)
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


# ------------------------------------------------------------------ typed edits


@pytest.mark.parametrize(
    ("fix", "after"),
    [
        ("config.yaml: set optim.lr = 0.1", {"optim": {"lr": 0.1, "betas": [0.9, 0.999]}}),
        ("config.yaml: add optim.nesterov = true", {"optim": {"lr": 0.5, "betas": [0.9, 0.999], "nesterov": True}}),
        ("config.yaml: add optimizer.betas[0] = 0.5", {"optim": {"lr": 0.5, "betas": [0.5, 0.9, 0.999]}}),
        ("config.yaml: add optim.betas[2] = 0.5", {"optim": {"lr": 0.5, "betas": [0.9, 0.999, 0.5]}}),
        ("config.yaml: remove optim.betas[0]", {"optim": {"lr": 0.5, "betas": [0.999]}}),
        ("config.yaml: remove optimizer.betas", {"optim": {"lr": 0.5}}),
        ("config.yaml: optim = {lr: 1, kind: sgd}", {"optim": {"lr": 1, "kind": "sgd"}}),
        ("config.yaml:\n  optim.lr = 1\n  remove optim.betas\n  add note = hi", {"optim": {"lr": 1}, "note": "hi"}),
        ("config.yaml: remove optim", {}),
        ("config.yaml: add schedule = {name: step}\nconfig.yaml: schedule.name = cosine",
         {"optim": {"lr": 0.5, "betas": [0.9, 0.999]}, "schedule": {"name": "cosine"}}),
        ("config.yaml:\n- lr: 0.5\n+ lr: 0.25\n\nconfig.yaml: remove optim.betas", {"optim": {"lr": 0.25}}),
    ],
)  # fmt: skip
def test_typed_edits(fix: str, after: dict[str, object]) -> None:
    result = load_yaml(apply_fix(parse_fix(fix), FILES, CANONICAL)[CONFIG])
    assert result.pop("model") == {"act": "relu", "frozen": []}
    assert result == after


def test_a_canonical_name_reaches_a_key_that_is_new_in_the_dialects_section() -> None:
    after = apply_fix(
        parse_fix("config.yaml: add optimizer.momentum = 0.9"), FILES, {"optimizer.momentum": "optim.mom"}
    )
    assert load_yaml(after[CONFIG])["optim"]["mom"] == 0.9


def test_a_key_that_holds_a_dot() -> None:
    files = {CONFIG: "model:\n  dropout.rate: 0.1\n", CODE: ""}
    after = apply_fix(parse_fix("config.yaml: model.dropout.rate = 0.2"), files, {})
    assert load_yaml(after[CONFIG]) == {"model": {"dropout.rate": 0.2}}


def test_a_patch_of_the_config_keeps_comments_but_never_a_number_that_trainers_read_as_a_word() -> None:
    files = {CONFIG: "# nightly\nlr: 0.5\n", CODE: ""}
    assert apply_fix(parse_fix("config.yaml:\n- lr: 0.5\n+ lr: 0.25"), files, {})[CONFIG] == "# nightly\nlr: 0.25\n"
    after = apply_fix(parse_fix("config.yaml:\n- lr: 0.5\n+ lr: 1e-3"), files, {})[CONFIG]
    assert yaml.safe_load(after) == {"lr": 0.001}


# ------------------------------------------------------------------ line endings, tabs, unified diffs


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("sent", ["\n", "\r\n"])
def test_every_line_ending_stays(ending: str, sent: str) -> None:
    files = {CONFIG: CONFIG_TEXT.replace("\n", ending), CODE: CODE_TEXT.replace("\n", ending)}
    patch = "preprocessing.py:\n- scaler.fit(frame)\n+ rows = rows[:9]\n+ scaler.fit(frame.iloc[rows])"
    after = apply_fix(parse_fix(patch.replace("\n", sent)), files, {})
    wanted = CODE_TEXT.replace("    scaler.fit(frame)", "    rows = rows[:9]\n    scaler.fit(frame.iloc[rows])")
    assert after[CODE] == wanted.replace("\n", ending)
    assert after[CONFIG] == files[CONFIG]


def test_mixed_line_endings_stay_mixed() -> None:
    files = {CONFIG: "a: 1\r\nb: 2\r\nc: 3\n", CODE: "a = 1\r\nb = 2\nc = 3\r\n"}
    after = apply_fix(parse_fix("preprocessing.py:\n  b = 2\n+ d = 4\n  c = 3\n+ e = 5"), files, {})
    assert after[CODE] == "a = 1\r\nb = 2\nd = 4\nc = 3\r\ne = 5\r\n"
    assert apply_fix(parse_fix("config.yaml: b = 5"), files, {})[CONFIG] == "a: 1\r\nb: 5\r\nc: 3\r\n"


def test_the_end_of_a_file_without_a_line_ending() -> None:
    files = {CONFIG: "a: 1", CODE: "a = 1\nb = 2"}
    assert apply_fix(parse_fix("preprocessing.py:\n- b = 2\n+ b = 3"), files, {})[CODE] == "a = 1\nb = 3"
    assert apply_fix(parse_fix("preprocessing.py:\n  b = 2\n+ c = 3"), files, {})[CODE] == "a = 1\nb = 2\nc = 3"
    assert apply_fix(parse_fix("preprocessing.py:\n- b = 2"), files, {})[CODE] == "a = 1"


TABBED = "def f(x):\n\tif x:\n\t\tx = 1\n\treturn x\n"


@pytest.mark.parametrize(
    "patch",
    ["- \t\tx = 1\n+ \t\tx = 2", "-\t\tx = 1\n+\t\tx = 2", "- x = 1\n+ x = 2", " \tif x:\n-\t\tx = 1\n+\t\tx = 2"],
)
def test_tabs(patch: str) -> None:
    after = apply_fix(parse_fix(f"preprocessing.py:\n{patch}"), {CONFIG: "a: 1", CODE: TABBED}, {})
    assert after[CODE] == TABBED.replace("x = 1", "x = 2")


def test_spaces_for_tabs_are_named() -> None:
    patch = "preprocessing.py:\n  if x:\n-     x = 1\n+     x = 2"
    with pytest.raises(FixApplyError, match=r"'x = 1' stands there as '\\t\\tx = 1'"):
        apply_fix(parse_fix(patch), {CONFIG: "a: 1", CODE: TABBED}, {})


TWICE = "def a():\n    x = 1\n\n    return x\n\n\ndef b():\n    x = 1\n\n    return x\n"


@pytest.mark.parametrize(("header", "first"), [("@@ -2,3 +2,3 @@", "x = 2"), ("@@ -8,3 +8,3 @@ def b():", "x = 1")])
def test_a_unified_diff_names_the_place_where_there_are_several(header: str, first: str) -> None:
    patch = f"--- a/preprocessing.py\n+++ b/preprocessing.py\n{header}\n-    x = 1\n+    x = 2\n\n     return x\n"
    after = apply_fix(parse_fix(patch), {CONFIG: "a: 1", CODE: TWICE}, {})[CODE]
    assert after.count("x = 2") == 1 and after.split("x = ")[1].startswith(first[-1])


def test_a_unified_diff_has_no_fuzz() -> None:
    patch = "--- a/preprocessing.py\n+++ b/preprocessing.py\n@@ -2,3 +2,3 @@\n     y = 0\n-    x = 1\n+    x = 2\n"
    with pytest.raises(FixApplyError, match="has no line 'y = 0'; where it is expected, at line 1, stands 'def a"):
        apply_fix(parse_fix(patch), {CONFIG: "a: 1", CODE: TWICE}, {})


def test_one_fix_may_change_both_files_in_every_form() -> None:
    fix = """config.yaml: optim.lr = 0.1
preprocessing.py:
- scaler.fit(frame)
+ scaler.fit(frame.iloc[rows])

- return scaler.transform(frame)
+ return scaler.transform(frame.to_numpy())
--- a/config.yaml
+++ b/config.yaml
@@ -5 +5 @@
-  act: relu
+  act: gelu
"""
    parsed = parse_fix(fix)
    assert (len(parsed.config), [hunk.file for hunk in parsed.hunks]) == (1, [CODE, CODE, CONFIG])
    after = apply_fix(parsed, FILES, CANONICAL)
    assert load_yaml(after[CONFIG]) == {
        "optim": {"lr": 0.1, "betas": [0.9, 0.999]},
        "model": {"act": "gelu", "frozen": []},
    }
    assert after[CODE].count("iloc[rows]") == after[CODE].count("to_numpy()") == 1


# ------------------------------------------------------------------ any text


def used(text: str) -> Fix | None:
    """Parse, apply and write again: each gives a result or an edit error, and what was written means the same."""
    try:
        fix = parse_fix(text)
    except FixSyntaxError as error:
        assert len(str(error)) < 600 and str(error).isprintable()
        return None
    again = parse_fix(format_fix(fix))
    # Blocks of one file are written together, so their order between files is not kept.
    assert again.config == fix.config
    assert sorted(again.hunks, key=str) == sorted(fix.hunks, key=str)
    try:
        after = apply_fix(fix, FILES, CANONICAL)
    except FixApplyError as error:
        assert len(str(error)) < 1200
        with pytest.raises(FixApplyError):
            apply_fix(again, FILES, CANONICAL)
        return fix
    assert apply_fix(again, FILES, CANONICAL) == after
    assert set(after) == set(FILES) and isinstance(load_yaml(after[CONFIG]), dict)
    return fix


SNIPPETS = st.sampled_from(
    ["config.yaml:", "preprocessing.py:", " optim.lr = 1", "config.yaml: optim.lr = 0.1", "add optim.x = [1, {a: 2}]",
     "remove optim.lr", "config.yaml: remove optim.betas[0]", "config.yaml: model.act = 'a: b'", "--- a/config.yaml",
     "+++ b/config.yaml", "+++ b/preprocessing.py", "--- a/preprocessing.py", "@@ -1,3 +1,3 @@", "@@ -5 +5 @@ def", "@@", "",
     " ", "-    scaler.fit(frame)", "+    scaler.fit(rows)", "- scaler.fit(frame)", "+ pass", "     scaler.fit(frame)", "+",
     "-", "+# c", "-  lr: 0.5", "+  lr: 1e-3", "+\tx", "```diff", "\\ No newline at end of file", "+- a", "--- a", "-- config.yaml"]
)  # fmt: skip


@given(st.lists(st.one_of(SNIPPETS, st.text(max_size=20)), max_size=14), st.sampled_from(["\n", "\r\n", "\r"]))
@settings(max_examples=400, deadline=None)
def test_any_mixture_of_the_language_is_used_or_refused(lines: list[str], ending: str) -> None:
    used(ending.join(lines))


@given(st.text(max_size=300))
@settings(deadline=None)
def test_any_text_is_used_or_refused(text: str) -> None:
    used(text)


@given(st.text(alphabet="abc:=-+@ .[]{}&*!#\n0123456789'\"yne|>%", max_size=120), st.sampled_from(["", "add ", "set "]))
@settings(deadline=None)
def test_any_config_value_is_used_or_refused(text: str, kind: str) -> None:
    used(f"config.yaml: {kind}optim.lr = {text}")


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")), max_size=12),
    st.sampled_from(["1e-3", "yes", "0o17", "017", "~", "", "1:30", "# x", "a: b", "- a", "null", "=", "<<", ".5", "&a", "\ta", "a\nb"]),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(LEAVES.filter(lambda k: isinstance(k, str)), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(VALUES)
def test_any_value_survives_being_written_and_applied(value: object) -> None:
    fix = Fix(config=(ConfigEdit("optim.lr", value),))  # type: ignore[arg-type]
    written = format_fix(fix)
    assert "\n" not in written
    try:
        again = parse_fix(written)
    except FixSyntaxError as error:
        assert re.search("deep|characters", str(error))  # deeper than an edit may be
        return
    assert repr(again) == repr(fix)
    after = apply_fix(again, FILES, CANONICAL)[CONFIG]
    assert repr(load_yaml(after)["optim"]["lr"]) == repr(value)
    assert repr(yaml.safe_load(after)["optim"]["lr"]) == repr(value)  # what a trainer reads


@pytest.mark.parametrize(
    "text",
    [
        "preprocessing.py:\n- scaler.fit(frame)\n+ " + "(" * 230,
        "preprocessing.py:\n- scaler.fit(frame)\n+ x = " + "-" * 230 + "1",
        "preprocessing.py:\n- scaler.fit(frame)\n+ x = " + "{" * 100 + ":",
        "preprocessing.py:\n- scaler.fit(frame)\n+ x = " + "lambda:" * 30 + "1",
        "preprocessing.py:\n" + "+#\n" * 1900 + "- nowhere",
        "preprocessing.py:\n  return scaler\n" + "+#\n" * 900 + "\n" + "-#\n" * 850 + "- nowhere",
        "config.yaml:\n" + "-\n" * 3900,
        "config.yaml: " + "a." * 90 + "a = " + "[" * 3000,
        "config.yaml: optim.lr = " + "9" * 5000,
        "config.yaml: optim.lr = " + "1" * 3000 + ":" + "1" * 3000,
        "config.yaml: optim.lr = \"" + "\\x41" * 1500,
        "config.yaml: optim.lr = " + "{a: " * 4 + "1" + "}" * 4,
        "config.yaml: " + "[0]" * 2600,
        "@@" * 3900,
        "- " * 3900,
        "preprocessing.py:\n- " + "scaler " * 1000,
        "preprocessing.py:\n+ \ud800\n- scaler.fit(frame)",
        "preprocessing.py:\n- scaler.fit(frame)\n+ x = '\x00'",
    ],
    ids=range(18),
)  # fmt: skip
def test_hostile_texts_are_used_or_refused_with_bounded_work(text: str) -> None:
    """Work is counted in calls, which no busy machine can change: a million take about 0.1 s without the counting."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        used(text)
    finally:
        sys.setprofile(None)
    assert calls < 5_000_000


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
