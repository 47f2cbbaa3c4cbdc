"""The environment: reading, queries, submissions, selection, drivers."""

from __future__ import annotations

import asyncio
import difflib
import itertools
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenarios import ARTIFACT_TEXTS, CODE, DIALECT, GOLD_FIX, LOG, figures, scenario

from mlops_debugger.bank import Bank, BankWriter, Scenario
from mlops_debugger.contract import (
    ACTION_TYPES,
    ARTIFACTS,
    CATEGORIES,
    SANITY_CHECKS,
    MLOpsAction,
    MLOpsObservation,
)
from mlops_debugger.environment import TASK_DESCRIPTION, TASKS, AsyncSession, Episode, Selector, Session, read_action
from mlops_debugger.environment.artifacts import MAX_CONTENT, Shelf
from mlops_debugger.environment.driver import Settings
from mlops_debugger.environment.nearest import closest
from mlops_debugger.environment.plain import paths
from mlops_debugger.errors import EpisodeError, PoolError
from mlops_debugger.grading import TrialRequest, TrialResult, grade, prepare

GOOD = {
    "action_type": "submit_diagnosis",
    "failure_category": "config_error",
    "root_cause_file": "config.yaml",
    "root_cause_field": "optimizer.learning_rate",
    "diagnosis": "the learning rate is too low",
    "proposed_fix": GOLD_FIX,
}
NO_FAULT = {"action_type": "submit_diagnosis", "diagnosis": "no fault found"}
PATCH = "preprocessing.py:\n-     scaler = Scaler().fit(values)\n+     scaler = Scaler().fit(values[:9])"


def episode(record: Scenario | None = None, **options: Any) -> Episode:
    return Episode(
        record or scenario(),
        **{
            "task_id": "mixed",
            "seed": 1,
            "episode_id": "e1",
            "prepare": prepare,
            "grade": grade,
            "dialect": DIALECT,
            **options,
        },
    )


def act(played: Episode, action_type: str, **fields: Any) -> MLOpsObservation:
    outcome = played.step(MLOpsAction(action_type=action_type, **fields))  # type: ignore[arg-type]
    assert isinstance(outcome, MLOpsObservation)
    return outcome


def result(action_type: str, **fields: Any) -> dict[str, Any]:
    return act(episode(), action_type, **fields).last_action_result


def query(name: str, path: str | None = None) -> dict[str, Any]:
    return result("query_artifact", artifact_name=name, field_path=path)


# ------------------------------------------------------------------ reset and reading


def test_reset_shows_the_run_and_nothing_of_the_answer() -> None:
    shown = episode().observation()
    assert (shown.step_count, shown.max_steps, shown.done, shown.reward) == (0, 30, False, 0.0)
    assert shown.last_action_result == {} and shown.messages == [] and shown.metadata == {"tier": "easy"}
    assert [meta.name for meta in shown.available_artifacts] == list(ARTIFACTS)
    assert shown == episode(scenario(control=True)).observation()


def test_description_is_short_and_says_what_is_needed() -> None:
    assert len(TASK_DESCRIPTION.encode()) <= 2048
    needed = ("follows the edited line", "config.yaml: ", "preprocessing.py:\n- ", "0.45")
    for word in (*ACTION_TYPES, *CATEGORIES, *needed):
        assert word in TASK_DESCRIPTION


@pytest.mark.parametrize(
    ("action_type", "name"),
    [
        ("read_config", "config.yaml"),
        ("read_logs", "train.log"),
        ("check_dataset_stats", "dataset_stats.json"),
        ("inspect_preprocessing", "preprocessing.py"),
        ("read_eval_results", "eval_results.json"),
    ],
)
def test_reading_gives_the_whole_artifact_and_tracks_it(action_type: str, name: str) -> None:
    played = episode()
    shown = act(played, action_type)
    assert shown.last_action_result["content"].strip() == ARTIFACT_TEXTS[name].strip()
    assert shown.artifacts_read == [name] and played.state().artifacts_read == [name]
    assert shown.step_count == 1 and shown.reward == 0.0 and not shown.done


def test_a_missing_artifact_is_an_answer_not_a_failure() -> None:
    texts = {name: text for name, text in ARTIFACT_TEXTS.items() if name != "eval_results.json"}
    shown = act(episode(scenario(artifacts=texts)), "read_eval_results")
    assert shown.last_action_result["content"] == "" and "without writing" in shown.last_action_result["note"]


