"""What each check can use, and which file would give it what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlops_debugger.checks import RunView


@dataclass(frozen=True)
class Need:
    """Something that a check uses: is it there, what does it allow, and which file would bring it."""

    there: Callable[[RunView], bool]
    allows: str
    file: str


def _has(*names: str) -> Callable[[RunView], bool]:
    return lambda view: all(name in view.arrays for name in names)


def _held_out(what: str) -> Callable[[RunView], bool]:
    return lambda view: any(f"{split}.{what}" in view.arrays for split in ("validation", "test"))


def _both(what: str) -> Callable[[RunView], bool]:
    return lambda view: f"train.{what}" in view.arrays and _held_out(what)(view)


def _artifact(name: str) -> Callable[[RunView], bool]:
    return lambda view: name in view.artifacts


def _meta(name: str) -> Callable[[RunView], bool]:
    return lambda view: bool(view.meta.get(name))


_CURVES = "metrics of every epoch (trainer_state.json, metrics.csv, train.log, or what your tracker wrote)"
_PREDICTIONS = "predictions.csv with row_id, split, y_true, y_pred and proba_<class>"
_SPLITS = "train.csv and test.csv (columns as features, label, row_id, group, timestamp)"

NEEDS: dict[str, tuple[Need, ...]] = {
    "label_consistency": (
        Need(_held_out("prediction"), "answers against labels", _PREDICTIONS),
        Need(_both("features"), "an independent model's opinion of the labels", _SPLITS),
        Need(
            _has("test.source_target"), "labels as evaluated against labels in the data", f"{_PREDICTIONS}; {_SPLITS}"
        ),
    ),
    "data_leakage": (
        Need(_both("features"), "equal and nearly equal rows, inputs that know the target", _SPLITS),
        Need(_both("row_id"), "the same row in two splits", "row_id in train.csv and test.csv, or in predictions.csv"),
        Need(_both("group"), "the same group in two splits", "a column group in train.csv and test.csv"),
        Need(_both("time"), "training on what is later than the test", "a column timestamp in train.csv and test.csv"),
    ),
    "gradient_norms": (
        Need(_has("epoch.grad_norm"), "size of the gradients", "a logged series grad_norm (before clipping)"),
        Need(_has("epoch.layer_update_ratio"), "layers that do not move", "record.bin with epoch.layer_update_ratio"),
    ),
    "class_balance": (
        Need(_both("target"), "class shares between splits", f"{_SPLITS}, or predictions.csv of every split"),
        Need(_held_out("prediction"), "predicted against true shares, recall", _PREDICTIONS),
    ),
    "feature_statistics": (Need(_both("features"), "distributions between splits", _SPLITS),),
    "encoder_version_match": (
        Need(_both("features"), "categories that training never saw", _SPLITS),
        Need(_meta("fingerprints"), "fitted state by stage", "meta.json with fingerprints (docs/run-folder.md)"),
    ),
    "loss_trajectory": (
        Need(_has("epoch.train_loss"), "the training loss", _CURVES),
        Need(_has("epoch.val_loss"), "the validation loss", _CURVES),
        Need(_has("epoch.lr"), "the learning rate", "a logged series lr or learning_rate"),
    ),
    "metric_gap_analysis": (
        Need(
            _artifact("eval_results.json"),
            "gaps between reported results",
            "eval_results.json, or logged test_<metric>",
        ),
        Need(_held_out("prediction"), "reported results computed again", _PREDICTIONS),
        Need(_artifact("model_card.json"), "the metric that was agreed on", "model_card.json with primary_metric"),
    ),
}


def missing(view: RunView, check: str) -> tuple[Need, ...]:
    """What the check could use and the run does not have."""
    return tuple(need for need in NEEDS.get(check, ()) if not need.there(view))
