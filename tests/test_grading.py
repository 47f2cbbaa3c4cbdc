"""The rubric, as a pure function: sites, precision, verdicts, guards, rows that stay unscored."""

from __future__ import annotations

import pytest
from scenarios import scenario

from mlops_debugger.bank import Answer, Figures, SeedProof
from mlops_debugger.grading import Diagnosis, TrialResult, grade
from mlops_debugger.grading.diagnosis import touched
from mlops_debugger.grading.rubric import guards, seed_verdict
from mlops_debugger.grading.sites import code_names, config_names, normal, worth

CONFIG = {
    "optim": {"name": "adam", "lr": 0.1},
    "schedule": {"name": "step", "gamma": 0.5},
    "data": {"split": {"group": "id"}},
}
BROKEN = """
def prepare(frame, encoders):
    scaled = frame.copy()
    return scaled


def targets(frame, label, encoders):
    codes = frame[label].factorize()[0]
    return codes
"""
HEALTHY = BROKEN.replace("frame[label].factorize()[0]", "frame[label].map(encoders.label_ids).to_numpy()")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("optim.lr", 1.0), ("optimizer.learning_rate", 1.0), ("lr", 1.0), ("learning_rate", 1.0), ("Learning Rate", 1.0),
        ("`optim.lr`", 1.0), ("config.yaml: optim.lr", 1.0), ("config.yaml::optim.lr", 1.0), ("OPTIM/LR", 1.0),
        ("config['optim']['lr']", 1.0), ("optim", 0.0), ("not lr", 0.0), ("the lr is too high", 0.0), ("", 0.0),
        ("lr, momentum", 0.5), ("optim.lr, optim.name, schedule.gamma, data.split.group", 0.25), ("lr and lr", 1.0),
        ("schedule.gamma", 0.0), ("learning_rate is fine", 0.0), ("a.b.lr", 0.0),
    ],
)  # fmt: skip
def test_config_sites(answer: str, expected: float) -> None:
    assert worth(answer, config_names(CONFIG, "optim.lr", "optimizer.learning_rate")) == pytest.approx(expected)


def test_a_leaf_that_other_keys_share_must_be_qualified() -> None:
    names = config_names(CONFIG, "optim.name", "optimizer.name")
    assert worth("name", names) == 0.0
    assert worth("optim.name", names) == worth("optimizer.name", names) == 1.0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("factorize", 1.0), ("targets.factorize", 1.0), ("codes", 1.0), ("encoders.label_ids", 1.0), ("label_ids", 1.0),
        ("targets", 0.5), ("targets()", 0.5), ("preprocessing.py: targets", 0.5), ("prepare", 0.0), ("scaled", 0.0),
        ("factorize, prepare", 0.5), ("map", 1.0), ("preprocessing.targets.factorize", 1.0), ("returns", 0.0),
    ],
)  # fmt: skip
def test_code_sites(answer: str, expected: float) -> None:
    assert worth(answer, code_names(BROKEN, HEALTHY)) == pytest.approx(expected)


def test_a_name_on_more_than_three_lines_counts_only_with_its_function() -> None:
    body = "\n".join(f"    frame = step{i}(frame)" for i in range(4))
    broken = f"def clean(frame):\n{body}\n    frame = frame.fillna(0)\n    return frame\n"
    names = code_names(broken, broken.replace("fillna(0)", "dropna()"))
    assert worth("frame", names) == 0.0
    assert worth("clean.frame", names) == 1.0
    assert worth("fillna", names) == 1.0


def test_normal_form() -> None:
    assert normal(" preprocessing.py::Fit_Encoders() ") == "fit_encoders"
    assert normal("Evaluation -> Split") == "evaluation.split"


def figures(actual: float, reported: float | None = None, **changed: object) -> Figures:
    told = actual if reported is None else reported
    base = Figures(
        crashed=False, finite=True, actual=actual, live=actual, reported={"validation": told, "test": told},
        recomputed={"validation": told, "test": told}, split_sizes={"validation": 100, "test": 100},
        class_shares={"validation": [0.5, 0.5], "test": [0.5, 0.5]}, epochs=10, parameters=100,
    )  # fmt: skip
    return base.model_copy(update=changed)


