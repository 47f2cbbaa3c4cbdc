"""Puts sources together to the RunView that checks look at."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from mlops_debugger.checks import RunView
from mlops_debugger.checks.reading import json_artifact, log_loss, metric_name
from mlops_debugger.edits import dump_yaml
from mlops_debugger.intake._curves import Curves, curves
from mlops_debugger.intake._names import figure
from mlops_debugger.intake._sources import Source, flat, number

FloatArray = NDArray[np.float64]
_BATCH = ("batch_size", "train_batch_size", "bs")
_EPOCHS = ("epochs", "num_epochs", "max_epochs", "num_train_epochs", "n_epochs")
_ACCUMULATION = ("accumulate_grad_batches", "gradient_accumulation_steps", "grad_accumulation", "accumulation_steps")
_SELECTED = ("metric_for_best_model", "monitor", "primary_metric")
_LEAST_EPOCHS = 3
_FITS = 0.25  # how far, as a share, a logged loss may lie from that of saved answers to count as the same
_REGRESSION = frozenset(("mae", "rmse", "mse", "r2", "mape"))
_DEVICES = ("devices", "world_size", "num_processes", "n_gpu", "gpus", "num_nodes")


@dataclass(frozen=True)
class Assembled:
    """The view, notes on what was worked out, and every source's curves."""

    view: RunView
    notes: tuple[str, ...]
    drawn: tuple[Curves, ...]


def assemble(sources: Sequence[Source]) -> Assembled:
    """Put the sources together; what an earlier one has wins."""
    notes: list[str] = []
    arrays: dict[str, FloatArray] = {}
    meta: dict[str, Any] = {}
    artifacts: dict[str, str] = {}
    config: dict[str, Any] = {}
    drawn: list[Curves] = []
    for source in sources:
        arrays = {**source.arrays, **arrays}
        meta = {**source.meta, **meta}
        artifacts = {**source.artifacts, **artifacts}
        config = config or dict(source.config)
    settings = flat(config)
    for source in sources:
        found = curves(source.history, counts_updates=source.counts_updates, metric=_selected(settings, meta))
        drawn.append(found)
        arrays = {**found.arrays, **arrays}
    _loop(meta, settings, drawn, notes)
    if config and "config.yaml" not in artifacts and (text := _written(config)):
        artifacts["config.yaml"] = text
    if "task" not in meta and (task := _task(artifacts, arrays, drawn)):
        meta["task"] = task
    view = RunView(artifacts, arrays, meta)
    report = results(view, list(zip(sources, drawn, strict=True)))
    if "eval_results.json" not in artifacts and "test" in report:
        artifacts["eval_results.json"] = json.dumps(report, indent=1)
        notes.append("there is no eval_results.json: the last results that the tool logged stand for it")
    _evaluated(view, meta, notes)
    return Assembled(RunView(artifacts, arrays, meta), tuple(notes), tuple(drawn))


def _written(config: Mapping[str, Any]) -> str:
    """The configuration as YAML; empty where it holds what YAML cannot say."""
    try:
        return dump_yaml({str(key): value for key, value in config.items()})
    except (yaml.YAMLError, RecursionError, UnicodeError):
        return ""


def _first(settings: Mapping[str, Any], names: Sequence[str]) -> object:
    """The value of the first of these keys, wherever it stands."""
    for name in names:
        for path, value in settings.items():
            if path.rpartition(".")[2] == name and value is not None:
                return value
    return None


