"""What the parent measures of a run: skills, splits, and the harm between two runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from mlops_debugger.bank.records import Figures
from mlops_debugger.projects import Data, FloatArray, Labels, Project
from mlops_debugger.runs.pool import RunResult
from mlops_debugger.runs.records import Record

SPLITS = ("validation", "test")
CRASHED = Figures(
    crashed=True,
    finite=False,
    actual=-1.0,
    live=-1.0,
    reported={},
    recomputed={},
    split_sizes={},
    class_shares={},
    epochs=0,
    parameters=0,
)


def measure(project: Project, data: Data, result: RunResult) -> Figures:
    """Figures of one run; everything is computed here, from data-only files and labels that the run never had."""
    if result.crashed:
        return CRASHED.model_copy(update={"seconds": result.cpu})
    naive = project.metric.naive(data.labels["rows"], data.labels["sealed"])
    skills = {name: _served(project, data, name, result.predictions[name], naive) for name in ("sealed", "live")}
    evaluation = _report(result.outputs)
    reported, recomputed, sizes, shares = {}, {}, {}, {}
    trained = result.record.arrays.get("train.row_id", np.empty(0))
    overlap = {
        split: int(np.isin(result.record.arrays.get(f"{split}.row_id", np.empty(0)), trained).sum()) for split in SPLITS
    }
    for split in SPLITS:
        block = evaluation.get(split)
        value = block.get(project.metric.name) if isinstance(block, dict) else None
        reported[split] = project.skill(_number(value), naive)
        truth, prediction = _split(project, data, result.record, split)
        recomputed[split] = project.skill(project.metric.compute(truth, prediction), naive) if truth.size else -1.0
        sizes[split] = len(truth)
        shares[split] = (
            [float(np.mean(truth == position)) for position in range(len(data.classes))] if truth.size else []
        )
    return Figures(
        crashed=False,
        finite=all(skill is not None for skill in skills.values()),
        actual=-1.0 if skills["sealed"] is None else skills["sealed"],
        live=-1.0 if skills["live"] is None else skills["live"],
        reported=reported,
        recomputed=recomputed,
        split_sizes=sizes,
        class_shares=shares,
        trained_on=overlap,
        epochs=_count(result.record.meta, "epochs_run"),
        parameters=_count(result.record.meta, "parameters"),
        seconds=result.cpu,
    )


def _number(value: object) -> float:
    """A number of a report, NaN for anything else: an integer may have more digits than a float can hold."""
    try:
        return float(value) if isinstance(value, int | float) else float("nan")
    except OverflowError:
        return float("nan")


def _count(meta: Mapping[str, Any], name: str) -> int:
    value = meta.get(name)
    return value if isinstance(value, int) else 0


def _report(outputs: Mapping[str, str]) -> dict[str, Any]:
    try:
        report = json.loads(outputs.get("eval_results.json", "{}"))
    except (ValueError, RecursionError):
        return {}
    return report if isinstance(report, dict) else {}


def _positions(names: object, classes: tuple[str, ...]) -> FloatArray | None:
    """The run's class list as positions in the project's; −1 for names that it does not know."""
    if not isinstance(names, list):
        return None
    known = {name: float(position) for position, name in enumerate(classes)}
    return np.array([known.get(str(name), -1.0) for name in names])


def _named(prediction: FloatArray, positions: FloatArray | None) -> FloatArray:
    if positions is None:
        return prediction
    valid = np.isfinite(prediction) & (prediction >= 0) & (prediction < len(positions))
    return (
        np.where(valid, positions[np.where(valid, prediction, 0).astype(int)], -1.0)
        if len(positions)
        else np.full_like(prediction, -1.0)
    )


def _aligned(labels: Labels, row_id: FloatArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Where each row id stands in `labels`; −1 for one that is not there."""
    order = np.argsort(labels.row_id)
    found = np.searchsorted(labels.row_id[order], row_id).clip(0, len(order) - 1)
    return np.where(labels.row_id[order][found] == row_id, order[found], -1)


def served_score(project: Project, data: Data, sample: str, record: Record) -> float | None:
    """The metric of the predictions for a serving sample, None where they are not one finite answer for every row."""
    labels = data.labels[sample]
    row_id, prediction = record.arrays.get("row_id"), record.arrays.get("prediction")
    if (
        row_id is None
        or prediction is None
        or prediction.shape != labels.target.shape
        or row_id.shape != labels.row_id.shape
    ):
        return None
    rows = _aligned(labels, row_id)
    if (rows < 0).any() or len(np.unique(rows)) != len(rows) or not np.isfinite(prediction).all():
        return None
    if data.classes:
        positions = _positions(record.meta.get("classes"), data.classes)
        if positions is None:
            return None
        prediction = _named(prediction, positions)
    return project.metric.compute(labels.target[rows], prediction)


def _served(project: Project, data: Data, sample: str, record: Record, naive: float) -> float | None:
    value = served_score(project, data, sample, record)
    return None if value is None else project.skill(value, naive)


def _split(project: Project, data: Data, record: Record, split: str) -> tuple[FloatArray, FloatArray]:
    """(truth, prediction) of an evaluation split: saved predictions against the parent's labels, by row id."""
    row_id, prediction = record.arrays.get(f"{split}.row_id"), record.arrays.get(f"{split}.prediction")
    nothing = np.empty(0)
    if row_id is None or prediction is None or row_id.ndim != 1:
        return nothing, nothing
    rows = _aligned(data.labels["rows"], row_id)
    if (rows < 0).any() or prediction.shape != data.labels["rows"].target[rows].shape:
        return nothing, nothing
    classes = record.meta.get("classes")
    positions = _positions(classes.get("train"), data.classes) if isinstance(classes, dict) and data.classes else None
    return data.labels["rows"].target[rows], _named(prediction, positions)


def with_live(project: Project, data: Data, result: RunResult) -> dict[str, str]:
    """The run's outputs, with the monitoring job's block in eval_results.json: the live sample, scored here."""
    outputs = dict(result.outputs)
    if result.crashed or "eval_results.json" not in outputs:
        return outputs
    report = _report(outputs)
    value = served_score(project, data, "live", result.predictions["live"])
    report["live"] = {
        "source": "monitoring, first weeks after release",
        "n": len(data.labels["live"].row_id),
        project.metric.name: None if value is None or not np.isfinite(value) else round(value, 4),
    }
    outputs["eval_results.json"] = json.dumps(report, indent=1) + "\n"
    return outputs


def harm(broken: Figures, healthy: Figures) -> float:
    """The larger of damage (actual skill lost) and dishonesty (report drifting from the actual), in [0, 1]."""
    if broken.crashed or not broken.finite:
        return 1.0
    damage = healthy.actual - broken.actual
    dishonesty = max(
        abs((broken.reported[split] - broken.actual) - (healthy.reported[split] - healthy.actual)) for split in SPLITS
    )
    return float(np.clip(max(damage, dishonesty), 0.0, 1.0))
