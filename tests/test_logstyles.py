"""Logs of different teams: one training run in every style, and readers that find the same in all of them."""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_debugger.agents._dossier import Dossier
from mlops_debugger.agents._likeness import Likeness
from mlops_debugger.edits import CONFIG
from mlops_debugger.environment.artifacts import Shelf
from mlops_debugger.environment.log import Log, parse_log, select
from mlops_debugger.evaluation.artifact_probe import bag
from mlops_debugger.forge.plant import variation_of
from mlops_debugger.projects import SHARED, projects
from mlops_debugger.runs.pool import RunResult, TrainerPool
from mlops_debugger.runs.workspace import render

STYLES = ("plain", "json_lines", "progress", "table", "trainer_dicts")
PROJECT, SEED, CLOCK, EPOCHS = "loan_outcomes", 77, "2026-02-02T08:00:00", 5
# A warning of a library, which logging captures, and one of the team's own, with a line break.
WARNINGS = '    import warnings; warnings.warn("an old export", FutureWarning); run.log.warning("rows\\n are sorted")\n'
OWN_NAMES = {
    "plain": ("train_loss", "val_loss", "val_f1"),
    "json_lines": ("train/loss", "valid/loss", "valid/f1"),
    "progress": ("loss", "val_loss", "val_f1"),
    "table": ("train_loss", "valid_loss", "valid_f1"),
    "trainer_dicts": ("loss", "eval_loss", "eval_f1"),
}


@pytest.fixture(scope="module")
def runs() -> Iterator[Mapping[tuple[str, str], RunResult]]:
    """By style and kind: healthy, crashed at a column that is not there, diverged; and healthy without a style."""
    item = projects()[PROJECT]
    variation = variation_of(item, SEED)
    variation = replace(variation, config={**variation.config, "training.epochs": EPOCHS})
    data = item.generate(SEED, variation.data)
    sources = render(item, variation)
    rate = variation.config["optimizer.learning_rate"]
    configs = {
        "healthy": sources[CONFIG],
        "crashed": sources[CONFIG].replace("label: outcome", "label: outcome_next_year"),
        "diverged": sources[CONFIG].replace(f": {rate}", ": 1.0e+9"),
    }
    assert len(set(configs.values())) == 3
    found = {}
    with TrainerPool(1) as pool:
        for style in ("default", *STYLES):
            call = "Run()" if style == "default" else f'Run(style="{style}")'
            pipeline = sources["pipeline.py"].replace("run = Run()", f"run = {call}")
            pipeline = pipeline.replace("def _train(run):\n", f"def _train(run):\n{WARNINGS}")
            assert call in pipeline and WARNINGS in pipeline
            for kind, config in configs.items():
                if style != "default" or kind == "healthy":
                    changed = {**sources, "pipeline.py": pipeline, CONFIG: config}
                    found[style, kind] = pool.run(changed, data, run_id="run-1", started_at=CLOCK)
    yield found


@pytest.fixture(scope="module")
def texts(runs: Mapping[tuple[str, str], RunResult]) -> dict[tuple[str, str], str]:
    return {key: result.outputs["train.log"] for key, result in runs.items()}


Texts = Mapping[tuple[str, str], str]


def answer(text: str, path: str) -> Any:
    return Shelf({"train.log": text}, {}).query("train.log", path)


# ------------------------------------------------------------------ what the runs wrote


def test_a_style_changes_the_log_alone(runs: Mapping[tuple[str, str], RunResult]) -> None:
    for kind in ("healthy", "crashed", "diverged"):
        plain = runs["plain", kind]
        for style in STYLES[1:]:
            other = runs[style, kind]
            assert other.status == plain.status == ("crashed" if kind == "crashed" else "completed")
            assert other.outputs["train.log"] != plain.outputs["train.log"]
            assert {**other.outputs, "train.log": ""} == {**plain.outputs, "train.log": ""}
            assert other.record.meta == plain.record.meta
            for name, values in plain.record.arrays.items():
                assert values.tobytes() == other.record.arrays[name].tobytes()


def test_plain_is_the_default(texts: Texts) -> None:
    assert texts["default", "healthy"] == texts["plain", "healthy"]


def test_an_unknown_style_is_named() -> None:
    with pytest.raises(ValueError, match="no log style 'xml': there are plain, json_lines"):
        styles().style_named("xml", NOW)


def test_every_style_is_its_own(texts: Texts) -> None:
    lines = {style: texts[style, "healthy"].splitlines() for style in STYLES}
    assert all(json.loads(line)["timestamp"].startswith("2026-02-02 08:00:0") for line in lines["json_lines"])
    assert any(line.startswith(f"Epoch 3/{EPOCHS}: 100%|") and " it/s]  " in line for line in lines["progress"])
    assert sum(line.startswith("{'loss': ") for line in lines["trainer_dicts"]) == EPOCHS
    assert sum(line.startswith("{'eval_loss': ") for line in lines["trainer_dicts"]) == EPOCHS
    rows = [
        line
        for line in lines["table"]
        if line.startswith(("epoch ", *(f"{epoch}/{EPOCHS}" for epoch in range(1, EPOCHS + 1))))
    ]
    assert len(rows) == EPOCHS + 1 and len({len(row) for row in rows}) == 1