def test_long_texts_are_bounded_and_say_so() -> None:
    long = scenario(artifacts={**ARTIFACT_TEXTS, "train.log": LOG * 400})
    answer = act(episode(long), "read_logs").last_action_result
    assert len(answer["content"]) < MAX_CONTENT + 100 and "left out" in answer["content"] and answer["truncated"]
    assert answer["content"].startswith(LOG[:100]) and answer["content"].endswith("no such column")


# ------------------------------------------------------------------ log filters


@pytest.mark.parametrize(
    ("text", "matched", "held"),
    [
        ("NAN", 1, "epoch=2/3"),
        ("warning", 1, "  return 1 / (1 + np.exp(-x))"),
        ("ValueError", 1, "ERROR pipeline: export failed"),
        ("epoch:1", 1, "epoch=1/3"),
        (" Epoch: 2 - 2 ", 2, "overflow"),
        ("epoch:1-3", 4, "epoch=3/3"),
        ("epoch:2-99", 3, "epoch=2/3"),
        ("nothing like it", 0, ""),
        (None, 7, "rows=8000"),
        ("  ", 7, "rows=8000"),
    ],
)
def test_log_filters(text: str | None, matched: int, held: str) -> None:
    answer = result("read_logs", log_filter=text)
    assert answer["matched"] == matched and answer["records"] == 7 and held in answer["content"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("epoch:3-1", "did you mean epoch:1-3"),
        ("epoch:x", "expected epoch:N or epoch:N-M"),
        ("epoch:", "expected epoch:N or epoch:N-M"),
        ("epoch:-1", "expected epoch:N or epoch:N-M"),
        ("epoch:9999999999", "expected epoch:N or epoch:N-M"),
        ("epoch:٣", "expected epoch:N or epoch:N-M"),
        ("epoch:7-9", "has the epochs 1 to 3"),
        ("x" * 201, "at most 200 characters"),
    ],
)
def test_bad_filters_get_a_clear_message(text: str, reason: str) -> None:
    shown = act(episode(), "read_logs", log_filter=text)
    assert reason in shown.last_action_result["error"] and shown.step_count == 1 and shown.artifacts_read == []


def test_a_log_without_epochs_says_so() -> None:
    record = scenario(artifacts={**ARTIFACT_TEXTS, "train.log": LOG.split("\n", 1)[0]})
    assert "names no epoch" in act(episode(record), "read_logs", log_filter="epoch:1").last_action_result["error"]


# ------------------------------------------------------------------ queries


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("config.yaml", "optimizer.learning_rate", 0.001),
        ("config.yaml", "learning_rate", 0.001),
        ("config.yaml", "optimizer.betas[1]", 0.999),
        ("config.yaml", "optimizer.betas.1", 0.999),
        ("config.yaml", "betas.0", 0.9),
        ("config.yaml", "model.dropout.rate", 0.1),
        ("config.yaml", "model", {"hidden": [64, 32], "dropout.rate": 0.1}),
        ("config.yaml", "started", "2026-03-14"),
        ("dataset_stats.json", "features[1].name", "income"),
        ("dataset_stats.json", "features.1.mean", "nan"),
        ("dataset_stats.json", "splits.train.classes", {"no": 0.8, "yes": 0.2}),
        ("eval_results.json", "metrics.val_accuracy", 0.81),
        ("eval_results.json", "$.metrics['val_accuracy']", 0.81),
        ("model_card.json", "owners.1", "bo"),
        ("train.log", "val_loss", {"1": 0.91, "2": "nan", "3": 0.61}),
        ("train.log", "metrics.val_loss", {"1": 0.91, "2": "nan", "3": 0.61}),
        ("train.log", "epochs[3].lr", 0.0005),
        (
            "train.log",
            "epoch.1",
            {"step": 40, "train_loss": 0.9312, "val_loss": 0.91, "val_macro_f1": 0.41, "lr": 0.001},
        ),
        ("preprocessing.py", "TARGET", 'TARGET = "churn"'),
        ("preprocessing.py", "HIGH", "LOW, HIGH = LIMITS"),
        ("preprocessing.py", "Scaler.epsilon", "    epsilon = 1e-6"),
        ("preprocessing.py", "load.clean", "    def clean(row):\n        return row"),
        ("preprocessing.py", "build()", "def build(values):\n    scaler = Scaler().fit(values)\n    return scaler"),
    ],
)
def test_queries(name: str, path: str, value: object) -> None:
    answer = query(name, path)
    assert answer["value"] == value and answer["artifact"] == name


