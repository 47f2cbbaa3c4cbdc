"""The lines that verdicts, guards, rows and names are drawn along, from both sides."""

from __future__ import annotations

import pytest
from test_grading import ANSWER, BROKEN_SCENARIO, CONTROL, GOLD, HEALTHY_RUN, OTHER, PROOF, RIGHT, SIGMA, figures, trial

from mlops_debugger.bank import Answer, Figures, SeedProof
from mlops_debugger.grading import WEIGHTS, Diagnosis, TrialResult, grade
from mlops_debugger.grading.diagnosis import touched
from mlops_debugger.grading.rubric import guards, half_bar, right_bar, seed_verdict
from mlops_debugger.grading.sites import code_names, config_names, worth

NOTHING = Diagnosis(None, None, None, None, "no fault found")
BOTH = ("validation", "test")


def proof(harm: float, healthy: Figures = HEALTHY_RUN) -> SeedProof:
    return SeedProof(healthy=healthy, broken=figures(0.3), harm=harm)


# ------------------------------------------------------------------ bars


@pytest.mark.parametrize(
    ("harm", "sigma", "bar"),
    [(1.0, 0.001, 0.02), (1.0, 0.01, 0.03), (1.0, 0.05, 0.15), (0.08, 0.01, 0.02), (0.06, 0.001, 0.015)],
)
def test_the_bar_of_right(harm: float, sigma: float, bar: float) -> None:
    """Two hundredths or three sigma, the larger, but never beyond a quarter of the proven harm."""
    assert right_bar(proof(harm), sigma) == pytest.approx(bar)


@pytest.mark.parametrize(
    ("harm", "skill", "bar"), [(0.5, 0.8, 0.25), (1.0, 0.8, 0.4), (0.5, 0.1, 0.05), (0.5, -0.2, 0)]
)
def test_the_bar_of_half_right(harm: float, skill: float, bar: float) -> None:
    assert half_bar(proof(harm, figures(skill))) == pytest.approx(bar)


def test_what_lies_on_a_bar_has_passed_it() -> None:
    """Powers of two, which floats hold exactly."""
    healthy = figures(0.5)
    found = SeedProof(healthy=healthy, broken=figures(0.0), harm=0.0625)
    assert right_bar(found, 1.0) == 0.015625
    assert half_bar(found) == 0.03125
    assert seed_verdict(figures(0.5 - 0.015625), found, 1.0) == 1.0
    assert seed_verdict(figures(0.5 - 0.03125), found, 1.0) == 0.5
    assert seed_verdict(figures(0.5 - 0.0314), found, 1.0) == 0.0


def test_crashed_and_not_finite_each_decide_alone() -> None:
    good = figures(0.8)
    assert seed_verdict(good, PROOF, SIGMA) == 1.0
    for changed in ({"crashed": True}, {"finite": False}, {"crashed": True, "finite": False}):
        assert seed_verdict(good.model_copy(update=changed), PROOF, SIGMA) == 0.0


# ------------------------------------------------------------------ guards


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"crashed": True}, ["the run did not finish"]),
        ({"split_sizes": {"validation": 79, "test": 121}}, ["validation: 79 rows, its twin has 100",
                                                         "test: 121 rows, its twin has 100"]),
        ({"split_sizes": {}}, ["validation: 0 rows, its twin has 100", "test: 0 rows, its twin has 100"]),
        ({"class_shares": {"validation": [0.63, 0.37], "test": [0.5, 0.5]}}, ["validation: other classes than its twin"]),
        ({"class_shares": {"validation": [0.5, 0.5], "test": [0.5, 0.37]}}, ["test: other classes than its twin"]),
        ({"class_shares": {"validation": [0.5, 0.5, 0.0], "test": [1.0]}},
         ["validation: other classes than its twin", "test: other classes than its twin"]),
        ({"class_shares": {}}, ["validation: other classes than its twin", "test: other classes than its twin"]),
        ({"trained_on": {"test": 3}}, ["test: 3 of its rows were trained on"]),
        ({"reported": {"validation": 0.8, "test": 0.8011}}, ["test: the report disagrees with its own predictions"]),
        ({"recomputed": {}}, [f"{split}: the report disagrees with its own predictions" for split in BOTH]),
        ({"reported": {}}, [f"{split}: the report disagrees with its own predictions" for split in BOTH]),
        ({"reported": {}, "recomputed": {}},
         [f"{split}: the report disagrees with its own predictions" for split in BOTH]),
        ({"epochs": 21}, ["21 epochs, its twin has 10"]),
        ({"epochs": 0}, ["0 epochs, its twin has 10"]),
        ({"parameters": 201}, ["201 parameters, its twin has 100"]),
        ({"parameters": -1}, ["-1 parameters, its twin has 100"]),
        ({"parameters": 0}, ["0 parameters, its twin has 100"]),
    ],
)  # fmt: skip
def test_a_guard_says_what_it_found(changed: dict[str, object], words: list[str]) -> None:
    assert list(guards(figures(0.8).model_copy(update=changed), HEALTHY_RUN)) == words


