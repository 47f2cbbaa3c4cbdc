"""Reading eval_results.json and model_card.json, and computing metrics again from saved answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlops_debugger.checks import RunView
from mlops_debugger.checks._association import auc
from mlops_debugger.checks._common import BoolArray, FloatArray, IntArray, answers, forecasts, is_regression, text
from mlops_debugger.checks._loss_level import cross_entropy, scores

_BLOCKS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "holdout"),
    "live": ("live", "production", "serving", "shadow"),
}
_NAMES = {
    "acc": "accuracy",
    "accuracy_score": "accuracy",
    "f1_macro": "macro_f1",
    "f1_micro": "micro_f1",
    "f1_weighted": "weighted_f1",
    "mean_absolute_error": "mae",
    "root_mean_squared_error": "rmse",
    "mean_squared_error": "mse",
    "roc_auc": "auc",
    "log_loss": "loss",
}
ERRORS = frozenset({"mae", "rmse", "mse", "loss"})
SCORES = frozenset({"accuracy", "f1", "binary_f1", "macro_f1", "micro_f1", "weighted_f1", "balanced_accuracy"})
KNOWN = SCORES | ERRORS | {"auc", "r2"}
_ERROR_WORDS = ERRORS | {"rmsle", "mape", "smape", "mase", "error", "err", "wer", "cer", "perplexity", "ppl"}
_ERROR_WORDS |= {"deviance", "brier", "distance"}
_KEYS = ("primary_metric", "metric", "headline_metric")


@dataclass(frozen=True)
class Report:
    """What eval_results.json states: split → metric → value (and "n"), the primary metric and the averaging."""

    blocks: dict[str, dict[str, float]]
    primary: str
    average: str


def plain(name: object) -> str:
    """A metric's name as this module calls it."""
    word = str(name).strip().lower().replace("-", "_").replace(" ", "_")
    return _NAMES.get(word, word)


def is_error(name: str) -> bool:
    """Whether lower is better."""
    return not _ERROR_WORDS.isdisjoint(name.split("_"))


def parsed(view: RunView, artifact: str) -> dict[str, object]:
    """A JSON artifact that is an object; empty where it is absent or is not one."""
    try:
        found = json.loads(view.artifacts.get(artifact, "{}"))
    except (ValueError, RecursionError):
        return {}
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}


def report(view: RunView) -> Report:
    """eval_results.json, whatever its blocks are called."""
    found = parsed(view, "eval_results.json")
    blocks: dict[str, dict[str, float]] = {}
    for source in (found, found.get("metrics"), found.get("results")):
        if not isinstance(source, dict):
            continue
        for split, names in _BLOCKS.items():
            for name in names:
                if isinstance(source.get(name), dict):
                    blocks.setdefault(split, {}).update(_numbers(source[name]))
                flat = {str(k)[len(name) + 1 :]: v for k, v in source.items() if str(k).startswith(f"{name}_")}
                listed = {k: v for k, v in _numbers(flat).items() if k in KNOWN}
                if listed:
                    blocks.setdefault(split, {}).update(listed)
    primary = next((plain(found[key]) for key in _KEYS if isinstance(found.get(key), str)), plain(text(view, "metric")))
    average = found.get("average")
    return Report(blocks, primary, average.lower() if isinstance(average, str) else "")


def agreed_metric(view: RunView) -> dict[str, str]:
    """What model_card.json says about its metric ("name" and whatever else), wherever it stands."""
    waiting: list[object] = [parsed(view, "model_card.json")]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, dict):
            for key in _KEYS:
                stated = item.get(key)
                if isinstance(stated, str):
                    return {"name": plain(stated)}
                if isinstance(stated, dict) and isinstance(stated.get("name"), str):
                    return {str(k): plain(v) for k, v in stated.items() if isinstance(v, str | int | float)}
            waiting.extend(item.values())
    return {}


def reported_metric(view: RunView) -> dict[str, str]:
    """What eval_results.json says about its headline: "name", and its other plain entries (average, top_k, …)."""
    stated, found = report(view), parsed(view, "eval_results.json")
    entries = {key: plain(value) for key, value in found.items() if isinstance(value, str | int | float)}
    return {**entries, "name": stated.primary} if stated.primary else {}


def _numbers(block: dict[str, object]) -> dict[str, float]:
    """The block's finite numbers by plain name, one nesting of "metrics" included."""
    inner = block.get("metrics")
    entries = {**block, **(inner if isinstance(inner, dict) else {})}
    found = {}
    for name, value in entries.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12:
            found[plain(name)] = float(value)
    return found


