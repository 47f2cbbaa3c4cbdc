"""A scenario is kept in memory and shared between sessions: nothing that one does to what it was given shows to others."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from mlops_debugger.bank import Bank, Scenario
from mlops_debugger.contract import ARTIFACTS, SANITY_CHECKS, MLOpsAction, MLOpsObservation
from mlops_debugger.environment import Selector, Session
from mlops_debugger.environment.tasks import _POOLS

ACTIONS = (
    MLOpsAction(action_type="read_config"),
    MLOpsAction(action_type="read_logs", log_filter="epoch:1-2"),
    MLOpsAction(action_type="query_artifact", artifact_name="dataset_stats.json", field_path="splits"),
    MLOpsAction(action_type="query_artifact", artifact_name="train.log", field_path="epoch"),
    MLOpsAction(action_type="query_artifact", artifact_name="config.yaml", field_path="model"),
    *(MLOpsAction(action_type="run_sanity_check", sanity_check_type=check) for check in SANITY_CHECKS),
)


@pytest.fixture
def bank(bank_path: Path) -> Any:
    opened = Bank(bank_path, kept=3)
    yield opened
    opened.close()


def spoil(value: Any) -> None:
    """Change everything that can be changed in an answer."""
    if isinstance(value, dict):
        for item in value.values():
            spoil(item)
        value.clear()
        value["spoilt"] = True
    elif isinstance(value, list):
        for item in value:
            spoil(item)
        value[:] = ["spoilt"]
    elif hasattr(value, "__dict__"):
        for name, item in vars(value).items():
            spoil(item)
            if isinstance(item, str):
                setattr(value, name, "spoilt")


def play(session: Session, *, spoiling: bool = False) -> list[str]:
    seen: list[MLOpsObservation] = [session.reset(seed=5, episode_id="same")]
    texts = [seen[0].model_dump_json()]
    for action in ACTIONS:
        seen.append(session.step(action))
        texts.append(seen[-1].model_dump_json())
    state = session.state()
    texts.append(state.model_dump_json())
    if spoiling:
        for observation in seen:
            spoil(observation)
        spoil(state)
    return texts


def test_what_one_session_does_to_its_answers_stays_there(bank: Bank) -> None:
    scenario_id = Selector(bank).select(seed=5)
    pristine = bank.read(scenario_id)
    assert bank.get(scenario_id) is bank.get(scenario_id)
    before = play(Session(bank))
    assert play(Session(bank), spoiling=True) == before
    session = Session(bank)
    assert play(session) == before == play(session)
    assert bank.get(scenario_id) == pristine
    assert "spoilt" not in "".join(before)


def test_episode_that_was_spoilt_while_played_shows_it_to_nobody(bank: Bank) -> None:
    first, second = Session(bank), Session(bank)
    shown = [session.reset(seed=5, episode_id="same") for session in (first, second)]
    for action in ACTIONS:
        spoil(shown[0])
        shown = [session.step(action) for session in (first, second)]
    clean = Session(bank)
    clean.reset(seed=5, episode_id="same")
    for action in ACTIONS:
        expected = clean.step(action)
    assert shown[1] == expected
    assert [meta.name for meta in expected.available_artifacts] == list(ARTIFACTS)


def test_bank_keeps_those_that_were_asked_for_last(bank: Bank) -> None:
    ids = [entry.scenario_id for entry in bank.entries[:4]]
    first: list[Scenario] = [bank.get(name) for name in ids[:3]]
    assert bank.get(ids[0]) is first[0]
    bank.get(ids[3])  # the one that was not asked for since makes room: the second
    assert bank.get(ids[0]) is first[0] and bank.get(ids[2]) is first[2]
    again = bank.get(ids[1])
    assert again is not first[1] and again == first[1]
    assert len(list(bank.scenarios())) == len(bank)
    assert bank.get(ids[1]) is again, "reading all of a bank must not push out what is being played"


def test_sessions_share_the_pools_of_their_bank_and_no_longer(bank_path: Path) -> None:
    bank = Bank(bank_path)
    one, two = Selector(bank), Selector(bank)
    assert one.pool(task_id="easy", split="train") is two.pool(task_id="easy", split="train")
    gc.collect()
    before = len(_POOLS)
    bank.close()
    del bank, one, two
    gc.collect()
    assert len(_POOLS) == before - 1