@pytest.mark.parametrize(
    "changed",
    [
        {"split_sizes": {"validation": 80, "test": 120}},
        {"class_shares": {"validation": [0.6, 0.4], "test": [0.4, 0.6]}},
        {"trained_on": {"validation": 0, "test": 0}},
        {"recomputed": {"validation": 0.8005, "test": 0.7995}},
        {"epochs": 20},
        {"epochs": 1},
        {"parameters": 200},
        {"parameters": 1},
    ],
)
def test_up_to_the_line_a_guard_is_silent(changed: dict[str, object]) -> None:
    assert guards(figures(0.8, **changed), HEALTHY_RUN) == ()


def test_a_rare_class_may_vanish_by_two_hundredths_of_all_rows() -> None:
    healthy = figures(0.8, class_shares={"validation": [0.98, 0.02], "test": [0.98, 0.02]})
    assert guards(figures(0.8, class_shares={"validation": [1.0, 0.0], "test": [0.96, 0.04]}), healthy) == ()
    assert guards(figures(0.8, class_shares={"validation": [0.95, 0.05], "test": [0.98, 0.02]}), healthy)


def test_rows_that_the_twin_trained_on_are_the_scenarios() -> None:
    healthy = figures(0.8, trained_on={"validation": 5, "test": 0})
    assert guards(figures(0.8, trained_on={"validation": 5}), healthy) == ()
    assert guards(figures(0.8, trained_on={"validation": 6}), healthy)
    assert guards(figures(0.8, trained_on={"test": 1}), healthy)


def test_a_split_that_the_twin_has_not_may_not_appear() -> None:
    """Without a twin's rows there is nothing to hold them against."""
    healthy = figures(0.8, split_sizes={"validation": 100}, class_shares={"validation": [0.5, 0.5]})
    assert [words.split(":")[0] for words in guards(figures(0.8), healthy)] == ["test", "test"]


def test_regression_has_no_classes_to_guard() -> None:
    plain = {"class_shares": {"validation": [], "test": []}}
    assert guards(figures(0.8, **plain), figures(0.8, **plain)) == ()


# ------------------------------------------------------------------ rows


def test_grades_of_no_fault_and_of_controls_have_every_row() -> None:
    assert grade(CONTROL, NOTHING, None).rows == dict.fromkeys(WEIGHTS, 1.0)
    assert grade(CONTROL, GOLD, None).rows == dict.fromkeys(WEIGHTS, 0.0)
    assert grade(BROKEN_SCENARIO, NOTHING, None).rows == dict.fromkeys(WEIGHTS, 0.0)
    for graded in (grade(CONTROL, NOTHING, None), grade(CONTROL, GOLD, None), grade(BROKEN_SCENARIO, NOTHING, None)):
        assert (graded.unscored, graded.notes) == ((), ())


def test_a_scenario_without_answers_scores_nothing() -> None:
    """There is none in a bank; a damaged one must not give points away."""
    graded = grade(BROKEN_SCENARIO.model_copy(update={"answers": ()}), GOLD, RIGHT)
    assert graded.score == 0.0
    assert graded.rows == dict.fromkeys(WEIGHTS, 0.0)


