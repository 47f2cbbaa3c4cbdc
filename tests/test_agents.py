"""The players: valid actions, honest bounds, and rules that stay quiet on healthy runs."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from scenarios import ARTIFACT_TEXTS

import mlops_debugger.agents as package
from mlops_debugger.agents import agents
from mlops_debugger.agents._dossier import Dossier
from mlops_debugger.agents._suspicion import Suspicion
from mlops_debugger.agents.rules import suspicions
from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.bank.store import Entry
from mlops_debugger.contract import SANITY_CHECKS, MLOpsAction, MLOpsObservation
from mlops_debugger.edits import CODE, CONFIG, apply_fix, flatten, load_yaml, parse_fix
from mlops_debugger.environment import Session
from mlops_debugger.errors import EvaluationError
from mlops_debugger.faults import faults
from mlops_debugger.forge.plant import plant
from mlops_debugger.grading import Trials
from mlops_debugger.projects import projects
from mlops_debugger.seeds import derive

CARD = {
    "primary_metric": {"name": "f1", "average": "macro"},
    "label": {"column": "outcome"},
    "inputs": {"known_at_prediction": "everything except outcome, outcome_30d and recovery_fee"},
    "training_ranges": {"learning_rate": {"adam": [3e-4, 1e-2], "sgd": [1e-2, 3e-1]}, "weight_decay_max": 1e-3},
}
LOG = "\n".join(
    f"2026-02-02 08:00:0{epoch},000 INFO engine: epoch={epoch}/8 step={20 * epoch} train_loss=0.5 lr=0.004"
    for epoch in range(1, 9)
)
CODE_HEAD = "import numpy as np\nimport pandas as pd\n\n\n"


@pytest.fixture
def session(bank_path: Path) -> Iterator[Session]:
    bank = Bank(bank_path)
    yield Session(bank)
    bank.close()


def played(session: Session, name: str, seed: int = 0, index: int = 0) -> tuple[list[MLOpsAction], MLOpsObservation]:
    """Play one episode to its end."""
    observation = session.reset(split="test", index=index)
    agent = agents()[name]
    player = agent.start(seed, session.state() if agent.privileged else None)
    actions = []
    while not observation.done:
        actions.append(player.act(observation))
        observation = session.step(actions[-1])
    return actions, observation


def found(config: str = "", code: str = "", **others: str) -> list[Suspicion]:
    texts = {CONFIG: config, CODE: code, "train.log": LOG, "model_card.json": json.dumps(CARD), **others}
    return suspicions(Dossier({name: text for name, text in texts.items() if text}))


def test_the_agents_are_there_and_import_the_contract_and_the_fix_language_alone() -> None:
    assert {"constant", "nearest_neighbour", "oracle", "random", "rules"} <= set(agents())
    allowed = ("agents", "contract", "edits", "errors", "catalog", "seeds", "tools")
    for path in Path(package.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mlops_debugger."):
                assert (node.module or "").split(".")[1] in allowed, f"{path.name}: {node.module}"


@pytest.mark.parametrize("index", range(4))
def test_random_is_valid_repeatable_and_complete(session: Session, index: int) -> None:
    actions, last = played(session, "random", seed=index, index=index)
    again, _ = played(session, "random", seed=index, index=index)
    assert actions == again
    assert last.last_action_result["accepted"] is True
    submission = actions[-1]
    assert submission.failure_category and submission.root_cause_field and submission.proposed_fix
    (edit,) = parse_fix(submission.proposed_fix).config
    assert edit.path in dict(flatten(load_yaml(session.state().artifacts[CONFIG])))


def test_random_differs_between_seeds(session: Session) -> None:
    assert played(session, "random", seed=1)[0] != played(session, "random", seed=2)[0]


def test_constant_reads_nothing_and_always_says_the_same(session: Session) -> None:
    first, _ = played(session, "constant", index=0)
    second, _ = played(session, "constant", seed=9, index=1)
    assert first == second
    assert [action.action_type for action in first] == ["submit_diagnosis"]


def test_oracle_needs_the_state_and_refuses_a_sealed_one(session: Session) -> None:
    session.reset(split="test", index=0)
    with pytest.raises(EvaluationError, match="full state"):
        agents()["oracle"].start(0)
    sealed = session.state().model_copy(update={"bug_category": "sealed"})
    with pytest.raises(EvaluationError, match="harness key"):
        agents()["oracle"].start(0, sealed)


def test_public_agents_never_get_the_state(session: Session) -> None:
    session.reset(split="test", index=0)
    player = agents()["rules"].start(0, session.state())
    assert session.state() not in vars(player).values()


def test_oracle_is_right_wherever_no_training_is_needed(session: Session) -> None:
    for index in range(6):
        _, last = played(session, "oracle", index=index)
        rows = last.last_action_result["rows"]
        assert all(rows[name] == 1.0 for name in ("category", "file", "field"))


def test_rules_read_everything_once_and_submit(session: Session) -> None:
    actions, last = played(session, "rules")
    assert last.done
    assert {action.sanity_check_type for action in actions} >= set(SANITY_CHECKS)
    assert sorted(last.artifacts_read) == sorted(session.state().artifacts)
    assert session.state().duplicate_queries == 0


CONFIG_CASES = [
    ("optimizer: {name: adam, learning_rate: 0.5}", "optimizer.learning_rate", "config_error"),
    ("optim: {kind: sgd, lr: 1e-5}", "optim.lr", "config_error"),
    ("optim: {weight_decay: 0.3}", "optim.weight_decay", "config_error"),
    ("trainer: {ema: 0.9998, max_epochs: 8}", "trainer.ema", "config_error"),
    ("schedule: {name: cosine, warmup_steps: 90000}", "schedule.warmup_steps", "config_error"),
    ("checkpoint: {monitor: val_loss, mode: max}", "checkpoint.mode", "config_error"),
    ("evaluation: {split: train}", "evaluation.split", "evaluation_bug"),
    ("report: {snapshot: epoch_01}", "report.snapshot", "evaluation_bug"),
    ("evaluation: {average: micro}", "evaluation.average", "evaluation_bug"),
    ("eval: {top_k: 3}", "eval.top_k", "evaluation_bug"),
    ("data: {label: outcome_30d}", "data.label", "label_mismatch"),
    ("features: {numeric: [age, recovery_fee]}", "features.numeric", "data_leakage"),
    ("features: {horizon: 6, lags: [2, 3, 56]}", "features.lags", "data_leakage"),
    ("model: {hidden: [1, 64]}", "model.hidden", "architecture_bug"),
    ("model: {activation: identity}", "model.activation", "architecture_bug"),
    ("net: {kernel_size: 1}", "net.kernel_size", "architecture_bug"),
    ("net: {freeze: [conv]}", "net.freeze", "architecture_bug"),
]


@pytest.mark.parametrize(("config", "field", "category"), CONFIG_CASES, ids=[case[1] for case in CONFIG_CASES])
def test_rules_find_a_value_that_cannot_be_right(config: str, field: str, category: str) -> None:
    first = found(config)[0]
    assert (first.field, first.category, first.file) == (field, category, CONFIG)
    fixed = apply_fix(parse_fix(first.fix), {CONFIG: config, CODE: ""}, {})[CONFIG]
    assert found(fixed) == []


CODE_CASES = [
    (
        "def evaluation_order(count, seed):\n    return np.random.default_rng(seed).permutation(count)\n",
        "    return np.arange(count)\n",
        "evaluation_bug",
    ),
    (
        "def decode(positions, state):\n    names = sorted(state.label_ids)\n    return [names[p] for p in positions]",
        "    names = sorted(state.label_ids, key=state.label_ids.get)\n",
        "label_mismatch",
    ),
    (
        "def labelled_rows(frame, label):\n    return frame.fillna({label: 'a'})\n",
        "    return frame.dropna(subset=[label]).reset_index(drop=True)\n",
        "label_mismatch",
    ),
    (
        "def table(load):\n    return load.rolling(8, center=True).mean()\n",
        "    return load.rolling(8).mean()\n",
        "data_leakage",
    ),
    (
        "def transform_training(f, s):\n    return s.scaler.transform(f)\n\n\n"
        "def transform_evaluation(f, s):\n    return f.to_numpy()\n",
        "    return s.scaler.transform(f)\n",
        "preprocessing_bug",
    ),
]


@pytest.mark.parametrize(("code", "line", "category"), CODE_CASES, ids=[case[2] for case in CODE_CASES])
def test_rules_patch_code_that_cannot_be_right(code: str, line: str, category: str) -> None:
    code = CODE_HEAD + code
    first = found(code=code)[0]
    assert (first.category, first.file) == (category, CODE)
    fixed = apply_fix(parse_fix(first.fix), {CONFIG: "{}", CODE: code}, {})[CODE]
    assert line in fixed
    assert found(code=fixed) == []


@pytest.mark.parametrize("project", sorted(projects()))
def test_rules_are_content_with_healthy_sources(project: str) -> None:
    alarms = []
    for number in range(15):
        planted = plant(projects()[project], None, derive("tests", "quiet", number))
        assert planted is not None
        texts = {CONFIG: planted.healthy[CONFIG], CODE: planted.healthy[CODE], "model_card.json": planted.card}
        alarms += [(item.field, item.why) for item in suspicions(Dossier(texts))]
    assert alarms == []


@pytest.mark.parametrize("fault", sorted(faults()))
def test_every_fix_that_rules_propose_applies(fault: str) -> None:
    fitting = [project for project in projects().values() if faults()[fault].plants_for(project)]
    tries = (plant(fitting[-1], fault, derive("tests", "applies", fault, number)) for number in range(40))
    planted = next(item for item in tries if item is not None)
    files = {CONFIG: planted.broken[CONFIG], CODE: planted.broken[CODE]}
    for item in suspicions(Dossier({**files, "model_card.json": planted.card})):
        assert apply_fix(parse_fix(item.fix), files, {}) != files


@pytest.mark.parametrize("text", ["", "\x00", "]: [", "- 1\n- 2", "[" * 5000, '{"a": {"b": []}}', "def f(:"])
def test_rules_survive_any_artifact(text: str) -> None:
    assert isinstance(suspicions(Dossier(dict.fromkeys(ARTIFACT_TEXTS, text))), list)


@pytest.mark.slow
def test_oracle_scores_one_on_sampled_scenarios() -> None:
    bank = Bank(starter_bank_path())
    chosen = sorted(bank.entries, key=lambda entry: derive("tests", "oracle", entry.scenario_id))[:120]

    def score(entry: Entry) -> float:
        session = Session(bank, trials.run)
        observation = session.reset(scenario_id=entry.scenario_id)
        player = agents()["oracle"].start(0, session.state())
        while not observation.done:
            observation = session.step(player.act(observation))
        return float(observation.reward or 0.0)

    with Trials(workers=2, allow_code=True) as trials, ThreadPoolExecutor(2) as threads:
        scores = list(threads.map(score, chosen))
    bank.close()
    assert not {(e.scenario_id, e.fault, e.project): s for e, s in zip(chosen, scores, strict=True) if s != 1.0}
