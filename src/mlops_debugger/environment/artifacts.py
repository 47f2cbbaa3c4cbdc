"""What an agent can ask of the six artifacts: whole texts, log filters, dotted queries. Answers are plain data.

An answer with "error" says what was expected, found and to be done. Answers are bounded: a long text loses its middle,
a large part of a tree is answered by the names in it.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Mapping

import yaml

from mlops_debugger.bank.store import KEPT
from mlops_debugger.contract import ArtifactName
from mlops_debugger.edits import load_yaml
from mlops_debugger.environment import log as logs
from mlops_debugger.environment.outline import outline
from mlops_debugger.environment.plain import MAX_PATH, Plain, explain, to_plain, walk, weight

MAX_CONTENT = 24_000
Answer = dict[str, Plain]
Dialect = tuple[tuple[str, str], ...]
"""Canonical config keys, each with the project's dotted path."""


# Parsing all artifacts of a scenario takes 3.6 ms of CPU, half of it for the outline of its code, and what comes of it
# 100 KB: here, in `log` and in `outline` it stays in memory as long as the scenario does.
@functools.lru_cache(maxsize=KEPT)
def _yaml_tree(text: str) -> Plain:
    return to_plain(load_yaml(text))


@functools.lru_cache(maxsize=3 * KEPT)
def _json_tree(text: str) -> Plain:
    return to_plain(json.loads(text))


def _log_tree(text: str) -> Plain:
    return logs.parse_log(text).tree


_TREES: Mapping[ArtifactName, Callable[[str], Plain]] = {
    "config.yaml": _yaml_tree,
    "train.log": _log_tree,
    "dataset_stats.json": _json_tree,
    "eval_results.json": _json_tree,
    "model_card.json": _json_tree,
}


class Shelf:
    """The artifacts of one run. `dialect` maps canonical config keys to the project's dotted paths.

    `absent` says of an artifact that is not there why, or what to do about it.
    """

    def __init__(
        self, artifacts: Mapping[str, str], dialect: Mapping[str, str], absent: Mapping[str, str] | None = None
    ) -> None:
        self._artifacts = artifacts
        self._dialect: Dialect = tuple(dialect.items())
        self._notes = absent or {}

    def read(self, name: ArtifactName) -> Answer:
        """The whole artifact."""
        text = self._artifacts.get(name)
        if text is None:
            return self._absent(name)
        content, cut = bounded(text, "query its fields with query_artifact")
        return {"artifact": name, "content": content, **cut}

    def log(self, wanted: str) -> Answer:
        """The records that a normal filter (see `log.normal_filter`) selects, continuation lines with them."""
        text = self._artifacts.get("train.log")
        if text is None:
            return self._absent("train.log")
        log = logs.parse_log(text)
        chosen = logs.select(log, wanted)
        if isinstance(chosen, str):
            return {"error": chosen}
        found = "\n".join([log.records[position] for position in chosen]) if wanted else text.rstrip()
        content, cut = bounded(found, "narrow it with log_filter")
        return {
            "artifact": "train.log",
            "filter": wanted.encode("utf-8", "replace").decode() or None,
            "matched": len(chosen),
            "records": len(log.records),
            "content": content,
            **cut,
        }

    def query(self, name: ArtifactName, path: str) -> Answer:
        """The field at a normal path (see `plain.normal_path`)."""
        if not path:
            return self.read(name)
        if len(path) > MAX_PATH:
            return {"error": f"field_path has at most {MAX_PATH} characters, found {len(path)}: give one dotted path"}
        text = self._artifacts.get(name)
        if text is None:
            return self._absent(name)
        return _queried(name, text, path, self._dialect if name == "config.yaml" else ())

    def _absent(self, name: str) -> Answer:
        note = self._notes.get(name, f"the run ended without writing {name}")
        return {"artifact": name, "content": "", "note": note}