def test_queries_of_code_say_where_it_stands() -> None:
    answer = query("preprocessing.py", "Scaler.width")
    first, last = map(int, answer["lines"].split("-"))
    assert "\n".join(CODE.split("\n")[first - 1 : last]) == answer["value"]
    assert answer["value"].startswith("    @property") and answer["kind"] == "function"
    assert query("config.yaml", "learning_rate")["resolved_path"] == "optimizer.learning_rate"
    assert query("config.yaml")["content"] == ARTIFACT_TEXTS["config.yaml"]


@pytest.mark.parametrize(
    ("name", "path", "reason"),
    [
        ("config.yaml", "optimizer.learning_rat", "Nearest: optimizer.learning_rate"),
        ("config.yaml", "batchsize", "trainer.batch_size"),
        ("config.yaml", "optimizer.betas[7]", "is a list of 2 (0 to 1)"),
        ("config.yaml", "optimizer.name.first", "is a single value"),
        ("config.yaml", "optimizer.", "'optimizer' holds: name, learning_rate, betas"),
        ("dataset_stats.json", "train.rows", "splits.train.rows"),
        ("train.log", "valloss", "val_loss"),
        ("train.log", "epoch.9", "'epoch' holds: 1, 2, 3"),
        ("preprocessing.py", "laod", "Nearest: load"),
        ("preprocessing.py", "Scaler.fitt", "Scaler.fit"),
        ("model_card.json", "x" * 201, "at most 200 characters"),
    ],
)
def test_unknown_paths_name_what_there_is(name: str, path: str, reason: str) -> None:
    assert reason in query(name, path)["error"]


def test_large_values_are_answered_by_their_names() -> None:
    large = {"wide": {f"column {n}": "x" * 50 for n in range(900)}, "long": ["x" * 50] * 900, "text": "x" * 90_000}
    shelf = Shelf({"model_card.json": json.dumps(large)}, {})
    assert len(shelf.query("model_card.json", "wide")["fields"]) == 200  # type: ignore[arg-type]
    assert shelf.query("model_card.json", "long")["length"] == 900
    assert len(shelf.query("model_card.json", "text")["value"]) < MAX_CONTENT + 100  # type: ignore[arg-type]


def test_artifacts_that_cannot_be_parsed_are_still_readable() -> None:
    shelf = Shelf({"config.yaml": "a: [", "eval_results.json": "{", "preprocessing.py": "def"}, {})
    for name in ("config.yaml", "eval_results.json", "preprocessing.py"):
        assert "read it whole" in str(shelf.query(name, "a")["error"])  # type: ignore[arg-type]
        assert shelf.read(name)["content"]  # type: ignore[arg-type]


# ------------------------------------------------------------------ checks, bad input, duplicates, limits


def test_sanity_checks_give_the_finding_and_are_tracked() -> None:
    played = episode()
    shown = act(played, "run_sanity_check", sanity_check_type="class_balance")
    assert shown.last_action_result["verdict"] == "pass" and shown.last_action_result["sanity_check"] == "class_balance"
    assert act(played, "run_sanity_check", sanity_check_type="gradient_norms").last_action_result["verdict"] == (
        "not_applicable"
    )
    assert played.state().sanity_checks_run == ["class_balance", "gradient_norms"]


def test_what_an_agent_does_to_an_observation_stays_there() -> None:
    played = episode()
    act(played, "run_sanity_check", sanity_check_type="class_balance").last_action_result["worst"][0]["name"] = "mine"
    spoilt = act(played, "query_artifact", artifact_name="config.yaml", field_path="model")
    spoilt.last_action_result["value"]["hidden"].append(1)
    spoilt.artifacts_read.append("mine")
    spoilt.run_summary["model"] = "mine"
    again = act(played, "run_sanity_check", sanity_check_type="class_balance")
    assert again.last_action_result["worst"][0]["name"] == "age" and again.run_summary["model"] == "mlp"
    assert again.artifacts_read == ["config.yaml"]
    assert query("config.yaml", "model.hidden")["value"] == [64, 32]


