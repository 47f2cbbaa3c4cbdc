"""The six artifacts of an own run, as somebody who investigates it reads them.

What the folder holds is shown as it is, colours and control characters apart. What it does not hold is put together
from what the tools logged and what the tables say, and says so in its first lines: no figure is made up, and nothing
looks as if the run had written it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_debugger.contract import ARTIFACTS
from mlops_debugger.intake._assemble import results
from mlops_debugger.intake._read import OwnRun
from mlops_debugger.intake._sources import Source, printable

SPLITS = ("train", "validation", "test")
_MAX_ROWS = 2_000
_MAX_LISTED = 200
_COLOUR = re.compile(r"\x1b\[[0-9;]*m", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_WANTED = {
    "config.yaml": "save the configuration as config.yaml, or log it with your tracker",
    "train.log": "save the log as train.log, or log metrics by epoch",
    "dataset_stats.json": "give train.csv and test.csv, or predictions.csv, and it is counted from them",
    "preprocessing.py": "copy the code of the data pipeline there as preprocessing.py to have it at hand",
    "eval_results.json": "save the results as eval_results.json, or log test_<metric>",
    "model_card.json": "write model_card.json with primary_metric to say what was agreed on",
}


@dataclass(frozen=True)
class Shown:
    """An artifact's text, the files that it was read from, and whether it is such a file itself."""

    text: str
    files: tuple[str, ...]
    own: bool

    @property
    def origin(self) -> str:
        listed = ", ".join(self.files)
        return f"the run's own file {listed}" if self.own else f"not a file of the run: read from {listed}"


def shown(run: OwnRun) -> dict[str, Shown]:
    """Artifact → what is shown of it, in the contract's order; those that nothing can stand for are missing."""
    found: dict[str, Shown] = {}
    for source, _ in run.parts:
        for name, text in source.artifacts.items():
            files = tuple(file for file in source.files if file.rpartition("/")[2] == name) or (name,)
            found.setdefault(name, Shown(_readable(text), files, own=True))
    for name, build in (
        ("config.yaml", _config),
        ("train.log", _log),
        ("dataset_stats.json", _statistics),
        ("eval_results.json", _results),
    ):
        if name not in found and (made := build(run)) is not None:
            found[name] = made
    return {name: found[name] for name in ARTIFACTS if name in found}


def _readable(text: str) -> str:
    """A stranger's text as any terminal can take it: its lines and tabs, and no other control character."""
    lines = _COLOUR.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", lines.encode("utf-8", "replace").decode())


def wanted(name: str) -> str:
    """The answer to a question about an artifact that is not there."""
    return f"this run has no {name}, and nothing that was read stands for it: {_WANTED[name]}"


def _read_from(files: Sequence[str], what: str) -> str:
    return printable(f"# Not a file of the run: {what} read from {', '.join(files)}.")


def _config(run: OwnRun) -> Shown | None:
    text = run.view.artifacts.get("config.yaml")
    source = next((source for source, _ in run.parts if source.config), None)
    if text is None or source is None:
        return None
    return Shown(f"{_read_from(source.files, 'the settings that were logged,')}\n{text}", source.files, own=False)


def _log(run: OwnRun) -> Shown | None:
    """A line an epoch with what was logged in it: the first source that has curves."""
    source, drawn = next(((source, drawn) for source, drawn in run.parts if drawn.rows), (Source(), None))
    if drawn is None:
        return None
    each = "an epoch" if drawn.by_epoch else "an interval between evaluations, numbered as an epoch"
    lines = [
        _read_from(source.files, f"what was logged, a line for {each},"),
        "# train_loss is the mean of the interval, lr and grad_norm are medians, every other figure is the last one.",
    ]
    kept = drawn.rows[:_MAX_ROWS]
    lines += [" ".join(f"{name}={_figure(name, value)}" for name, value in row.items()) for row in kept]
    if len(kept) < len(drawn.rows):
        lines.append(f"# {len(drawn.rows) - len(kept)} more were logged.")
    return Shown("\n".join([*lines, ""]), source.files, own=False)


