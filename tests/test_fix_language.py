"""docs/fix-language.md: its examples do what the page says, and its grammar has no rule without a definition."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlops_debugger.edits import CODE, CONFIG, apply_fix, load_yaml, parse_fix
from mlops_debugger.errors import EditError

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "fix-language.md").read_text("utf-8")
BLOCKS = re.findall(r"(?ms)^```(\S+)(?: (\S+))?\n(.*?)^```\n", PAGE)
FILES = {name: text for _, name, text in BLOCKS if name}
ACCEPTED = [text for kind, _, text in BLOCKS if kind == "fix"]
REFUSED = re.findall(r"(?ms)^```refused\n(.*?)^```\n\n> (.*?)\n", PAGE)
CANONICAL = {"optimizer.learning_rate": "optim.lr"}

DONE: list[tuple[dict[str, object], list[str]]] = [
    ({"lr": 0.001}, []),
    ({"lr": 0.001}, []),
    ({"betas": [0.9, 0.99], "nesterov": True}, []),
    ({}, ['    train = frame.iloc[rows["train"]]', "    scaler.fit(train)"]),
    ({}, ['    frame = frame.dropna(subset=["label"])']),
    ({"lr": 0.01}, ["    scaler.fit(frame.iloc[rows])", '    return frame["label"].to_numpy()']),
    ({}, ["    frame = frame.dropna()"]),
]
"""What each accepted example changes below `optim`, and the lines that are new in the code."""


@pytest.mark.parametrize(("text", "done"), list(zip(ACCEPTED, DONE, strict=True)), ids=range(len(DONE)))
def test_examples_do_what_the_page_says(text: str, done: tuple[dict[str, object], list[str]]) -> None:
    after = apply_fix(parse_fix(text), FILES, CANONICAL)
    config = load_yaml(after[CONFIG])
    assert config["optim"] == {"kind": "adam", "lr": 0.5, "betas": [0.9, 0.999], **done[0]}
    assert config["schedule"] == ({"name": "cosine", "warmup": 10} if "schedule" in text else {"name": "constant"})
    assert [line for line in after[CODE].split("\n") if line not in FILES[CODE].split("\n")] == done[1]


def test_the_line_of_a_diff_decides() -> None:
    after = apply_fix(parse_fix(ACCEPTED[-1]), FILES, CANONICAL)[CODE]
    assert after.index("frame.copy()") < after.index("def targets") < after.index("frame.dropna()")


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=range(len(REFUSED)))
def test_refusals_say_what_the_page_quotes(text: str, message: str) -> None:
    with pytest.raises(EditError) as raised:
        apply_fix(parse_fix(text), FILES, CANONICAL)
    assert message in str(raised.value)


def test_the_page_has_both_files_and_enough_examples() -> None:
    assert set(FILES) == {CONFIG, CODE}
    assert len(REFUSED) >= 8


def test_every_word_of_the_grammar_is_defined() -> None:
    (grammar,) = [text for kind, _, text in BLOCKS if kind == "ebnf"]
    defined = set(re.findall(r"(?m)^([a-z][a-z ]*?)\s+=", grammar))
    body = re.sub(r'"[^"]*"|\?[^?]*\?', "", grammar)
    used = {word.strip() for word in re.findall(r"[a-z][a-z ]+[a-z]|[a-z]+", body)}
    given = {"line end", "any character", "letter", "digit", "number", "blank", "blank line"}
    assert used - defined - given == set()