@pytest.mark.parametrize(
    ("result", "notes"),
    [
        (RIGHT, ()),
        (None, ("fix: there is no trainer here",)),
        (TrialResult("refused", (), "config edits alone"), ("fix: config edits alone",)),
        (TrialResult("infrastructure", (), "a full disk"), ("fix: a full disk",)),
    ],
)
def test_a_note_says_why_the_fix_is_unscored(result: TrialResult | None, notes: tuple[str, ...]) -> None:
    assert grade(BROKEN_SCENARIO, GOLD, result).notes == notes


def test_a_name_in_another_file_is_no_name() -> None:
    elsewhere = Diagnosis("config_error", "preprocessing.py", "lr", "x")
    assert grade(BROKEN_SCENARIO, elsewhere, trial(figures(0.3))).rows == dict.fromkeys(WEIGHTS, 0.0)
    cured = grade(BROKEN_SCENARIO, elsewhere, RIGHT)
    assert cured.rows == {"category": 1.0, "file": 0.0, "field": 0.0, "fix": 1.0}
    assert cured.score == pytest.approx(0.6)


def test_no_field_names_nothing() -> None:
    unnamed = Answer(categories=("config_error",), file="config.yaml", field="x", names={"xxxx": 1.0, "": 1.0})
    item = BROKEN_SCENARIO.model_copy(update={"answers": (unnamed,)})
    assert grade(item, Diagnosis("config_error", "config.yaml", None, "x"), trial(figures(0.3))).rows["field"] == 0.0


def test_the_better_of_two_answers_counts_and_they_do_not_mix() -> None:
    item = BROKEN_SCENARIO.model_copy(update={"answers": (OTHER, ANSWER)})
    assert grade(item, GOLD, RIGHT).score == 1.0
    both = Diagnosis("config_error", "config.yaml", "lr, model.act", "x")
    assert grade(item, both, RIGHT).rows["field"] == 0.5


def test_scores_have_six_decimals() -> None:
    third = Answer(categories=("config_error",), file="config.yaml", field="a", names={"a": 1 / 3})
    item = BROKEN_SCENARIO.model_copy(update={"answers": (third,)})
    graded = grade(item, Diagnosis("config_error", "config.yaml", "a", "x"), trial(figures(0.3)))
    assert graded.score == 0.35
    seventh = third.model_copy(update={"names": {"a": 5 / 7}})
    item = BROKEN_SCENARIO.model_copy(update={"answers": (seventh,)})
    assert grade(item, Diagnosis("config_error", "config.yaml", "a", "x"), trial(figures(0.3))).score == 0.464286


@pytest.mark.parametrize("runs", [(), (0.8,), (0.8, 0.8), (0.3, 0.8)])
def test_seeds_that_did_not_run_are_not_right(runs: tuple[float, ...]) -> None:
    assert grade(BROKEN_SCENARIO, GOLD, trial(*map(figures, runs))).rows["fix"] == 0.0


# ------------------------------------------------------------------ touches

LONG = "\n".join(f"x{number} = {number}" for number in range(300)) + "\n"


@pytest.mark.parametrize(
    ("config", "code", "count"),
    [
        ("a: null\nc: 1", LONG, 0),
        ("c: 1", LONG, 1),  # a null that is there is something else than nothing
        ("a: null\nb: null\nc: 1", LONG, 1),
        ("a: null\nc: 1", LONG.replace("x7 = 7", "if x6:\n    x7 = 7"), 1),
        ("a: null\nc: 1", LONG.replace("x7 = 7\n", "    # a remark\n\t#another\nx7 = 7   \n"), 0),
        ("a: null\nc: 1", LONG.replace("x7 =", "  x7 ="), 1),  # indentation is code
        ("a: null\nc: 1", LONG.replace("x5 =", "y =").replace("x9 =", "z ="), 1),  # three lines between
        ("a: null\nc: 1", LONG.replace("x5 =", "y =").replace("x10 =", "z ="), 2),  # four
        ("a: null\nc: 1", LONG + "x0 = 0\n" * 300, 1),  # many equal lines are no noise
    ],
)
def test_touches_count_what_a_reader_would_count(config: str, code: str, count: int) -> None:
    before = {"config.yaml": "a: null\nc: 1", "preprocessing.py": LONG}
    assert touched(before, {"config.yaml": config, "preprocessing.py": code}) == count