def _figure(name: str, value: float) -> str:
    if name in ("epoch", "step") and math.isfinite(value) and value == math.floor(value):
        return str(int(value))
    return f"{value:.6g}"


def _results(run: OwnRun) -> Shown | None:
    report = results(run.view, run.parts)
    files = tuple(
        dict.fromkeys(file for source, drawn in run.parts if source.final or drawn.results for file in source.files)
    )
    if not report or not files:
        return None
    head = {"read_from": [printable(file) for file in files], "these_are": "the last values that were logged"}
    return Shown(json.dumps({**head, **report}, indent=1) + "\n", files, own=False)


def _statistics(run: OwnRun) -> Shown | None:
    """Rows, classes or targets, and columns by split, counted in the rows that were read."""
    arrays, meta = run.view.arrays, run.view.meta
    blocks = {split: block for split in SPLITS if (block := _split(run, split))}
    files = tuple(dict.fromkeys(file for source, _ in run.parts if source.arrays for file in source.files))
    if not blocks or not files:
        return None
    told: dict[str, Any] = {"read_from": [printable(file) for file in files], "these_are": "counts of the rows read"}
    for key in ("task", "kind"):
        if isinstance(meta.get(key), str):
            told[key] = printable(meta[key])
    told["splits"] = blocks
    names, kinds = meta.get("feature_names"), meta.get("feature_kinds")
    if isinstance(names, list) and isinstance(kinds, list) and len(names) == len(kinds):
        columns = list(zip(names, kinds, strict=True))[:_MAX_LISTED]
        told["columns"] = {printable(str(name)): printable(str(kind)) for name, kind in columns}
    if any(f"{split}.features" in arrays for split in SPLITS):
        told["number_of_columns"] = max(_width(arrays.get(f"{split}.features")) for split in SPLITS)
    return Shown(json.dumps(told, indent=1) + "\n", files, own=False)


def _width(values: np.ndarray[Any, Any] | None) -> int:
    return int(values.shape[1]) if values is not None and values.ndim == 2 else 0


def _split(run: OwnRun, split: str) -> dict[str, Any]:
    arrays = run.view.arrays
    sizes = [len(arrays[f"{split}.{what}"]) for what in ("features", "target", "row_id", "prediction")
             if f"{split}.{what}" in arrays and arrays[f"{split}.{what}"].ndim]  # fmt: skip
    if not sizes:
        return {}
    block: dict[str, Any] = {"rows": sizes[0]}
    target = arrays.get(f"{split}.target")
    if target is not None and target.size:
        known = target[np.isfinite(target)]
        block["rows_without_target"] = int(target.size - known.size)
        if known.size:
            block["target"] = _target(run.view.meta, known)
    groups = arrays.get(f"{split}.group")
    if groups is not None:
        block["groups"] = int(np.unique(groups).size)
    return block


def _target(meta: Mapping[str, Any], known: np.ndarray[Any, Any]) -> dict[str, Any]:
    if meta.get("task") == "regression":
        least, middle, most = (float(f"{value:.6g}") for value in np.quantile(known, (0, 0.5, 1)))
        with np.errstate(all="ignore"):
            mean, spread = float(f"{known.mean():.6g}"), float(f"{known.std():.6g}")
        return {"mean": mean, "standard_deviation": spread, "least": least, "median": middle, "largest": most}
    listed = meta.get("classes")
    names = listed.get("train") if isinstance(listed, Mapping) else None
    values, counts = np.unique(known, return_counts=True)
    kept = list(zip(values[:_MAX_LISTED], counts[:_MAX_LISTED], strict=True))
    return {printable(_class(names, value)): int(count) for value, count in kept}


def _class(names: object, value: float) -> str:
    if isinstance(names, list | tuple) and 0 <= value < len(names) and value == math.floor(value):
        return str(names[int(value)])
    return f"{value:g}"