def recomputed(view: RunView, split: str) -> dict[str, float]:
    """Every metric that the saved answers of a split allow, by plain name."""
    if is_regression(view):
        pair = forecasts(view, split)
        return {} if pair is None else _regression(*pair)
    labelled = answers(view, split)
    if labelled is None:
        return {}
    found = scores_of(confusion(*labelled))
    probabilities = scores(view, split)
    if probabilities is not None:
        score, target = probabilities
        found["loss"] = cross_entropy(score, target)
        if score.shape[1] == 2:
            found["auc"] = auc(score[:, 1], target == 1)
    return found


def _regression(target: FloatArray, prediction: FloatArray) -> dict[str, float]:
    error = prediction - target
    mse = float((error**2).mean())
    spread = float(((target - target.mean(axis=0)) ** 2).mean())
    found = {"mae": float(np.abs(error).mean()), "mse": mse, "rmse": float(np.sqrt(mse))}
    return found | ({"r2": 1 - mse / spread} if spread > 0 else {})


def confusion(target: IntArray, prediction: IntArray) -> FloatArray:
    """Counts of true (rows) and predicted (columns) classes."""
    width = int(max(target.max(), prediction.max())) + 1
    table = np.zeros((width, width))
    np.add.at(table, (target, prediction), 1)
    return table


def scores_of(table: FloatArray) -> dict[str, float]:
    """Metrics of a confusion table, by plain name."""
    return {name: float(values[0]) for name, values in scores_of_each(table[None]).items()}


def scores_of_each(tables: FloatArray) -> dict[str, FloatArray]:
    """As `scores_of`, for tables of shape (tables, classes, classes)."""
    true, told, hit = tables.sum(axis=2), tables.sum(axis=1), np.diagonal(tables, axis1=1, axis2=2)
    both = true + told
    f1 = 2 * hit / np.maximum(both, 1)
    right = hit.sum(axis=1) / true.sum(axis=1)
    found = {
        "accuracy": right,
        "macro_f1": _means_where(f1, both > 0),
        "micro_f1": right,
        "weighted_f1": (f1 * true).sum(axis=1) / true.sum(axis=1),
        "balanced_accuracy": _means_where(hit / np.maximum(true, 1), true > 0),
    }
    return found | ({"binary_f1": f1[:, 1]} if tables.shape[1] == 2 else {})


def _means_where(values: FloatArray, chosen: BoolArray) -> FloatArray:
    """Means of the chosen values of each row."""
    means = values.mean(axis=1)
    for row in np.flatnonzero(~chosen.all(axis=1)):
        means[row] = values[row][chosen[row]].mean()
    return np.asarray(means, dtype=np.float64)


def alternatives(view: RunView, split: str) -> dict[str, float]:
    """Other numbers that a report might hold instead: other metrics, other splits, the first two of the ranking."""
    found = {f"{name} on {split}": value for name, value in recomputed(view, split).items()}
    for other in ("train", "validation", "test"):
        if other != split:
            found |= {f"{name} on {other}": value for name, value in recomputed(view, other).items()}
    probabilities = scores(view, split)
    if probabilities is not None:
        score, target = probabilities
        ranking = np.argsort(-score, axis=1, kind="stable")
        for count in (2, 3, 5):
            if count < score.shape[1]:
                value = float((ranking[:, :count] == target[:, None]).any(axis=1).mean())
                found[f"accuracy within the first {count} on {split}"] = value
    pair = forecasts(view, split) if is_regression(view) else None
    if pair is not None:
        found |= _scaled(*pair, split)
    return found


def _scaled(target: FloatArray, prediction: FloatArray, split: str) -> dict[str, float]:
    """Errors in other units: of logarithms, in standard deviations, of the first and last horizon."""
    absolute: Callable[[FloatArray, FloatArray], float] = lambda a, b: float(np.abs(a - b).mean())  # noqa: E731
    found = {f"median absolute error on {split}": float(np.median(np.abs(target - prediction)))}
    if target.min() > -1 and prediction.min() > -1:
        found[f"mae of logarithms on {split}"] = absolute(np.log1p(target), np.log1p(prediction))
    if target.std() > 0:
        found[f"mae in standard deviations on {split}"] = absolute(target, prediction) / float(target.std())
    if target.shape[1] > 1:
        found[f"mae of the first horizon on {split}"] = absolute(target[:, 0], prediction[:, 0])
        found[f"mae of the last horizon on {split}"] = absolute(target[:, -1], prediction[:, -1])
    return found
