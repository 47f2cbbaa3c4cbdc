"""Difficulty: a search over what actions show, and tiers of it."""

from __future__ import annotations

import json
import random
import resource
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scenarios import ARTIFACT_TEXTS, CONFIG, LOG, scenario
from typer.testing import CliRunner

from mlops_debugger.bank import Answer, Bank, BankWriter, Scenario, starter_bank_path
from mlops_debugger.cli import app
from mlops_debugger.contract import CATEGORIES, SANITY_CHECKS
from mlops_debugger.forge.difficulty import UNKNOWN, rate
from mlops_debugger.forge.finish import finish, held_out
from mlops_debugger.forge.observations import ACTIONS, functions, seen

CODE = ARTIFACT_TEXTS["preprocessing.py"]


def run(
    number: int, *, loss: float = 0.5, accuracy: float = 0.8, rate: float = 0.001, code: str = CODE
) -> dict[str, str]:
    """The artifacts of a run; healthy ones vary a little with the number."""
    shift = 1 + 0.01 * (number % 7)
    return {
        **ARTIFACT_TEXTS,
        "config.yaml": CONFIG.replace("1e-3", f"{rate * (1 + number % 3):.4g}"),
        "train.log": LOG.replace("train_loss=0.5312", f"train_loss={loss * shift:.4f}"),
        "eval_results.json": json.dumps(
            {"test": {"accuracy": accuracy / shift}, "live": {"accuracy": accuracy / shift}}
        ),
        "preprocessing.py": code,
    }


def made(
    fault: str | None, number: int, *, fails: str | None = None, project: str = "loan_outcomes", **changed: object
) -> Scenario:
    """A scenario whose run differs from a healthy one in what is named."""
    healthy = {
        check: {"verdict": "pass", "statistic": "gap", "value": 0.1, "threshold": 0.3, "n": 3}
        for check in SANITY_CHECKS
    }
    findings = dict(healthy)
    if fails:
        findings[fails] = {"verdict": "fail", "statistic": "gap", "value": 1.2, "threshold": 0.3, "n": 3}
    broken = {} if fault is None else {"fault": fault, "site": f"site.{fault}", "twin_artifacts": run(number)}
    broken |= {} if fault is None else {"twin_findings": healthy}
    return scenario(
        f"s-{project}-{fault}-{number}",
        control=fault is None,
        project=project,
        artifacts=run(number, **changed),  # type: ignore[arg-type]
        findings=findings,
        **broken,
    )


def panel(project: str = "loan_outcomes") -> list[Scenario]:
    """Controls, a fault with symptoms and an odd setting of its own, and two faults that look the same."""
    found = [made(None, number, project=project) for number in range(6)]
    found += [made("plain", n, project=project, fails="gradient_norms", loss=4.0, rate=0.4) for n in range(4)]
    for name in ("one", "other"):
        found += [made(name, n, project=project, fails="data_leakage", accuracy=0.2) for n in range(4)]
    return found


@pytest.fixture(scope="module")
def project() -> list[Scenario]:
    return [item for item in Bank(starter_bank_path()).scenarios() if item.project == "meter_digits"]


def test_look_alikes_are_harder_than_a_fault_like_no_other() -> None:
    rated = rate(panel())
    plain = [rating for name, rating in rated.items() if "plain" in name]
    alike = [rating for name, rating in rated.items() if "-one-" in name or "-other-" in name]
    assert max(rating.difficulty for rating in plain) < min(rating.difficulty for rating in alike)
    assert all(rating.separated and 2 <= rating.count <= 4 for rating in plain)
    assert {"config.yaml"} < set(plain[0].steps) <= set(ACTIONS) and plain[0].left[-1] == ()
    for rating in alike:
        mine, twin = ("one", "other") if "-one-" in rating.scenario_id else ("other", "one")
        assert not rating.separated and rating.count == len(ACTIONS) + 1
        assert f"site.{twin}" in rating.left[-1] and f"site.{mine}" not in rating.left[0]


@pytest.mark.slow
def test_ratings_are_in_range_and_do_not_depend_on_the_order(project: list[Scenario]) -> None:
    rated = rate(project)
    assert all(0 <= rating.difficulty <= 1 for rating in rated.values()) and len(rated) == len(project)
    assert len({rating.difficulty for rating in rated.values()}) > len(project) / 2
    for rating in rated.values():
        assert list(rating.remaining) == sorted(rating.remaining, reverse=True)
        assert len(rating.left) == len(rating.steps) + 1 and len(set(rating.steps)) == len(rating.steps)
        assert rating.separated == (not rating.left[-1])
        assert UNKNOWN in rating.left[0]
    shuffled = random.Random(3).sample(project, len(project))
    assert rate(shuffled) == rated


@pytest.mark.slow
def test_a_run_like_its_healthy_twin_is_the_hardest(project: list[Scenario]) -> None:
    """Whether its siblings are loud or quiet."""
    rated = rate(project)
    broken = sorted((item for item in project if item.fault), key=lambda item: rated[item.scenario_id].difficulty)
    for chosen in (broken[0], broken[-1]):
        same = chosen.model_copy(update={"artifacts": chosen.twin_artifacts, "findings": chosen.twin_findings})
        changed = rate([same if item is chosen else item for item in project])
        hardest = max(changed[item.scenario_id].difficulty for item in broken if item is not chosen)
        assert changed[chosen.scenario_id].difficulty > hardest