REPEATING = [line for number in range(40) for line in (f"def f{number}(x):", *["    x = step(x)"] * 5)]


def test_lines_that_repeat_are_compared_like_others() -> None:
    """Beyond 200 lines difflib would take what repeats often for noise, and see one change where there are two."""
    changed = REPEATING.copy()
    changed[60], changed[66] = "def g(x):", "def h(x):"
    before = {"config.yaml": "a: 1", "preprocessing.py": "\n".join(REPEATING)}
    assert touched(before, {"config.yaml": "a: 1", "preprocessing.py": "\n".join(changed)}) == 2


# ------------------------------------------------------------------ names


def both_ways(old: str, new: str, text: str) -> dict[str, float]:
    assert text.count(old) == 1
    return code_names(text, text.replace(old, new))


COLUMNS = """
ID = 1


class Loader:
    \"\"\"Loads.\"\"\"

    rate: float = 0.5

    def fill(self, frame, by=None, **options):
        x = frame["income"].fillna(0)
        frame["age"] = (
            frame["age"]
            .clip(lower=0)
        )
        frame[0] = self.means["spend"]["mean"]
        self.total += frame.spend.sum(skipna=True)
        done = (lambda row: row)(frame).head(1)
        merge(**options, how="left")
        return x


def merge(how, **rest):
    if how:
        return outer(
            inner(1, first=2),
            inner(3, first=4), last(
                5
            ),
        )
    return rest
"""


@pytest.mark.parametrize(
    ("old", "new", "answer", "share"),
    [
        # columns are named with and without what they are columns of
        ("fillna(0)", "fillna(1)", "frame.income", 1), ("fillna(0)", "fillna(1)", "frame['income']", 1),
        ("fillna(0)", "fillna(1)", "frame.income.fillna", 1), ("fillna(0)", "fillna(1)", "income.fillna", 1),
        ("fillna(0)", "fillna(1)", "income", 1), ("fillna(0)", "fillna(1)", "Loader.fill.x", 0),
        ("fillna(0)", "fillna(1)", "x", 0), ("fillna(0)", "fillna(1)", "fill", 0.5),
        ("fillna(0)", "fillna(1)", "age", 0), ("fillna(0)", "fillna(1)", "self", 0),
        # a name of two letters is one, a shorter one is not
        ("by=None", "by=1", "by", 1), ("ID = 1", "ID = 2", "id", 1),
        # what goes over several lines: target and innermost call
        ("lower=0", "lower=1", "lower", 1), ("lower=0", "lower=1", "clip", 1), ("lower=0", "lower=1", "frame.age", 1),
        ("lower=0", "lower=1", "clip.lower", 1), ("lower=0", "lower=1", "frame.age.clip.lower", 1),
        ("lower=0", "lower=1", "income", 0),
        # keys behind keys
        ('"mean"', '"std"', "mean", 1), ('"mean"', '"std"', "spend.mean", 1), ('"mean"', '"std"', "means.spend.mean", 1),
        ('"mean"', '"std"', "self.means", 1), ('"mean"', '"std"', "means.spend", 1),
        # targets that are added to, annotated ones, keywords, arguments
        ("skipna=True", "skipna=False", "total", 1), ("skipna=True", "skipna=False", "self.total", 1),
        ("skipna=True", "skipna=False", "skipna", 1), ("skipna=True", "skipna=False", "frame.spend.sum", 1),
        ("rate: float = 0.5", "rate: float = 0.6", "rate", 1), ("rate: float = 0.5", "rate: float = 0.6", "Loader.rate", 1),
        ("head(1)", "head(2)", "head", 1), ("head(1)", "head(2)", "done", 1),
        ('how="left"', 'how="inner"', "merge.how", 1), ('how="left"', 'how="inner"', "options", 1),
        ('how="left"', 'how="inner"', "left", 1), ('how="left"', 'how="inner"', "inner", 1),
        # the innermost call of the line, not those around it or beside it
        ("first=4", "first=9", "inner", 1), ("first=4", "first=9", "outer", 0), ("first=4", "first=9", "first", 1),
        ("\n                5\n", "\n                6\n", "last", 1), ("\n                5\n", "\n                6\n", "outer", 0),
        ("\n                5\n", "\n                6\n", "merge", 0.5),
        # inside of an if, the function around still earns half, the class nothing
        ("if how:", "if rest:", "merge", 0.5), ("if how:", "if rest:", "merge.how", 1), ("if how:", "if rest:", "Loader", 0),
    ],
)  # fmt: skip
def test_what_a_change_may_be_called(old: str, new: str, answer: str, share: float) -> None:
    assert worth(answer, both_ways(old, new, COLUMNS)) == pytest.approx(share)