# ------------------------------------------------------------------ what the environment reads


@pytest.mark.parametrize("style", STYLES)
def test_the_figures_are_the_same_in_every_style(style: str, texts: Texts) -> None:
    plain, text = texts["plain", "healthy"], texts[style, "healthy"]
    log = parse_log(text)
    assert log.tree == parse_log(plain).tree and log.span == (1, EPOCHS)
    assert answer(text, "epoch.3")["value"] == answer(plain, "epochs.3")["value"]
    assert set(answer(text, "epoch.1")["value"]) == {
        "step",
        "train_loss",
        "val_loss",
        "val_f1",
        "lr",
        "grad_norm",
        "saved",
    }
    assert answer(text, f"val_f1.{EPOCHS}")["value"] == answer(plain, f"metrics.val_f1.{EPOCHS}")["value"]


@pytest.mark.parametrize("style", STYLES)
def test_a_team_s_own_names_are_understood(style: str, texts: Texts) -> None:
    text = texts[style, "healthy"]
    for own, name in zip(OWN_NAMES[style], OWN_NAMES["plain"], strict=True):
        assert own in text
        for path in ("{}", "{}.3", "metrics.{}", "epoch.3.{}"):
            found = answer(text, path.format(own))
            assert found["value"] == answer(text, path.format(name))["value"]
            assert found["field_path"] == path.format(own)
            assert found.get("resolved_path", found["field_path"]) == path.format(name)
    assert "has no field" in answer(text, "valid/accuracy")["error"]


@pytest.mark.parametrize("style", STYLES)
def test_an_epoch_filter_gives_the_epochs_records(style: str, texts: Texts) -> None:
    log = parse_log(texts[style, "healthy"])
    chosen = [log.records[position] for position in select(log, "epoch:2-3") if isinstance(position, int)]
    if style == "table":
        assert chosen.pop(0).startswith("epoch ")
    assert len(chosen) == (4 if style == "trainer_dicts" else 2)
    other = parse_log("\n".join([log.records[0], *(log.records[position] for position in log.headings), *chosen]))
    assert other.tree["epoch"] == {key: log.tree["epoch"][key] for key in ("2", "3")}  # type: ignore[index,call-overload]
    assert f"has the epochs 1 to {EPOCHS}" in str(select(log, f"epoch:{EPOCHS + 1}"))


@pytest.mark.parametrize("style", STYLES)
def test_warnings_are_found_and_counted(style: str, texts: Texts) -> None:
    healthy, diverged = (parse_log(texts[style, kind]) for kind in ("healthy", "diverged"))
    found = [healthy.records[position] for position in select(healthy, "warning") if isinstance(position, int)]
    assert sum("an old export" in record for record in found) == 1
    assert sum("are sorted" in record for record in found) == 1
    assert healthy.warnings == parse_log(texts["plain", "healthy"]).warnings >= 2
    assert diverged.warnings == healthy.warnings + 1 and "ERROR" in diverged.levels


@pytest.mark.parametrize("style", STYLES)
def test_a_traceback_stays_one_record(style: str, texts: Texts) -> None:
    log = parse_log(texts[style, "crashed"])
    last = log.records[-1]
    assert len(log.records) == len(parse_log(texts["plain", "crashed"]).records)
    assert log.levels[-1] == "ERROR" and last.count("Traceback (most recent call last)") == 2
    assert "preprocessing.py" in last and "outcome_next_year" in last and '"/' not in last
    assert [len(log.records) - 1] == select(log, "keyerror")
    assert "names no epoch" in str(select(log, "epoch:1"))


# ------------------------------------------------------------------ what agents and the probe read


@pytest.mark.parametrize("style", STYLES)
def test_agents_and_the_probe_find_the_same(style: str, texts: Texts) -> None:
    for kind in ("healthy", "crashed", "diverged"):
        plain, run = (Dossier({"train.log": texts[name, kind]}) for name in ("plain", style))
        assert run.epochs == plain.epochs
        assert run.planned_epochs == plain.planned_epochs == (EPOCHS if kind == "healthy" else 0)
        assert run.total_steps == plain.total_steps
        numbers, expected = (bag({"train.log": texts[name, kind]}).numbers for name in (style, "plain"))
        wanted = [name for name in expected if name.split()[1] in ("train_loss", "val_f1", "lr", "grad_norm", "f1")]
        assert [numbers[name] for name in wanted] == [expected[name] for name in wanted]
        assert len(wanted) > 20 or kind != "healthy"
    run, other = (Dossier({"train.log": texts[style, kind]}) for kind in ("healthy", "diverged"))
    same, different = Likeness([run, other]).of(run)
    assert same > different