@pytest.mark.parametrize("kind", ["run_sanity_check", "query_artifact"])
def test_missing_arguments_cost_a_step_and_list_the_choices(kind: str) -> None:
    shown = act(episode(), kind)
    choices = SANITY_CHECKS if kind == "run_sanity_check" else ARTIFACTS
    assert all(choice in shown.last_action_result["error"] for choice in choices) and shown.step_count == 1


def test_repeated_queries_are_counted_named_and_answered() -> None:
    played = episode()
    act(played, "query_artifact", artifact_name="config.yaml", field_path="optimizer.betas[0]")
    shown = act(played, "query_artifact", artifact_name="config.yaml", field_path=" optimizer.betas.0 ", log_filter="x")
    assert shown.messages == [
        "repeated: query_artifact config.yaml optimizer.betas.0 was answered at step 1 already; the answer is the same"
    ]
    assert shown.last_action_result["value"] == 0.9 and shown.step_count == 2
    act(played, "read_logs", log_filter="NaN")
    act(played, "read_logs", log_filter="nan ")
    act(played, "read_logs", log_filter="epoch:1")
    assert played.state().duplicate_queries == 2


def test_rejected_input_costs_a_step() -> None:
    played = episode(max_steps=2)
    assert played.reject("expected an action").last_action_result == {"error": "expected an action"}
    assert played.reject("expected an action").done
    with pytest.raises(EpisodeError, match="the episode is over"):
        played.reject("expected an action")


def test_the_limit_ends_the_episode_with_nothing() -> None:
    played = episode(max_steps=7)
    seen = [act(played, "read_config") for _ in range(7)]
    assert not any("left" in message for message in seen[0].messages)
    assert "2 steps left: one of them must submit the diagnosis" in seen[4].messages
    assert "1 step left: one of them must submit the diagnosis" in seen[5].messages
    assert seen[6].done and seen[6].reward == 0.0 and "limit of 7 steps" in seen[6].messages[-1]
    assert [shown.done for shown in seen[:6]] == [False] * 6
    with pytest.raises(EpisodeError, match="reset before the next step"):
        act(played, "read_config")
    state = played.state()
    assert state.episode_done and state.step_count == 7 and state.current_score == 0.0


@pytest.mark.parametrize("bad", [0, -1, True, 2.5])
def test_a_bad_limit_is_refused(bad: Any) -> None:
    with pytest.raises(EpisodeError, match="max_steps"):
        episode(max_steps=bad)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, "action_type is missing: give one of read_config"),
        ({"action_type": "look"}, "expected one of read_config"),
        ({"action_type": "read_logs", "log_filter": 7}, "log_filter: expected text or nothing, found int"),
        ({"action_type": "read_logs", "keyword": "nan"}, "no field 'keyword'"),
        ({"action_type": "query_artifact", "artifact_name": "weights.bin"}, "expected one of config.yaml"),
        ("read_config", "found str"),
        (None, "found NoneType"),
    ],
)
def test_unreadable_actions_are_explained(data: object, reason: str) -> None:
    problem = read_action(data)
    assert isinstance(problem, str) and reason in problem


def test_readable_actions_are_read() -> None:
    assert read_action(GOOD) == MLOpsAction.model_validate(GOOD)


# ------------------------------------------------------------------ submissions


def submit(played: Episode, **changes: Any) -> MLOpsObservation | TrialRequest:
    return played.step(MLOpsAction.model_validate({**GOOD, **changes}))


@pytest.mark.parametrize("control", [False, True])
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"failure_category": None}, "incomplete: failure_category missing"),
        ({"root_cause_file": " "}, "incomplete: root_cause_file missing"),
        ({"root_cause_field": None, "proposed_fix": ""}, "incomplete: root_cause_field, proposed_fix missing"),
        ({"root_cause_file": "model.py"}, "root_cause_file: expected one of config.yaml"),
        ({"proposed_fix": "lower the learning rate"}, "proposed_fix: "),
        ({"proposed_fix": "config.yaml: optimizer.momentum = 0.9"}, "proposed_fix: config.yaml has no key"),
        ({"proposed_fix": "preprocessing.py:\n- scaler = 1\n+ scaler = 2"}, "proposed_fix: "),
        ({"proposed_fix": "config.yaml: optimizer.learning_rate = " + "9" * 5000}, "proposed_fix: "),
        ({"root_cause_field": "x" * 501}, "at most 500 characters"),
        ({"diagnosis": "x" * 10_001}, "at most 10000 characters"),
        (dict.fromkeys(GOOD.keys() - {"action_type"}), "found nothing"),
    ],
)
def test_a_bad_submission_is_sent_back_alike_on_faults_and_controls(
    control: bool, changes: dict[str, Any], reason: str
) -> None:
    played = episode(scenario(control=control))
    shown = submit(played, **changes)
    assert isinstance(shown, MLOpsObservation)
    assert reason in shown.last_action_result["error"] and shown.last_action_result["accepted"] is False
    assert not shown.done and shown.reward == 0.0 and shown.step_count == 1
    other = submit(episode(scenario(control=not control)), **changes)
    assert other == shown
    again = submit(played, **changes)
    assert isinstance(again, MLOpsObservation) and again.messages[0].startswith("repeated: this diagnosis")


