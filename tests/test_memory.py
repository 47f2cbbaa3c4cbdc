"""Learning by heart: who is handed the train split, what the nearest neighbour makes of it, and where that ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import pytest

from mlops_debugger.agents import Agent, Example, Handed, agents
from mlops_debugger.agents._dossier import Dossier
from mlops_debugger.agents._likeness import Likeness
from mlops_debugger.agents.constant import Constant
from mlops_debugger.agents.nearest_neighbour import NearestNeighbour, answers, remember, transplant
from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.contract import MLOpsAction
from mlops_debugger.edits import CODE, CONFIG, parse_fix
from mlops_debugger.environment import Session
from mlops_debugger.errors import EvaluationError
from mlops_debugger.evaluation import Plan, Room, Transcript, evaluate
from mlops_debugger.openenv.app import create_server_app, local_server


@pytest.fixture(scope="module")
def bank() -> Bank:
    return Bank(starter_bank_path())


@pytest.fixture(scope="module")
def examples(bank: Bank) -> tuple[Example, ...]:
    return Room(bank=bank).train_examples()


def quiet(transcript: Transcript, planned: int) -> None:
    """A report that nobody reads."""


def named(transcripts: Sequence[Transcript]) -> float:
    """Mean share of category, file and field."""
    return mean(float(item.rows[row] or 0.0) for item in transcripts for row in ("category", "file", "field"))


# --- who is handed what


def test_the_examples_are_the_train_split_and_its_answers(bank: Bank, examples: tuple[Example, ...]) -> None:
    entries = bank.select(split="train")
    assert [item.state.bug_type or None for item in examples] == [entry.fault for entry in entries]
    first = bank.get(entries[0].scenario_id)
    assert examples[0].state.artifacts == first.artifacts and examples[0].findings == first.findings
    assert examples[0].shown.run_id == first.run_id
    others = {bank.get(entry.scenario_id).run_id for entry in bank.select(split="test")}
    assert not others & {item.shown.run_id for item in examples}


def test_only_who_asks_is_handed_the_examples(examples: tuple[Example, ...]) -> None:
    handed: list[Handed] = []

    def opened(_: int, given: Handed) -> Constant:
        handed.append(given)
        return Constant()

    Agent("for this test", opened).start(0, examples[0].state, examples)
    Agent("for this test", opened, privileged="train_examples").start(0, examples[0].state, examples)
    Agent("for this test", opened, privileged="state").start(0, examples[0].state, examples)
    assert handed == [Handed(), Handed(train_examples=examples), Handed(state=examples[0].state)]


def test_without_examples_there_is_a_clear_error(bank_path: Path, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="train split"):
        agents()["nearest_neighbour"].start(0)
    with (
        local_server(create_server_app(bank_path, harness_key="k")) as url,
        pytest.raises(EvaluationError, match="in process, without --url"),
    ):
        evaluate(Plan("nearest_neighbour", episodes=1), Room(url=url, harness_key="k"), tmp_path, quiet)


# --- what it makes of them


@pytest.mark.slow
def test_what_it_has_seen_it_names(bank: Bank, tmp_path: Path) -> None:
    found = evaluate(Plan("nearest_neighbour", split="train", episodes=12), Room(bank=bank), tmp_path, quiet)
    assert named([item for item in found if item.truth and item.truth.fault]) == 1.0
    assert {item.error for item in found} == {""} and {item.duplicates for item in found} == {0}


@pytest.mark.slow
def test_on_new_runs_it_names_some_seen_faults_and_hardly_a_held_out_one(bank: Bank, tmp_path: Path) -> None:
    found = evaluate(
        Plan("nearest_neighbour", split="test", episodes=60, controls=False), Room(bank=bank), tmp_path, quiet
    )
    unseen = bank.held_out_faults()
    held_out = [item for item in found if item.truth and item.truth.fault in unseen]
    seen = [item for item in found if item.truth and item.truth.fault not in unseen]
    assert 0.2 < named(seen) < 0.9
    assert named(held_out) < 0.1


def test_what_is_sent_back_gives_way_to_the_next_neighbour(bank: Bank, examples: tuple[Example, ...]) -> None:
    session = Session(bank)
    observation = session.reset(split="test", index=0)
    player = NearestNeighbour(examples)
    while (action := player.act(observation)).action_type != "submit_diagnosis":
        observation = session.step(action)
    again = player.act(observation)
    assert again.action_type == "submit_diagnosis" and again != action


def test_a_project_that_train_lacks_is_compared_with_all_of_it(examples: tuple[Example, ...]) -> None:
    assert remember(examples, "a data set of nobody").examples == examples
    some = remember(examples, examples[0].shown.run_summary["dataset"])
    assert 0 < len(some.examples) < len(examples)
    assert answers(some, Dossier({})) == [MLOpsAction(action_type="submit_diagnosis", diagnosis="No fault found.")]


def test_a_run_is_most_like_itself(examples: tuple[Example, ...]) -> None:
    runs = [Dossier(item.state.artifacts, item.findings) for item in examples[:12]]
    likeness = Likeness(runs)
    for index, run in enumerate(runs):
        found = likeness.of(run)
        assert found.index(max(found)) == index


# --- fixes of others


@pytest.mark.parametrize(
    ("config", "fix", "edited"),
    [
        ("optim: {lr: 0.4}", "config.yaml: optim.lr = 0.01", "optim.lr"),
        ("train: {lr: 0.4, epochs: 9}", "config.yaml: optim.lr = 0.01", "train.lr"),
        ("optim: {lr: 0.02}", "config.yaml: optim.lr = 0.01", None),
        ("optim: {lr: 0.01}", "config.yaml: optim.lr = 0.01", None),
        ("optim: {rate: 0.4}", "config.yaml: optim.lr = 0.01", None),
        ("a: {lr: 0.4}\nb: {lr: 0.4}", "config.yaml: optim.lr = 0.01", None),
        ("eval: {split: train}", "config.yaml: eval.split = test", "eval.split"),
        ("eval: {split: validation}", "config.yaml: eval.split = test", None),
        ("eval: {split: [", "config.yaml: eval.split = test", None),
    ],
)
def test_a_config_fix_moves_where_the_value_is_as_faulty(config: str, fix: str, edited: str | None) -> None:
    remembered = Dossier({CONFIG: "optim: {lr: 0.5}\neval: {split: train}", CODE: ""})
    found = transplant(parse_fix(fix), remembered, Dossier({CONFIG: config, CODE: ""}))
    assert (found.config[0].path if found else None) == edited


@pytest.mark.parametrize(("code", "fits"), [("x = fit(rows)\n", True), ("x = fit(train)\n", False)])
def test_a_patch_moves_where_its_lines_stand(code: str, fits: bool) -> None:
    fix = parse_fix("preprocessing.py:\n- x = fit(rows)\n+ x = fit(train)")
    found = transplant(fix, Dossier({}), Dossier({CONFIG: "a: 1", CODE: code}))
    assert found == (fix if fits else None)