# ------------------------------------------------------------------ without a run

NOW = dt.datetime.fromisoformat(CLOCK)


def styles() -> ModuleType:
    spec = importlib.util.spec_from_file_location("logstyles_under_test", SHARED / "logstyles.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def log_of(style: str, values: list[tuple[float, float]], messages: list[str]) -> str:
    """An epoch for every pair of values, a warning after each of them while there are messages."""
    layout = styles().style_named(style, NOW)
    lines = [layout.message(NOW, "INFO", "pipeline", "run started", "")]
    for number, (loss, metric) in enumerate(values):
        figures = {"epoch": number + 1, "epochs": len(values), "step": 9 * number + 9, "batches": 9, "train_loss": loss}
        figures |= {"val_loss": metric, "val_macro_f1": metric, "lr": 1e-5 * loss, "grad_norm": loss}
        lines.append(layout.epoch(NOW, figures | {"saved": "" if number else "best"}))
        if number < len(messages):
            lines.append(layout.message(NOW, "WARNING", "py.warnings", messages[number], ""))
    return "\n".join(lines) + "\n"


FIGURES = st.floats(width=32) | st.sampled_from([float("nan"), float("inf"), 0.0, 1e8, 1e-7])
MESSAGES = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), max_size=30)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(FIGURES, FIGURES), min_size=1, max_size=4), st.lists(MESSAGES, max_size=3))
def test_any_figures_are_read_alike(values: list[tuple[float, float]], messages: list[str]) -> None:
    plain = log_of("plain", values, messages)
    for style in STYLES:
        text = log_of(style, values, messages)
        log = parse_log(text)
        assert log.tree == parse_log(plain).tree and log.warnings == min(len(values), len(messages))
        run, same = Dossier({"train.log": text}), Dossier({"train.log": plain})
        assert [str(sorted(row.items())) for row in run.epochs] == [str(sorted(row.items())) for row in same.epochs]
        assert run.total_steps == same.total_steps == 9 * len(values) and run.planned_epochs == len(values)
        for number in range(1, min(len(values) - 1, len(messages)) + 1):
            chosen = select(log, f"epoch:{number + 1}")
            assert any(log.levels[position] == "WARNING" for position in chosen if isinstance(position, int))


def survive(text: str) -> Log:
    """Read it in every way that there is."""
    log = parse_log(text)
    for wanted in ("", "warning", "epoch:1", "epoch:2-3"):
        assert select(log, wanted) is not None
    shelf = Shelf({"train.log": text}, {})
    for path in ("epoch.3", "val_loss", "metrics", "valid/f1", "epochs.1.eval_loss"):
        json.dumps(shelf.query("train.log", path), allow_nan=False)
    run = Dossier({"train.log": text})
    assert run.planned_epochs >= 0 and run.total_steps is not None and isinstance(run.epochs, tuple)
    return log


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_malformed_and_truncated_logs_never_raise(data: st.DataObject) -> None:
    style = data.draw(st.sampled_from(STYLES))
    text = log_of(style, [(0.5, 0.4), (0.3, 0.2), (0.1, 0.1)], ["overflow", "underflow"])
    for _ in range(data.draw(st.integers(1, 4))):
        first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
        put = st.text(max_size=12) | st.sampled_from(
            ["{'epoch': ", '{"epoch": [', "1/2 ", "=", "9" * 5000, "\n", "epoch  step "]
        )
        text = data.draw(
            st.sampled_from(
                [text[:last], text[first:], text[:first] + text[last:], text[:first] + data.draw(put) + text[first:]]
            )
        )
    survive(text)
    assert bag({"train.log": text}).numbers
    assert Likeness([Dossier({"train.log": text})]).of(Dossier({"train.log": text}))


def test_figures_beyond_every_number_are_no_figures() -> None:
    text = "A: " + "9" * 400 + "\nloss=0.5 " + "A=" + "9" * 400
    assert Likeness([Dossier({"train.log": text})]).of(Dossier({"train.log": text}))


@pytest.mark.parametrize("style", STYLES)
def test_real_logs_cut_anywhere_never_raise(style: str, texts: Texts) -> None:
    for kind in ("healthy", "crashed"):
        text = texts[style, kind]
        for position in range(0, len(text), 1 + len(text) // 20):
            assert len(survive(text[:position]).records) <= len(parse_log(text).records)
            survive(text[position:])


@pytest.mark.parametrize(
    "opening", ['{"event": "', "{'loss': '", "Epoch 1/2: ", "1/2 ", "epoch  step  ", "[2026-02-02 08:00:00]["]
)
def test_hostile_lines_are_survived(opening: str) -> None:
    for filling in ("a", "a=", "'a", '"a": ', "[", " ", "/1", "{'"):
        survive((opening + filling * 20_000 + "\n") * 3)