def test_no_fault_found_is_graded_at_once() -> None:
    healthy = episode(scenario(control=True))
    shown = healthy.step(MLOpsAction.model_validate(NO_FAULT))
    assert isinstance(shown, MLOpsObservation)
    assert shown.done and shown.reward == 1.0 and shown.metadata["unscored"] == []
    assert shown.last_action_result["score"] == 1.0 and healthy.state().current_score == 1.0
    wrong = episode().step(MLOpsAction.model_validate(NO_FAULT))
    assert isinstance(wrong, MLOpsObservation) and wrong.done and wrong.reward == 0.0


@pytest.mark.parametrize("fix", [GOLD_FIX, PATCH])
def test_a_diagnosis_of_a_healthy_run_needs_no_trial(fix: str) -> None:
    shown = submit(episode(scenario(control=True)), proposed_fix=fix)
    assert isinstance(shown, MLOpsObservation) and shown.done and shown.reward == 0.0


def test_a_fix_waits_for_its_trial_and_fails_closed_without() -> None:
    played = episode(max_steps=1)
    assert isinstance(submit(played), TrialRequest)
    assert not played.done
    with pytest.raises(EpisodeError, match="waits for its trial"):
        act(played, "read_config")
    shown = played.resume(None)
    assert shown.done and shown.metadata["unscored"] == ["fix"]
    assert shown.last_action_result["rows"]["fix"] is None
    assert shown.reward == shown.last_action_result["score"] == pytest.approx(0.55)
    assert any("unscored: fix" in message for message in shown.messages)
    with pytest.raises(EpisodeError, match="waits for its trial, found none"):
        played.resume(None)
    with pytest.raises(EpisodeError, match="over"):
        submit(played)


def test_row_scores_can_be_withheld() -> None:
    played = episode(show_rows=False)
    submit(played)
    assert "rows" not in played.resume(None).last_action_result


def test_nothing_of_the_answer_is_shown_at_the_end() -> None:
    played = episode()
    submit(played, root_cause_field="trainer.batch_size", proposed_fix="config.yaml: trainer.batch_size = 64")
    text = played.resume(None).model_dump_json()
    assert "secret" not in text and "learning_rate = 0.01" not in text


def test_the_state_is_full_for_faults_and_empty_for_controls() -> None:
    state = episode().state()
    assert (state.bug_type, state.bug_category, state.bug_file) == ("secretfault", "config_error", "config.yaml")
    assert (state.bug_field, state.gold_fix) == ("optimizer.learning_rate", GOLD_FIX)
    assert state.artifacts == ARTIFACT_TEXTS and state.episode_id == "e1" and state.seed == 1
    empty = episode(scenario(control=True)).state()
    assert {empty.bug_type, empty.bug_category, empty.bug_file, empty.bug_field, empty.gold_fix} == {""}


# ------------------------------------------------------------------ fuzz

PATHS = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(["optimizer", "betas", "[0]", "0", "splits", "train", "epoch", "1", "Scaler", "fit", "", "$"]),
        max_size=120,
    ).map(".".join),
    st.sampled_from(["[" * 150, "a" * 5000, "." * 180, "9" * 150, "a[999999999]", "\ud800.x", "['" * 60]),
)
FILTERS = st.one_of(st.text(max_size=30), st.from_regex(r"epoch:[0-9-]{0,9}", fullmatch=True), st.just("\ud800"))
STARTS = st.sampled_from(["config.yaml: optimizer.learning_rate = ", "preprocessing.py:\n- "])
FIXES = st.one_of(
    st.text(max_size=80),
    st.tuples(STARTS, st.text(max_size=60)).map("".join),
    st.sampled_from(
        [
            GOLD_FIX,
            PATCH,
            "config.yaml: started = 2026-13-45",
            "config.yaml: optimizer.name = &x [*x]",
            "config.yaml: optimizer.name = !!int abc",
            "config.yaml: optimizer.name = !!timestamp abc",
            "config.yaml: optimizer.name = " + "[" * 400,
            'preprocessing.py:\n- TARGET = "churn"\n+ TARGET = ' + "-" * 7000 + "1",
        ]
    ),
)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