HEALTHY_RUN = figures(0.8)
PROOF = SeedProof(healthy=HEALTHY_RUN, broken=figures(0.3), harm=0.5)
SIGMA = 0.01


@pytest.mark.parametrize(
    ("run", "verdict"),
    [
        (figures(0.8), 1.0), (figures(0.79), 1.0), (figures(0.9), 1.0), (figures(0.771), 1.0), (figures(0.76), 0.5),
        (figures(0.56), 0.5), (figures(0.54), 0.0), (figures(0.3), 0.0), (figures(0.8, reported=0.99), 0.5),
        (figures(0.3, reported=0.3), 0.0), (figures(0.8, crashed=True), 0.0), (figures(0.8, finite=False), 0.0),
    ],
)  # fmt: skip
def test_verdict_of_a_seed(run: Figures, verdict: float) -> None:
    assert seed_verdict(run, PROOF, SIGMA) == verdict


@pytest.mark.parametrize(
    "changed",
    [
        {"split_sizes": {"validation": 100, "test": 70}},
        {"split_sizes": {"validation": 130, "test": 100}},
        {"class_shares": {"validation": [0.5, 0.5], "test": [0.9, 0.1]}},
        {"recomputed": {"validation": 0.8, "test": 0.7}},
        {"recomputed": {"validation": 0.798, "test": 0.8}},
        {"trained_on": {"validation": 0, "test": 1}},
        {"epochs": 21},
        {"parameters": 201},
    ],
)
def test_a_guard_makes_a_good_number_worthless(changed: dict[str, object]) -> None:
    run = figures(0.8, **changed)
    assert guards(run, HEALTHY_RUN)
    assert seed_verdict(run, PROOF, SIGMA) == 0.0


ANSWER = Answer(categories=("config_error",), file="config.yaml", field="optim.lr", names={"optim.lr": 1.0, "lr": 1.0})
OTHER = Answer(categories=("architecture_bug",), file="config.yaml", field="model.act", names={"model.act": 1.0})
BROKEN_SCENARIO = scenario("s-1", control=False).model_copy(
    update={"answers": (ANSWER, OTHER), "proofs": (PROOF, PROOF, PROOF), "sigma": SIGMA, "gold_touches": 1}
)
CONTROL = scenario("s-2", control=True)


def trial(*runs: Figures, touches: int = 1) -> TrialResult:
    return TrialResult("completed", runs, "", touches)


RIGHT = trial(figures(0.8), figures(0.8), figures(0.8))
GOLD = Diagnosis("config_error", "config.yaml", "lr", "config.yaml: optim.lr = 0.01")


def test_the_gold_answer_scores_one() -> None:
    assert grade(BROKEN_SCENARIO, GOLD, RIGHT).score == 1.0


def test_another_site_that_cures_is_right_with_its_own_category() -> None:
    other = Diagnosis("architecture_bug", "config.yaml", "model.act", "x")
    assert grade(BROKEN_SCENARIO, other, RIGHT).score == 1.0
    mixed = Diagnosis("config_error", "config.yaml", "model.act", "x")
    assert grade(BROKEN_SCENARIO, mixed, RIGHT).score == pytest.approx(0.85)


def test_category_and_file_alone_earn_nothing() -> None:
    wrong = Diagnosis("config_error", "config.yaml", "batch_size", "x")
    result = grade(BROKEN_SCENARIO, wrong, trial(figures(0.3)))
    assert result.score == 0.0
    assert result.rows == {"category": 0.0, "file": 0.0, "field": 0.0, "fix": 0.0}