def _selected(settings: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    """The metric that the run noted, as series call it."""
    stated = meta.get("metric") or _first(settings, _SELECTED)
    told = figure(stated) if isinstance(stated, str) else None
    return told.what if told is not None else metric_name(stated) if isinstance(stated, str) else ""


def _loop(meta: dict[str, Any], settings: Mapping[str, Any], drawn: Sequence[Curves], notes: list[str]) -> None:
    """What is known of the training loop, where the run did not note it itself."""
    best = next(
        (found for found in drawn if "epoch.train_loss" in found.arrays or "epoch.val_loss" in found.arrays), None
    )
    if best is None:
        return
    if best.metric:
        meta.setdefault("metric", best.metric)
    planned = number(_first(settings, _EPOCHS))
    if not best.by_epoch:
        notes.append(
            "the run counts steps, not epochs (or few of them): intervals between evaluations stand for epochs"
        )
    elif best.epochs is not None and max(planned or 0.0, best.epochs) >= _LEAST_EPOCHS:
        meta.setdefault("epochs_run", best.epochs)
        if planned and planned >= best.epochs:
            meta.setdefault("epochs_planned", planned)
    if best.steps_per_epoch is not None:
        batch, devices = number(_first(settings, _BATCH)), number(_first(settings, _DEVICES))
        if batch and batch > 0 and (devices is None or devices == 1):
            meta.setdefault("steps_per_epoch", best.steps_per_epoch)
            meta.setdefault("batch_size", batch * (number(_first(settings, _ACCUMULATION)) or 1.0))


def _task(artifacts: Mapping[str, str], arrays: Mapping[str, FloatArray], drawn: Sequence[Curves]) -> str:
    """By the metrics that the run has, where no targets tell."""
    if any(name.endswith(".target") for name in arrays):
        return ""
    names = {what for found in drawn for block in found.results.values() for what in block}
    names |= {
        metric_name(k)
        for b in json_artifact(RunView(artifacts), "eval_results.json").values()
        if isinstance(b, dict)
        for k in b
    }
    names -= {"loss", "n"}
    if names & {"accuracy", "auc", "balanced_accuracy"} or any(name.endswith("f1") for name in names):
        return "classification"
    return "regression" if names & _REGRESSION else ""


def results(view: RunView, parts: Sequence[tuple[Source, Curves]]) -> dict[str, Any]:
    """The last results of test and validation that were logged, in the form of eval_results.json; empty without any."""
    blocks: dict[str, dict[str, float]] = {}
    for source, found in parts:
        named = {split: dict(block) for split, block in found.results.items() if split != "train"}
        for name, value in source.final.items():
            told = figure(name)
            if told is not None and told.what not in ("lr", "grad_norm", "grad_norm_max") and math.isfinite(value):
                named.setdefault(told.split, {})[told.what] = value
        for split, block in named.items():
            blocks[split] = {**block, **blocks.get(split, {})}
    blocks = {split: {k: v for k, v in block.items() if math.isfinite(v)} for split, block in blocks.items()}
    blocks = {split: block for split, block in blocks.items() if block and split != "train"}
    if "test" in blocks and "validation.prediction" in view.arrays:
        # Saved answers say more than the last line of the log, which another checkpoint may have written.
        blocks.pop("validation", None)
    metric = view.meta.get("metric")
    head = {"primary_metric": metric} if isinstance(metric, str) and metric else {}
    return {**head, **blocks} if blocks else {}


def _evaluated(view: RunView, meta: dict[str, Any], notes: list[str]) -> None:
    """Which epoch the saved answers are of, where nobody noted it: the last one, unless the best one fits better."""
    curve, own = view.arrays.get("epoch.val_loss"), log_loss(view, "validation")
    if curve is None or own is None or "evaluated_epoch" in meta or len(curve) < 2 or not np.isfinite(curve).all():
        return
    lengths = {len(values) for name, values in view.arrays.items() if name.startswith("epoch.")}
    best = int(np.argmin(curve))
    fits = abs(curve[best] - own) < min(abs(curve[-1] - own), _FITS * abs(own))
    if lengths == {len(curve)} and fits:
        meta["evaluated_epoch"] = meta["best_epoch"] = best + 1
        notes.append(
            f"the saved answers fit epoch {best + 1}, which has the least validation loss, and not the last one"
        )