ACTIONS = st.fixed_dictionaries(
    {"action_type": st.sampled_from(ACTION_TYPES)},
    optional={
        "log_filter": maybe(FILTERS),
        "sanity_check_type": maybe(st.sampled_from(SANITY_CHECKS)),
        "artifact_name": maybe(st.sampled_from(ARTIFACTS)),
        "field_path": maybe(PATHS),
        "failure_category": maybe(st.sampled_from(CATEGORIES)),
        "root_cause_file": maybe(st.sampled_from(ARTIFACTS) | st.text(max_size=9)),
        "root_cause_field": maybe(PATHS),
        "diagnosis": maybe(st.text(max_size=30)),
        "proposed_fix": maybe(FIXES),
    },
)


@settings(max_examples=150, deadline=None)
@given(st.booleans(), st.lists(ACTIONS, min_size=1, max_size=12))
def test_no_action_ever_fails(control: bool, actions: list[dict[str, Any]]) -> None:
    played = episode(scenario(control=control), max_steps=10)
    for number, data in enumerate(actions, start=1):
        action = MLOpsAction.model_validate(data)
        started = time.process_time()
        outcome = played.step(action)
        assert time.process_time() - started < 1.0
        shown = outcome if isinstance(outcome, MLOpsObservation) else played.resume(None)
        assert shown.step_count == number and len(shown.model_dump_json()) < 60_000
        assert 0.0 <= float(shown.reward or 0.0) <= 1.0 and (shown.done or shown.reward == 0.0)
        assert shown.last_action_result
        if shown.done:
            break


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.none() | st.text(max_size=9) | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_no_input_ever_fails_to_be_read_or_explained(data: object) -> None:
    assert read_action(data)


def test_hostile_filters_and_paths_take_no_time() -> None:
    wide = json.dumps({f"feature_{n}_{'x' * 40}": {"mean": 1.0, "std": 2.0} for n in range(2000)})
    log = (LOG + "a" * 20_000 + "\n" + "a=" * 20_000 + "\n") * 5
    played = episode(scenario(artifacts={**ARTIFACT_TEXTS, "dataset_stats.json": wide, "train.log": log}))
    started = time.process_time()
    for path in ("feature_1_" + "y" * 150, "a." * 99, "f[0]" * 40, "[" * 200, "feature_3.mean"):
        act(played, "query_artifact", artifact_name="dataset_stats.json", field_path=path)
    for text in ("a" * 199, "(a+)+$" * 20, "epoch:" + "1-" * 90):
        act(played, "read_logs", log_filter=text)
    act(played, "query_artifact", artifact_name="train.log", field_path="aaaa")
    assert time.process_time() - started < 2.0


def test_steps_are_cheap() -> None:
    record = scenario()
    actions = [
        MLOpsAction(action_type="read_config"),
        MLOpsAction(action_type="read_logs", log_filter="warning"),
        MLOpsAction(action_type="query_artifact", artifact_name="config.yaml", field_path="optimizer.learning_rate"),
        MLOpsAction(action_type="run_sanity_check", sanity_check_type="class_balance"),
    ]
    for action in actions:
        episode(record).step(action)
    started = time.process_time()
    for _ in range(200):
        played = episode(record)
        for action in actions * 7:
            played.step(action)
    # A loose bound for a busy machine; the measured rate stands in LOG.md.
    assert 200 * 28 / (time.process_time() - started) > 5_000


# ------------------------------------------------------------------ selection and drivers


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    path: Path = tmp_path_factory.mktemp("bank") / "bank.sqlite"
    records = [
        scenario(f"{split}-{tier}-{n}", control=n == 0, tier=tier, split=split)
        for split in ("train", "test")
        for tier in ("easy", "medium", "hard")
        for n in range(4)
    ]
    BankWriter(path).write(records, {})
    return Bank(path)