@pytest.mark.parametrize(
    ("field", "fix", "rows"),
    [
        ("lr, a, b, c", 0.0, (1.0, 1.0)),  # a quarter
        ("lr, a, b, c, d", 0.0, (0.0, 0.0)),
        ("nothing", 0.25, (1.0, 1.0)),
        ("nothing", 0.125, (0.0, 0.0)),
        ("lr, a, b, c, d", 0.125, (0.0, 0.0)),
        ("lr", None, (1.0, 1.0)),
    ],
)
def test_neither_lists_nor_fixes_of_everything_open_category_and_file(
    field: str, fix: float | None, rows: tuple[float, float]
) -> None:
    touches = {None: 0, 0.0: 1, 0.25: 3, 0.125: 4}[fix]
    result = None if fix is None else trial(*[figures(0.8 if fix else 0.3)] * 3, touches=touches)
    graded = grade(BROKEN_SCENARIO, Diagnosis("config_error", "config.yaml", field, "x"), result)
    assert (graded.rows["category"], graded.rows["file"]) == rows
    assert graded.rows["fix"] == fix


@pytest.mark.parametrize(("touches", "share"), [(1, 1.0), (2, 0.5), (3, 0.25)])
def test_every_touch_too_many_halves_the_fix(touches: int, share: float) -> None:
    result = grade(BROKEN_SCENARIO, GOLD, trial(*[figures(0.8)] * 3, touches=touches))
    assert result.rows["fix"] == share


LONG = "\n".join(f"x{number} = {number}" for number in range(20)) + "\n"


@pytest.mark.parametrize(
    ("config", "code", "count"),
    [
        ("a: 1\nb: [1, 2]", LONG, 0),
        ("# why\na: 1\nb: [1, 2]", LONG.replace("x1 =", "# nothing new\n\nx1 =").replace("\n", "\r\n"), 0),
        ("a: 1.0\nb: [1, 2]", LONG, 1),
        ("a: true\nb: [2, 1]", LONG, 2),
        ("b: [1, 2]\nc: {d: 1, e: {}}", LONG, 3),
        ("a: 1\nb: [1, 2]", LONG.replace("x1 =", "y ="), 1),
        ("a: 1\nb: [1, 2]", LONG.replace("x1 =", "y =").replace("x5 =", "z ="), 1),
        ("a: 1\nb: [1, 2]", LONG.replace("x1 =", "y =").replace("x6 =", "z ="), 2),
        ("a: 2\nb: [1, 2]", LONG.replace("x1 =", "y =").replace("x9 = 9\n", "") + "z = 1\n", 4),
    ],
)  # fmt: skip
def test_touches_are_what_the_texts_show(config: str, code: str, count: int) -> None:
    assert (
        touched(
            {"config.yaml": "a: 1\nb: [1, 2]", "preprocessing.py": LONG},
            {"config.yaml": config, "preprocessing.py": code},
        )
        == count
    )


def test_the_worst_seed_decides_and_all_seeds_must_have_run() -> None:
    assert grade(BROKEN_SCENARIO, GOLD, trial(figures(0.8), figures(0.8), figures(0.6))).rows["fix"] == 0.5
    assert grade(BROKEN_SCENARIO, GOLD, trial(figures(0.8), figures(0.8))).rows["fix"] == 0.0
    assert grade(BROKEN_SCENARIO, GOLD, trial()).rows["fix"] == 0.0


@pytest.mark.parametrize("result", [None, TrialResult("infrastructure", (), "x"), TrialResult("refused", (), "y")])
def test_what_could_not_run_is_unscored_and_never_renormalised(result: TrialResult | None) -> None:
    graded = grade(BROKEN_SCENARIO, GOLD, result)
    assert graded.unscored == ("fix",)
    assert graded.rows["fix"] is None
    assert graded.score == pytest.approx(0.55)


def test_prose_weighs_nothing() -> None:
    words = [None, "the learning rate", "do NOT reduce the learning rate", "config_error lr " * 50]
    scores = {
        grade(BROKEN_SCENARIO, Diagnosis("label_mismatch", "train.log", "x", "y", text), trial(figures(0.3))).score
        for text in words
    }
    assert scores == {0.0}


def test_no_fault_and_controls() -> None:
    nothing = Diagnosis(None, None, None, None, "no fault found")
    assert grade(CONTROL, nothing, None).score == 1.0
    assert grade(CONTROL, GOLD, None).score == 0.0
    assert grade(BROKEN_SCENARIO, nothing, None).score == 0.0