def test_a_name_on_three_lines_points_somewhere_and_on_four_nowhere() -> None:
    for others, share in ((2, 1.0), (3, 0.0)):
        text = "def first():\n" + "    use(rate)\n" * others + "    keep(rate, 1)\n"
        assert worth("rate", both_ways("keep(rate, 1)", "keep(rate, 2)", text)) == share
        assert worth("first.rate", both_ways("keep(rate, 1)", "keep(rate, 2)", text)) == 1.0


def test_where_a_function_is_defined_counts_among_its_lines() -> None:
    """Three calls and the definition are four lines: the name alone says nothing."""
    text = "def scale(v):\n    return v\n\n\ndef run(v):\n    scale(v)\n    scale(v)\n    scale(v, 1)\n"
    found = both_ways("scale(v, 1)", "scale(v, 2)", text)
    assert worth("scale", found) == 0.0
    assert worth("run.scale", found) == 1.0
    fewer = text.replace("    scale(v)\n    scale(v)\n", "    scale(v)\n")
    assert worth("scale", both_ways("scale(v, 1)", "scale(v, 2)", fewer)) == 1.0


def test_a_docstring_does_not_hide_what_follows_it() -> None:
    text = 'def fit(table):\n    """Words."""\n    scaled = table.scale(1)\n    return scaled\n'
    found = both_ways("scale(1)", "scale(2)", text)
    assert worth("scaled", found) == worth("table.scale", found) == 1.0
    assert worth("words", found) == 0.0


def test_a_short_name_does_not_hide_those_after_it() -> None:
    found = both_ways("x = rate", "x = 1 + rate", "def fit(rate):\n    x = rate\n    return x\n")
    assert worth("rate", found) == 1.0


def test_only_the_changed_ones_of_lines_that_repeat_give_names() -> None:
    changed = REPEATING.copy()
    changed[60], changed[66] = "def g(x):", "def h(x):"
    found = code_names("\n".join(REPEATING), "\n".join(changed))
    assert found == dict.fromkeys(("f10", "f11", "g", "h"), 0.5)


def test_calls_outside_of_functions_have_names_too() -> None:
    found = both_ways("1", "2", "TABLE = build(\n    make(\n        a,\n        1,\n    ),\n)\n")
    assert worth("table", found) == worth("make", found) == 1.0
    assert worth("build", found) == worth("a", found) == 0.0


def test_words_and_brackets_of_lists() -> None:
    names = {"lr": 1.0, "and": 1.0}
    assert worth(" and ", names) == worth("AND", names) == 1.0
    assert worth("lr and x", names) == 0.5
    assert worth("f(g(h(i(1)))), lr", {"f": 1.0, "lr": 1.0}) == 1.0
    # an answer of as many characters as are read, and one more
    full = "lr" + " " * 1998
    assert worth(full, names) == 1.0
    assert worth(full + " ", names) == 0.0


def test_two_spellings_of_one_name_earn_the_better_share() -> None:
    assert worth("a_b", {"a_b": 0.5, "a.b": 1.0}) == 1.0
    assert worth("a_b", {"a.b": 1.0, "a_b": 0.5}) == 1.0


def test_a_tail_that_another_key_has_is_no_name_in_either_dialect() -> None:
    config = {"optim": {"lr": 1, "name": "x"}, "model": {"name": "y"}, "lr": 3}
    assert config_names(config, "optim.lr", "optimizer.rate") == {"optim.lr": 1.0, "optimizer.rate": 1.0, "rate": 1.0}
    others = ["schedule.rate", "optimizer.rate"]
    assert config_names(config, "optim.lr", "optimizer.rate", others) == {"optim.lr": 1.0, "optimizer.rate": 1.0}