def test_the_scenario_itself_teaches_nothing_of_its_cause() -> None:
    """A stranger among its fault's scenarios is hard, though it would be its own best likeness."""
    usual = panel()
    odd = made("plain", 9, fails="label_consistency", accuracy=0.5)
    rated = rate([*usual, odd])
    others = [rated[item.scenario_id].difficulty for item in usual if item.fault == "plain"]
    assert rated[odd.scenario_id].difficulty > max(others)


def test_few_scenarios_and_broken_texts_can_be_rated() -> None:
    lonely = made("alone", 0, fails="class_balance")
    crashed = lonely.model_copy(update={"scenario_id": "s-x", "artifacts": dict.fromkeys(ARTIFACT_TEXTS, "")})
    for group in ([lonely], [made(None, 1)], [lonely, crashed], []):
        assert all(0 <= rating.difficulty <= 1 for rating in rate(group).values())


def test_values_that_healthy_runs_show_say_nothing(project: list[Scenario]) -> None:
    """Swapping in another healthy run's texts leaves a control about as hard to be sure of."""
    controls = [item for item in project if item.is_control]
    rated = rate(project)
    assert not any(rated[item.scenario_id].separated for item in controls)


def test_figures_are_read_from_logs_of_any_form() -> None:
    lines = [json.dumps({"time": "2026-03-14T09:12:00", "event": "rows", "kept": 100 + k}) for k in range(2)]
    shown = seen({**ARTIFACT_TEXTS, "train.log": "\n".join(lines)}, {})
    assert 100.0 in shown.figures["train.log"].values()
    named = seen(ARTIFACT_TEXTS, {})
    assert named.figures["train.log"]["val_loss last"] == 0.61
    assert named.figures["train.log"]["train_loss first"] == 0.9312
    assert named.settings[".optimizer.learning_rate"] == 0.001
    assert named.marks["train.log"]["ERROR"] == 1.0
    assert seen({}, {}).figures["train.log"] == {}


def test_lines_belong_to_the_outermost_function() -> None:
    found = functions(CODE)
    assert "def clean(row):" in found["load"] and 'TARGET = "churn"' in found[""]
    assert functions("def broken(:\n  x = 1")[""] == ("def broken(:", "x = 1")


def test_tiers_have_the_same_mixture() -> None:
    bank = list(Bank(starter_bank_path()).scenarios())
    tiers = Counter(item.tier for item in bank)
    assert max(tiers.values()) - min(tiers.values()) <= 3
    for category in CATEGORIES:
        members = [item for item in bank if item.answers and item.answers[0].categories[0] == category]
        counts = Counter(item.tier for item in members)
        assert max(counts.values()) - min(counts.values()) <= 1
        means = [np.mean([i.difficulty for i in members if i.tier == tier]) for tier in ("easy", "medium", "hard")]
        assert means == sorted(means)
    for tier, size in tiers.items():
        assert 0.10 <= sum(item.is_control for item in bank if item.tier == tier) / size <= 0.125


def test_finishing_a_project_again_changes_no_split_and_no_difficulty(project: list[Scenario]) -> None:
    ratings = rate(project)
    done = finish(project, ratings)
    before = {item.scenario_id: (item.split, item.difficulty) for item in project}
    assert {item.scenario_id: (item.split, item.difficulty) for item in done} == before
    assert finish(done, ratings) == done


def test_a_bank_is_rated_anew_without_training(tmp_path: Path) -> None:
    answer = Answer(categories=("config_error",), file="config.yaml", field="x", names={"x": 1.0})
    scenarios = [item.model_copy(update={"answers": (answer,) if item.fault else ()}) for item in panel()]
    BankWriter(tmp_path / "old.sqlite").write(scenarios, {"note": "kept"})
    told = CliRunner().invoke(app, ["bank", str(tmp_path / "old.sqlite"), "--rate", str(tmp_path / "new.sqlite")])
    assert told.exit_code == 0, told.output
    old, new = Bank(tmp_path / "old.sqlite"), Bank(tmp_path / "new.sqlite")
    assert new.manifest == {**old.manifest, **held_out()} and {entry.tier for entry in new.entries} == {
        "easy",
        "medium",
        "hard",
    }
    for item in new.scenarios():
        assert set(item.difficulty_parts) == {"steps", "left", "causes", "remaining"}
    old.close()
    new.close()


@pytest.mark.slow
def test_twelve_hundred_scenarios_need_bounded_memory() -> None:
    scenarios = []
    for project in ("a", "b", "c", "d"):
        scenarios += [made(None, number, project=project) for number in range(30)]
        for fault in range(30):
            changed = {"loss": 0.5 * 1.2**fault, "rate": 0.001 * 1.3**fault}
            scenarios += [
                made(f"f{fault}", n, project=project, fails=SANITY_CHECKS[fault % 8], **changed) for n in range(9)
            ]
    assert len(scenarios) == 1200
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rated = rate(scenarios)
    assert len(rated) == 1200
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    ) / 1024 < 400  # megabytes; tracing slows it fivefold