def test_a_seed_fixes_the_scenario_and_seeds_spread_evenly(bank: Bank) -> None:
    selector = Selector(bank)
    drawn = [selector.select(seed=seed) for seed in range(1200)]
    assert drawn == [Selector(bank).select(seed=seed) for seed in range(1200)]
    counts = Counter(drawn)
    assert len(counts) == 12 and all(name.startswith("train-") for name in counts)
    assert min(counts.values()) > 60 and max(counts.values()) < 150


def test_tasks_splits_and_controls_narrow_the_draw(bank: Bank) -> None:
    selector = Selector(bank)
    for task in TASKS:
        names = selector.pool(task_id=task, split="test")
        assert len(names) == (12 if task == "mixed" else 4)
        assert all(name.startswith("test-" if task == "mixed" else f"test-{task}-") for name in names)
        assert [selector.select(seed=0, task_id=task, split="test", index=n) for n in range(len(names))] == list(names)
    assert {name[-1] for name in selector.pool(task_id="mixed", split="train", controls=True)} == {"0"}
    assert "0" not in {name[-1] for name in selector.pool(task_id="mixed", split="train", controls=False)}


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"task_id": "brutal"}, "expected task_id to be one of easy, medium, hard, mixed, found 'brutal'"),
        ({"task_id": ["easy"]}, "expected task_id"),
        ({"split": "dev"}, "expected split to be one of train, validation, test"),
        ({"split": "validation"}, "the bank has no scenario"),
        ({"split": "test", "index": 12}, "expected index to be 0 to 11"),
        ({"split": "test", "index": -1}, "expected index"),
        ({"split": "test", "index": True}, "expected index"),
        ({"split": "test", "index": 10**5000}, "expected index"),
        ({"seed": -1}, "expected seed"),
        ({"seed": 10**5000}, "expected seed"),
        ({"seed": True}, "expected seed"),
        ({"seed": "7"}, "expected seed"),
    ],
)
def test_bad_choices_are_refused_in_clear_words(bank: Bank, choice: dict[str, Any], reason: str) -> None:
    with pytest.raises(EpisodeError, match=reason):
        Session(bank).reset(**choice)


def test_a_session_plays_and_closes(bank: Bank) -> None:
    session = Session(bank, settings=Settings(max_steps=4))
    with pytest.raises(EpisodeError, match="reset"):
        session.step(MLOpsAction(action_type="read_config"))
    first = session.reset(seed=5, task_id="hard")
    assert first.max_steps == 4 and first.metadata == {"tier": "hard"} and first.task_id == "hard"
    assert session.reset(seed=5, task_id="hard") == first
    assert session.state().seed == 5 and session.state().task_id == "hard"
    assert session.step(MLOpsAction(action_type="read_config")).step_count == 1
    assert session.reject("expected an action").step_count == 2
    session.reset(split="test", index=3, episode_id="mine")
    assert session.state().episode_id == "mine"
    assert session.reset(scenario_id="test-easy-1").run_id == "run-test-easy-1"
    session.close()
    for call in (session.reset, session.state, lambda: session.step(MLOpsAction(action_type="read_config"))):
        with pytest.raises(EpisodeError, match="closed"):
            call()


def test_an_omitted_seed_is_fresh_and_repeatable(bank: Bank) -> None:
    session = Session(bank)
    first = session.reset()
    seed = session.state().seed
    session.reset()
    assert session.state().seed != seed
    assert session.reset(seed=seed) == first


def cured(request: TrialRequest) -> TrialResult:
    assert request.config != ARTIFACT_TEXTS["config.yaml"]
    return TrialResult("completed", (figures(0.8),) * 3, "", request.touches)


def test_a_right_diagnosis_scores_one_through_both_drivers(bank: Bank) -> None:
    session = Session(bank, cured)
    session.reset(scenario_id="train-easy-1")
    shown = session.step(MLOpsAction.model_validate(GOOD))
    assert shown.done and shown.reward == 1.0 and shown.metadata == {"tier": "easy", "unscored": []}
    assert shown.last_action_result["rows"] == {"category": 1.0, "file": 1.0, "field": 1.0, "fix": 1.0}
    assert session.state().current_score == 1.0 and session.state().episode_done

    async def cured_later(request: TrialRequest) -> TrialResult:
        await asyncio.sleep(0)
        return cured(request)

    async def play() -> MLOpsObservation:
        other = AsyncSession(bank, cured_later)
        await other.reset(scenario_id="train-easy-1")
        return await other.step(MLOpsAction.model_validate(GOOD))

    assert asyncio.run(play()) == shown