# Agents ask the same of a run again and again, wrong paths too, and the nearest names to one take 0.4 ms to find. An
# answer is a part of a parsed artifact, which is kept anyway, or a sentence: 2 KB at most.
@functools.lru_cache(maxsize=16 * KEPT)
def _queried(name: ArtifactName, text: str, path: str, dialect: Dialect) -> Answer:
    """The answer to a query. Shared between episodes: never hand parts of it out."""
    if name == "preprocessing.py":
        return _definition(text, path)
    try:
        tree = _TREES[name](text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {"error": f"{name} cannot be parsed: read it whole, without field_path"}
    if name == "config.yaml":
        return _setting(tree, path, dict(dialect))
    if name == "train.log":
        return _figure(logs.parse_log(text), path)
    return _field(name, tree, path) or {"error": explain(name, tree, path)}


def _figure(log: logs.Log, path: str) -> Answer:
    """A figure of the log by its canonical name, else by the team's own."""
    if path.split(".")[0] == "epochs":
        path = path.replace("epochs", "epoch", 1)
    if (answer := _field("train.log", log.tree, path)) is not None:
        return answer
    own = ".".join(log.names.get(step, step) for step in path.split("."))
    if own != path and (answer := _field("train.log", log.tree, own)) is not None:
        return {**answer, "field_path": path, "resolved_path": own}
    return {"error": explain("train.log", log.tree, path, also=tuple(log.names))}


def _setting(tree: Plain, path: str, dialect: Mapping[str, str]) -> Answer:
    """A config key by the project's own path, else by its canonical name."""
    if (answer := _field("config.yaml", tree, path)) is not None:
        return answer
    head, _, index = path.rpartition(".")
    for canonical, suffix in ((path, ""), (head, f".{index}")):
        if canonical in dialect:
            own = dialect[canonical] + suffix
            if (answer := _field("config.yaml", tree, own)) is not None:
                return {**answer, "resolved_path": own}
    return {"error": explain("config.yaml", tree, path, also=tuple(dialect))}


def bounded(text: str, advice: str) -> tuple[str, Answer]:
    """The text, its middle left out at whole lines where it is long, and a note that says so."""
    if len(text) <= MAX_CONTENT:
        return text, {}
    head, tail = text[: MAX_CONTENT * 2 // 3], text[-MAX_CONTENT // 3 :]
    head, tail = head.rpartition("\n")[0] or head, tail.partition("\n")[2] or tail
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[… {left_out} characters left out …]\n{tail}", {"truncated": f"shortened: {advice}"}


def _field(name: str, tree: Plain, path: str) -> Answer | None:
    steps = path.split(".")
    value, used = walk(tree, steps)
    if used < len(steps):
        return None
    answer: Answer = {"artifact": name, "field_path": path}
    if isinstance(value, str):
        value, cut = bounded(value, "the value is long")
        return {**answer, "value": value, **cut}
    if isinstance(value, dict) and weight(value) > MAX_CONTENT:
        names: list[Plain] = [*itertools.islice(value, 200)]
        return {**answer, "fields": names, "truncated": "too large to show: query one of its fields"}
    if isinstance(value, list) and weight(value) > MAX_CONTENT:
        return {**answer, "length": len(value), "truncated": f"too large to show: query one element, such as {path}.0"}
    return {**answer, "value": value}


def _definition(text: str, path: str) -> Answer:
    found = outline(text)
    if isinstance(found, str):
        return {"error": found}
    name = path.removesuffix("()")
    if name not in found:
        near = explain("preprocessing.py", dict.fromkeys(found), name)
        return {"error": f"{near}. Give the name of a function, class or constant"}
    definition = found[name]
    source, cut = bounded(definition.source, "query one of its methods")
    first, last = definition.lines
    return {
        "artifact": "preprocessing.py",
        "field_path": name,
        "kind": definition.kind,
        "lines": f"{first}-{last}",
        "value": source,
        **cut,
    }
