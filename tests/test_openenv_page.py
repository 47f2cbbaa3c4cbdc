"""The web page: what is drawn of an episode, and a person's way through it in a real browser."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser import REQUIRED, Page, browser, programs
from openenv.core.env_server.serialization import serialize_observation
from processes import running
from scenarios import ARTIFACT_TEXTS, CODE, LOG, scenario

from mlops_debugger.bank import Answer, Bank, BankWriter
from mlops_debugger.contract import SANITY_CHECKS
from mlops_debugger.environment.driver import Settings
from mlops_debugger.openenv.environment import MLOpsEnvironment
from mlops_debugger.openenv.models import MLOpsObservation, WireAction
from mlops_debugger.openenv.page import Visitors
from mlops_debugger.openenv.trail import Step, figures

DOCS = Path(__file__).parents[1] / "docs"
CANARY = "canary7c1e"
HOSTILE = '<img src=x onerror="window.hacked=1"></pre></td><script>window.hacked=1</script>&amp;\u202e\x07'
NO_FAULT = {"action_type": "submit_diagnosis", "diagnosis": "nothing is wrong"}


class Played:
    """An environment in this process, and what the page gets of it."""

    def __init__(self, bank: Bank, **settings: Any) -> None:
        self.environment = MLOpsEnvironment(bank, settings=Settings(**settings))
        self.reset()

    def reset(self, **options: Any) -> None:
        self._see(asyncio.run(self.environment.reset_async(seed=1, **options)))

    def step(self, **action: Any) -> str:
        self._see(asyncio.run(self.environment.step_async(WireAction.model_validate(action))))
        return self.html

    def _see(self, observation: MLOpsObservation) -> None:
        told = serialize_observation(observation)
        self.observation = {**told["observation"], "reward": told["reward"], "done": told["done"]}
        self.html = self.environment.render_web(self.observation) or ""

    @property
    def suggested(self) -> list[tuple[str, dict[str, Any]]]:
        return self.environment.web_actions(self.observation)


def bank_of(path: Path, **changes: Any) -> Bank:
    BankWriter(path).write([scenario(f"s{n}", **changes) for n in range(3)], {})
    return Bank(path)


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    opened = bank_of(tmp_path / "bank.sqlite")
    yield opened
    opened.close()


# --- what is drawn


def test_nothing_is_drawn_that_was_not_read(bank: Bank) -> None:
    played = Played(bank)
    for text in ("learning_rate: 1e-3", "train_loss", "Scaler", "val_accuracy", "macro_f1"):
        assert text not in played.html.replace(played.observation["task_description"], "")
    assert "<polyline" not in played.html and "30 steps left" in played.html and played.html.count("not read") == 6
    html = played.step(action_type="read_config")
    assert "learning_rate: 1e-3" in html and "<polyline" not in html and html.count("not read") == 5
    assert '<td class="n">2</td><td>optimizer:</td>' in html
    html = played.step(action_type="query_artifact", artifact_name="preprocessing.py", field_path="Scaler.fit")
    line = CODE.split("\n").index("    def fit(self, values):") + 1
    assert f'<td class="n">{line}</td><td>    def fit(self, values):</td>' in html and "def build" not in html
    assert "read in part" in html


def test_curves_show_the_epochs_that_were_read(bank: Bank) -> None:
    played = Played(bank)
    assert "<polyline" not in played.step(action_type="read_logs", log_filter="overflow")
    html = played.step(action_type="read_logs", log_filter="epoch:1")
    assert "<polyline" not in html and "<circle" in html and "0.5312" not in html
    html = played.step(action_type="read_logs")
    assert html.count("<polyline") >= 2 and "macro_f1 on validation by epoch" in html


def step(answer: dict[str, Any], **action: Any) -> Step:
    return Step(1, WireAction.model_validate(action), answer)


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("metrics.lr", {"1": 0.1, "3": 0.2}, {1: {"lr": 0.1}, 3: {"lr": 0.2}}),
        ("lr", {"1": 0.1}, {1: {"lr": 0.1}}),
        ("metrics.lr.3", 0.2, {3: {"lr": 0.2}}),
        ("metrics", {"lr": {"1": 0.1}, "saved": {"1": "best"}}, {1: {"lr": 0.1}}),
        ("epoch", {"1": {"lr": 0.1}}, {1: {"lr": 0.1}}),
        ("epoch.2", {"lr": 0.1, "saved": "best"}, {2: {"lr": 0.1}}),
        ("epoch.2.lr", 0.1, {2: {"lr": 0.1}}),
        ("epoch.x", {"lr": True}, {}),
        ("", None, {}),
    ],
)
def test_figures_of_single_fields(path: str, value: Any, found: dict[int, dict[str, float]]) -> None:
    asked = {"action_type": "query_artifact", "artifact_name": "train.log", "field_path": path}
    assert figures([step({"artifact": "train.log", "field_path": path, "value": value}, **asked)]) == found


def test_everything_is_escaped(tmp_path: Path) -> None:
    texts = {name: f"{HOSTILE}\n{text}" for name, text in ARTIFACT_TEXTS.items()}
    findings = {
        check: {"verdict": HOSTILE, "summary": HOSTILE, "statistic": HOSTILE, "value": 1.0} for check in SANITY_CHECKS
    }
    opened = bank_of(
        tmp_path / "bank.sqlite",
        artifacts=texts,
        findings=findings,
        run_summary={HOSTILE: HOSTILE, "model": HOSTILE},
        run_id=HOSTILE,
    )
    played = Played(opened)
    pages = [played.html]
    for action in ("read_config", "read_logs", "check_dataset_stats", "inspect_preprocessing", "read_eval_results"):
        pages.append(played.step(action_type=action))
    pages.append(played.step(action_type="read_logs", log_filter=HOSTILE))
    pages.append(played.step(action_type="query_artifact", artifact_name="config.yaml", field_path=HOSTILE))
    pages.append(played.step(action_type=HOSTILE))
    pages += [played.step(action_type="run_sanity_check", sanity_check_type=check) for check in SANITY_CHECKS]
    for page in pages:
        assert "<img" not in page and "<script" not in page and "\u202e" not in page and "\x07" not in page
        assert "&lt;img src=x" in page
    opened.close()


def test_the_answer_is_never_drawn(tmp_path: Path) -> None:
    """A canary in every field that holds the answer; it is nowhere, before the end and after it, right or wrong."""
    answer = Answer(
        categories=("config_error",), file="config.yaml", field=CANARY, names={CANARY: 1.0, "learning_rate": 1.0}
    )
    opened = bank_of(
        tmp_path / "bank.sqlite",
        fault=CANARY,
        site=CANARY,
        answers=(answer,),
        sentence=CANARY,
        gold_fix=f"config.yaml: {CANARY} = 1",
        twin_artifacts=dict.fromkeys(ARTIFACT_TEXTS, CANARY),
        twin_findings={SANITY_CHECKS[0]: {"verdict": CANARY}},
    )
    for fields in ({}, {"failure_category": "config_error", "root_cause_file": "config.yaml"}):
        played = Played(opened)
        pages = [played.html, str(played.suggested)]
        pages.append(played.step(action_type="read_config"))
        pages += [played.step(action_type="run_sanity_check", sanity_check_type=check) for check in SANITY_CHECKS]
        if fields:
            fields |= {
                "root_cause_field": "learning_rate",
                "proposed_fix": "config.yaml: optimizer.learning_rate = 0.01",
            }
        pages.append(played.step(action_type="submit_diagnosis", diagnosis="so", **fields))
        assert played.observation["done"]
        pages += [str(played.suggested), str(played.environment.state)]
        assert not [page for page in pages if CANARY in page]
    opened.close()


def test_the_result(bank: Bank) -> None:
    right = {
        "failure_category": "config_error",
        "root_cause_file": "config.yaml",
        "root_cause_field": "learning_rate",
        "proposed_fix": "config.yaml: optimizer.learning_rate = 0.01",
    }
    played = Played(bank)
    html = played.step(action_type="submit_diagnosis", **right)
    assert "<b>0.55</b> of 1" in html and "not scored (up to 0.45)" in html and "0.30 of 0.30" in html
    assert played.suggested == []
    html = Played(bank, show_rows=False).step(action_type="submit_diagnosis", **right)
    assert "<b>0.55</b> of 1" in html and "withholds" in html and "0.30 of 0.30" not in html
    html = Played(bank, max_steps=1).step(action_type="read_config")
    assert "<b>0.00</b> of 1" in html and "without an accepted diagnosis" in html
    played = Played(bank)
    html = played.step(action_type="submit_diagnosis", failure_category="config_error")
    assert "root_cause_file, root_cause_field, proposed_fix missing" in html and "of 1</div>" not in html
    assert "sent back" in played.step(action_type="read_config")


def test_suggestions_follow_what_was_seen(bank: Bank) -> None:
    played = Played(bank)
    assert [label.split(":")[0] for label, _ in played.suggested][:2] == ["Read eval_results.json", "Read train.log"]
    while not played.observation["done"]:
        offered = played.suggested
        assert 0 < len(offered) <= 8
        assert len({str(action) for _, action in offered}) == len(offered)
        assert all(WireAction.model_validate(action).problem is None for _, action in offered)
        played.step(**offered[0][1])
    state = played.environment.state
    # Following the first suggestion reads everything, runs every check, repeats nothing, and ends by submitting.
    assert (state.duplicate_queries, len(state.artifacts_read), len(state.sanity_checks_run)) == (0, 6, 8)
    assert state.step_count == 15


def test_suggestions_follow_findings(tmp_path: Path) -> None:
    opened = bank_of(tmp_path / "bank.sqlite", findings={"gradient_norms": {"verdict": "fail", "value": 9.0}})
    played = Played(opened)
    played.step(action_type="run_sanity_check", sanity_check_type="gradient_norms")
    assert [label.split(":")[0] for label, _ in played.suggested][:3] == [
        "Check loss_trajectory",
        "Read config.yaml",
        "Read train.log",
    ]
    opened.close()


def test_visitors_have_environments_of_their_own(bank: Bank) -> None:
    visitors = Visitors(lambda: MLOpsEnvironment(bank), 2)
    one, two = visitors.of("one"), visitors.of("two")
    assert one is not two and visitors.of("one") is one
    asyncio.run(one.reset_async(seed=1))
    asyncio.run(two.reset_async(seed=1))
    visitors.of("three")
    assert len(visitors) == 2 and visitors.of("one") is one
    assert "closed" in asyncio.run(two.step_async(WireAction.model_validate(NO_FAULT))).last_action_result
    visitors.leave("one")
    visitors.leave("nobody")
    assert visitors.of("one") is not one


# --- in a browser


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as window:
        yield window


@pytest.fixture(scope="module")
def url(bank_path: Path) -> Iterator[str]:
    """A process of its own: gradio leaves event loops and sockets open, which warnings would tell of here."""
    with running(MLOPS_DEBUGGER_BANK=str(bank_path), ENABLE_WEB_INTERFACE="true") as server:
        yield server.base_url


@pytest.mark.slow
def test_a_person_plays_an_episode(page: Page, url: str, tmp_path: Path) -> None:
    page.driver.get(url)
    page.see("30 steps left", "not read")
    assert page.driver.title == "MLOps Pipeline Debugger"
    assert not page.find(".mlops svg") and len(page.suggestions()) == 8
    seed = page.find("input[type=text], textarea")
    box = next(box for box in seed if box.get_attribute("placeholder") == "any")
    box.send_keys("7")
    page.click("button", "New episode")
    page.see("run-", "30 steps left")
    page.click(".oe-actions label", "Read eval_results.json")
    page.see("29 steps left")
    page.click(".oe-actions label", "Read train.log")
    page.see("28 steps left", "Loss by epoch")
    assert len(page.find(".mlops svg polyline")) >= 4
    page.click(".oe-actions label", "Check metric_gap_analysis")
    page.see("27 steps left", "metric_gap_analysis")
    page.click(".oe-actions label", "Read preprocessing.py")
    page.see("26 steps left", "Checks run", "read at step 1")
    numbers = [cell.text for cell in page.find(".mlops .listing td.n") if cell.is_displayed()]
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)] and len(numbers) > 50
    assert page.find(".mlops .checks .verdict.fail, .mlops .checks .verdict.pass, .mlops .checks .verdict.warn")
    picture(page, tmp_path / "web.png")
    details = page.find(".mlops .folder details summary")
    details[0].click()
    assert page.find(".mlops .folder details[open] .listing td.n")[0].is_displayed()
    page.click("button[role=tab]", "Diagnose")
    page.click("button", "Submit and end")
    page.see("expected a diagnosis, found nothing", "25 steps left")
    words = next(box for box in page.find("textarea") if box.get_attribute("placeholder") == "alone: no fault found")
    words.send_keys("Nothing is wrong with this run.")
    page.click("button", "Submit and end")
    page.see("episode over", "of 1", "0.00 of 0.45")
    page.wait(lambda _: page.driver.execute_script("return window.scrollY") == 0)
    page.driver.save_screenshot(str(tmp_path / "end.png"))
    assert page.suggestions() == []
    page.click("button", "New episode")
    page.see("30 steps left")
    assert not [address for address in page.requests() if not address.startswith(url)]


def picture(page: Page, path: Path) -> None:
    """A picture of the whole page; kept for the documentation where MLOPS_DEBUGGER_PICTURES asks for it."""
    height = int(page.driver.execute_script("return document.documentElement.scrollHeight"))
    page.driver.set_window_size(1440, min(height + 150, 2400))
    page.driver.execute_script("window.scrollTo(0, 0)")
    assert page.driver.save_screenshot(str(path)) and path.stat().st_size < 300_000
    page.driver.set_window_size(1440, 1000)
    if os.environ.get("MLOPS_DEBUGGER_PICTURES"):
        (DOCS / path.name).write_bytes(path.read_bytes())


@pytest.mark.slow
def test_visitors_see_their_own_episodes(page: Page, url: str) -> None:
    page.driver.get(url)
    page.click(".oe-actions label", "Read train.log")
    page.see("29 steps left", "Loss by epoch")
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    page.driver.get(url)
    page.see("30 steps left")
    assert not page.find(".mlops svg")
    page.click(".oe-actions label", "Read eval_results.json")
    page.see("29 steps left")
    page.driver.close()
    page.driver.switch_to.window(first)
    page.click(".oe-actions label", "Read eval_results.json")
    page.see("28 steps left", "Loss by epoch")


@pytest.mark.slow
def test_a_strangers_text_stays_text(page: Page, tmp_path: Path) -> None:
    texts = {name: f"{HOSTILE}\n{text}" for name, text in ARTIFACT_TEXTS.items()} | {"train.log": f"{LOG}{HOSTILE}\n"}
    path = tmp_path / "bank.sqlite"
    bank_of(
        path, artifacts=texts, run_summary={"model": HOSTILE}, run_id=HOSTILE, fault=CANARY, gold_fix=CANARY
    ).close()
    variables = {"MLOPS_DEBUGGER_BANK": str(path), "MLOPS_DEBUGGER_HARNESS_KEY": "key", "ENABLE_WEB_INTERFACE": "true"}
    with running(**variables) as server:
        url = server.base_url
        page.driver.get(url)
        page.see("<img src=x")
        for words in ("Read eval_results.json", "Read train.log", "Read config.yaml", "Read preprocessing.py"):
            page.click(".oe-actions label", words)
        page.see("26 steps left", "<script>window.hacked=1</script>")
        assert page.driver.execute_script("return window.hacked === undefined")
        assert not page.find(".mlops img, .mlops script") and CANARY not in page.html()
        for name in ("", "config", "gradio_api/info", "gradio_api/app_id"):
            answer = httpx.get(f"{url}/web/{name}", headers={"X-Harness-Key": "key"}, follow_redirects=True)
            assert CANARY not in answer.text


def test_a_missing_browser_is_a_skip_here_and_a_failure_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv(REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"chromium and chromedriver.*apt-get install"):
        programs()
    monkeypatch.setenv(REQUIRED, "required")
    with pytest.raises(pytest.fail.Exception, match="may not be skipped"):
        programs()