def test_a_refused_trial_says_so_and_leaves_the_fix_unscored(bank: Bank) -> None:
    session = Session(bank, lambda request: TrialResult("refused", (), "code patches are not run here", 1))
    session.reset(scenario_id="train-easy-1")
    shown = session.step(MLOpsAction.model_validate({**GOOD, "proposed_fix": PATCH}))
    assert shown.done and shown.metadata["unscored"] == ["fix"]
    assert any("code patches are not run here" in message for message in shown.messages)


def test_a_failing_trainer_leaves_the_fix_unscored(bank: Bank) -> None:
    def unwell(request: TrialRequest) -> TrialResult:
        raise PoolError("no worker answered")

    async def unwell_too(request: TrialRequest) -> TrialResult:
        raise PoolError("no worker answered")

    session = Session(bank, unwell)
    session.reset(scenario_id="train-easy-1")
    shown = session.step(MLOpsAction.model_validate(GOOD))
    assert shown.done and shown.metadata["unscored"] == ["fix"]
    assert "worker" not in shown.model_dump_json()

    async def play() -> MLOpsObservation:
        other = AsyncSession(bank, unwell_too)
        await other.reset(scenario_id="train-easy-1")
        return await other.step(MLOpsAction.model_validate(GOOD))

    assert asyncio.run(play()) == shown


def test_a_trial_that_is_cancelled_ends_its_own_episode_alone(bank: Bank) -> None:
    async def endless(request: TrialRequest) -> TrialResult:
        await asyncio.sleep(3600)
        raise PoolError("woken")

    async def play() -> None:
        session = AsyncSession(bank, endless)
        await session.reset(scenario_id="train-easy-1")
        waiting = asyncio.create_task(session.step(MLOpsAction.model_validate(GOOD)))
        await asyncio.sleep(0)
        with pytest.raises(EpisodeError, match="waits for its trial"):
            await session.step(MLOpsAction(action_type="read_config"))
        await session.reset(scenario_id="train-easy-2")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await session.step(MLOpsAction(action_type="read_config"))).step_count == 1

    asyncio.run(play())


# ------------------------------------------------------------------ nearest names

NAMES = st.lists(st.text("abcdet._0é\ud800", max_size=30), max_size=40)


@given(st.text("abcdet._0é\ud800", max_size=30), NAMES, st.integers(1, 4), st.sampled_from([0.0, 0.4, 0.5, 0.8]))
def test_nearest_names_are_those_of_difflib(word: str, names: list[str], count: int, cutoff: float) -> None:
    assert closest(word, names, count=count, cutoff=cutoff) == difflib.get_close_matches(
        word, names, n=count, cutoff=cutoff
    )


def test_nearest_paths_of_the_bank_are_those_of_difflib(bank_path: Path) -> None:
    """On what agents really mistype: a letter left out, a wrong ending, another section."""
    bank = Bank(bank_path)
    for entry in bank.entries[:1200:200]:
        for name, text in bank.get(entry.scenario_id).artifacts.items():
            if not name.endswith(".json"):
                continue
            known = list(itertools.islice(paths(json.loads(text)), 400))
            for path in known[:: max(1, len(known) // 2)]:
                for typed in (path[1:], f"{path}s", f"train.{path.rpartition('.')[2]}"):
                    assert closest(typed, known, count=3, cutoff=0.5) == difflib.get_close_matches(
                        typed, known, n=3, cutoff=0.5
                    )
    bank.close()


def test_observations_are_what_the_contract_validates() -> None:
    """They are made without validation; every one must be what validating its own values gives, all fields set."""
    played = episode()
    seen = [played.observation(), played.reject("bad")]
    seen += [
        act(played, kind, sanity_check_type=SANITY_CHECKS[0], artifact_name="config.yaml") for kind in ACTION_TYPES
    ]
    seen.append(act(played, "submit_diagnosis", diagnosis="no fault found"))
    assert seen[-1].done
    for observation in seen:
        again = MLOpsObservation.model_validate(observation.model_dump())
        assert again == observation and again.model_fields_set == observation.model_fields_set
