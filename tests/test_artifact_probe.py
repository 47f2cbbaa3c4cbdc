"""The artifact probe: what it learns from, what it counts, and that it finds a give-away where there is one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scenarios import scenario

from mlops_debugger.bank import Bank, Scenario, starter_bank_path
from mlops_debugger.evaluation.artifact_probe import Probed, artifact_probe, bag, guesses, seen_and_tested
from mlops_debugger.seeds import derive, generator

PROJECT = "loan_outcomes"
"""One project is quick, and enough where nothing has to be found."""


@pytest.fixture(scope="module")
def everything() -> list[Scenario]:
    bank = Bank(starter_bank_path())
    found = list(bank.scenarios())
    bank.close()
    return found


@pytest.fixture(scope="module")
def scenarios(everything: list[Scenario]) -> list[Scenario]:
    return [item for item in everything if item.project == PROJECT]


def with_text(item: Scenario, name: str, text: str) -> Scenario:
    return item.model_copy(update={"artifacts": {**item.artifacts, name: item.artifacts[name] + text}})


def test_a_bag_holds_words_and_numbers_of_every_kind_of_file() -> None:
    found = bag(
        {
            "config.yaml": "optim: {lr: 1e-3, betas: [0.9, 0.99]}\nname: adam\n",
            "model_card.json": '{"ranges": {"lr": [0.1, 2]}, "seen": true}',
            "train.log": "epoch=1/2 loss=0.5\nepoch=2/2 loss=-0.25\n",
        }
    )
    assert {"config.yaml adam", "config.yaml name : adam", "train.log loss = 0.5"} <= found.words
    assert found.numbers["config.yaml .optim.lr"] == 0.001 and found.numbers["config.yaml .optim.betas.1"] == 0.99
    assert (
        found.numbers["model_card.json .ranges.lr.1"] == 2.0 and found.numbers["model_card.json .ranges.lr count"] == 2
    )
    told = [found.numbers[f"train.log loss {what}"] for what in ("first", "last", "min", "max", "mean", "count")]
    assert told == [0.5, -0.25, -0.25, 0.5, 0.125, 2.0]


@pytest.mark.parametrize("text", ["", "\x00", "]: [", "NaN", "[1e999]", "- 1\n- 2", '{"a": {"b": []}}'])
def test_a_bag_survives_any_artifact(text: str) -> None:
    found = bag(dict.fromkeys(("config.yaml", "train.log", "model_card.json"), text))
    assert all(np.isfinite(value) for value in found.numbers.values())


def test_what_is_tested_was_not_learnt_and_its_fault_was(scenarios: list[Scenario]) -> None:
    seen, tested = seen_and_tested(scenarios)
    assert {item.split for item in seen} == {"train"} and "train" not in {item.split for item in tested}
    assert {item.fault for item in tested} <= {item.fault for item in seen} | {None}
    assert any(item.is_control for item in seen) and any(item.is_control for item in tested)


def test_guesses_know_the_shares_of_train() -> None:
    seen = [scenario(f"s{number}", fault="often") for number in range(3)] + [scenario("s3", fault="seldom")]
    tested = [
        scenario("t0", split="test", fault="often"),
        scenario("t1", split="test", fault="seldom", tier="hard", silent=True),
        scenario("t2", split="validation", control=True),
        scenario("t3", split="test", fault="never seen"),
    ]
    found = guesses([*seen, *tested])
    assert [item.scenario_id for item in found["chance"].tested] == ["t0", "t1", "t2"]
    assert found["chance"].share("all") == pytest.approx((0.75 + 0.25 + 0.0) / 3)
    assert found["majority"].share("all") == pytest.approx(1 / 3)
    assert (found["chance"].share("silent"), found["chance"].share("hard"), found["chance"].share("easy")) == (
        0.25,
        0.25,
        0.75,
    )
    assert found["majority"].share("controls") == 0.0 and found["chance"].size("silent") == 1


def test_the_best_classifier_counts_in_every_group() -> None:
    tested = (scenario("a", split="test"), scenario("b", split="test", tier="hard"))
    found = Probed(tested, {"one": np.array([1.0, 0.0]), "other": np.array([0.0, 1.0])})
    assert (found.share("easy"), found.share("hard"), found.share("all")) == (1.0, 1.0, 0.5)
    assert found.share("controls") is None


@pytest.mark.slow
def test_a_planted_word_is_found_in_its_artifact_alone(everything: list[Scenario]) -> None:
    """Positive control: a comment that follows the fault."""
    planted = [
        with_text(item, "config.yaml", f"# reviewed by team {derive('tests', item.fault or 'none') % 1000}\n")
        for item in everything[:260]
    ]
    found = artifact_probe(planted, ("config.yaml",))
    assert (found.share("all") or 0.0) > 0.75
    assert (artifact_probe(planted, ("model_card.json",)).share("all") or 0.0) < 0.4


def test_shuffled_answers_are_not_found(scenarios: list[Scenario]) -> None:
    """Negative control: without a relation there is nothing to learn but what is usual."""
    order = generator("tests", "shuffled").permutation(len(scenarios))
    shuffled = [
        item.model_copy(update={"fault": scenarios[at].fault}) for item, at in zip(scenarios, order, strict=True)
    ]
    found = artifact_probe(shuffled, ("config.yaml",))
    usual = Counter(item.fault for item in found.tested).most_common(1)[0][1] / len(found.tested)
    assert (found.share("all") or 0.0) < usual + 0.15


def test_findings_can_be_probed_too(scenarios: list[Scenario]) -> None:
    found = artifact_probe(scenarios, ("loss_trajectory",))
    assert set(found.right) == {"bayes", "plain trees", "trees"} and found.size("all") == len(found.tested)
