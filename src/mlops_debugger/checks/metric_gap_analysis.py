"""Do reported metrics follow from the saved answers, and do they agree between splits, checkpoints and definitions?

Evidence: every reported metric computed again from predictions and targets (equal, or the report is about something
else); gaps between training, validation, test and live against their sampling error; the agreed metric; the selected
checkpoint; skill over naive answers and over a simple model; confidence; a second evaluation in another order.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from mlops_debugger.checks import Finding, NamedCheck, RunView, _answers, _bands
from mlops_debugger.checks._common import (
    HELD_OUT,
    Measure,
    array,
    finite,
    largest,
    number,
    rows_of,
    vector,
)
from mlops_debugger.checks._margins import gap_between, sampling_error
from mlops_debugger.checks._reports import (
    SCORES,
    agreed_metric,
    alternatives,
    is_error,
    recomputed,
    report,
    reported_metric,
)


def _recomputed(view: RunView) -> Iterator[Measure]:
    """Reported numbers against the same metric of the saved answers."""
    stated = report(view)
    off, counts = [], []
    for split, block in stated.blocks.items():
        own = recomputed(view, split)
        for name, value in block.items():
            mine = own.get(name, own.get("macro_f1") if name == "f1" else None)
            if mine is None or name == "loss":
                continue
            if name == "f1" and "binary_f1" in own and abs(value - own["binary_f1"]) < 1e-3:
                continue
            gap = abs(value - mine) / (1.0 if name in SCORES or name == "auc" else max(abs(mine), 1e-9))
            gap = 0.0 if abs(value - mine) <= 6e-5 + 5e-4 * abs(mine) * is_error(name) else gap
            meant = "macro f1" if name == "f1" else name
            says = (
                f"eval_results.json reports {name} {value:.4g} on {split}; the saved answers give {meant} "
                f"{mine:.4g}{_same(view, split, value, gap)}."
            )
            off.append(
                Measure(
                    "reported_unlike_answers",
                    gap,
                    rows_of(view, split),
                    says,
                    f"eval_results.json and answers of {split}",
                )
            )
        size = array(view, f"{split}.prediction")
        if "n" in block and size is not None:
            gap = abs(block["n"] - len(size))
            says = f"eval_results.json reports n={block['n']:g} on {split}; {len(size)} answers were saved."
            counts.append(Measure("reported_n_difference", gap, len(size), says, "reported and saved row counts"))
        target = array(view, f"{split}.target")
        if size is not None and target is not None and len(size) != len(target):
            says = f"{split} has {len(target)} targets and {len(size)} answers."
            counts.append(
                Measure("reported_n_difference", abs(len(size) - len(target)), len(size), says, "targets and answers")
            )
    yield from largest(off)
    yield from largest(counts)


def _same(view: RunView, split: str, value: float, gap: float) -> str:
    """Which other number the reported one equals, if the gap is one at all."""
    if gap < 1e-3:
        return ""
    equal = [
        name for name, other in alternatives(view, split).items() if abs(other - value) <= 6e-5 + 2e-4 * abs(other)
    ]
    return f"; it equals {' and '.join(equal[:2])}" if equal else ""


def _primary(view: RunView) -> str:
    """The metric to compare splits by: the primary one if splits report it."""
    stated = report(view)
    known = [name for block in stated.blocks.values() for name in block]
    for name in (stated.primary, "macro_f1", "f1", "accuracy", "mae", "rmse"):
        if name in known:
            return name
    return ""


def _gaps(view: RunView) -> Iterator[Measure]:
    """Between reported blocks."""
    stated, name = report(view), _primary(view)
    blocks = {split: block for split, block in stated.blocks.items() if name in block}
    kinds = (
        ("validation_over_test", "validation", "test"),
        ("test_over_validation", "test", "validation"),
        ("test_over_live", "test", "live"),
        ("live_over_test", "live", "test"),
        ("validation_over_live", "validation", "live"),
    )
    for statistic, one, other in kinds:
        if one not in blocks or other not in blocks:
            continue
        a, b = blocks[one][name], blocks[other][name]
        n, m = (blocks[split].get("n", rows_of(view, split)) for split in (one, other))
        error, gap = sampling_error(view, name, (one, a, n), (other, b, m)), gap_between(name, a, b)
        p = None if error is None else float(stats.norm.sf(gap / error))
        says = f"{name} is {a:.4g} on {one} (n={n:g}) and {b:.4g} on {other} (n={m:g})."
        yield Measure(statistic, gap, int(min(n, m)), says, f"reported {name}", ((one, a), (other, b)), p)


def _training_gap(view: RunView) -> Iterator[Measure]:
    """Training rows answered in evaluation mode, against held-out rows."""
    name = {"f1": "macro_f1"}.get(_primary(view), _primary(view)) or "accuracy"
    own = recomputed(view, "train")
    name = name if name in own else next((n for n in ("accuracy", "mae") if n in own), "")
    over, under = [], []
    for split in HELD_OUT:
        other = recomputed(view, split)
        if name not in own or name not in other:
            continue
        n = rows_of(view, split)
        sides = ("train", own[name], float(rows_of(view, "train"))), (split, other[name], float(n))
        error, gap = sampling_error(view, name, *sides), gap_between(name, own[name], other[name])
        says = f"{name} from the saved answers is {own[name]:.4g} on train and {other[name]:.4g} on {split}."
        worst = (("train", own[name]), (split, other[name]))
        p = None if error is None else min(1.0, 2 * float(stats.norm.sf(gap / error)))
        over.append(Measure("train_over_held_out", gap, n, says, f"answers of train and {split}", worst, p))
        p = None if error is None else min(1.0, 2 * float(stats.norm.sf(-gap / error)))
        under.append(Measure("held_out_over_train", -gap, n, says, f"answers of train and {split}", worst, p))
    yield from largest(over)
    yield from largest(under)


def _averaged(metric: dict[str, str]) -> dict[str, str]:
    """The definition with the average of an f1 in its name."""
    if metric.get("name") == "f1" and metric.get("average"):
        return {key: value for key, value in metric.items() if key != "average"} | {"name": f"{metric['average']}_f1"}
    return metric


def _definition(view: RunView) -> Iterator[Measure]:
    """Is the headline the metric that was agreed on, and do its relatives agree?"""
    reported, agreed = _averaged(reported_metric(view)), _averaged(agreed_metric(view))
    if reported and agreed:
        off = {key: (reported[key], agreed[key]) for key in agreed if key in reported and reported[key] != agreed[key]}
        both = {reported["name"], agreed["name"]}
        if both == {"f1", "macro_f1"}:
            off.pop("name", None)  # an f1 without an average leaves macro, which is what people mean by default
        said = "; ".join(f"{key} {mine} against {theirs}" for key, (mine, theirs) in off.items())
        says = (
            f"eval_results.json and the model card differ about the metric: {said}."
            if off
            else (f"eval_results.json leads with the metric of the model card ({agreed['name']}).")
        )
        yield Measure("metric_differs_from_card", len(off), 1, says, "eval_results.json and model_card.json")
    found = []
    for split in HELD_OUT:
        own = recomputed(view, split)
        if "macro_f1" in own:
            gap = own["accuracy"] - own["macro_f1"]
            says = f"On {split} accuracy is {own['accuracy']:.4g} and macro f1 is {own['macro_f1']:.4g}."
            found.append(Measure("accuracy_over_macro_f1", gap, rows_of(view, split), says, f"answers of {split}"))
    yield from largest(found)


def _checkpoint(view: RunView) -> Iterator[Measure]:
    """Which epoch was evaluated, and does the report agree with the log of that epoch?"""
    best, used = number(view, "best_epoch"), number(view, "evaluated_epoch")
    if best is not None and used is not None:
        gap = abs(used - best)
        says = f"Selection chose epoch {best:g}; epoch {used:g} was evaluated."
        yield Measure("evaluated_off_best", gap, 1, says, "selected and evaluated epoch")
    curve = vector(view, "epoch.val_loss")
    if (
        curve is not None
        and used is not None
        and 1 <= used <= len(curve)
        and np.isfinite(curve).all()
        and curve.min() > 0
    ):
        value = float(curve[int(used) - 1])
        fold = value / float(curve.min())
        says = (
            f"Epoch {used:g}, which was evaluated, has a validation loss of {value:.4g}; the least is "
            f"{curve.min():.4g}, in epoch "
            f"{int(np.argmin(curve)) + 1}."
        )
        yield Measure("evaluated_to_least_loss", fold, len(curve), says, "validation loss by epoch")
    logged, name, block = vector(view, "epoch.val_metric"), _primary(view), report(view).blocks.get("validation", {})
    if logged is not None and used is not None and 1 <= used <= len(logged) and name in block:
        seen, value = float(finite(logged)[int(used) - 1]), block[name]
        gap = abs(gap_between(name, seen, value))
        says = (
            f"The log gives {name} {seen:.4g} on validation for epoch {used:g}; eval_results.json reports {value:.4g}."
        )
        yield Measure(
            "report_unlike_log", gap, rows_of(view, "validation"), says, "epoch.val_metric and eval_results.json"
        )


def _losses(view: RunView) -> Iterator[Measure]:
    """Reported losses against the log loss of the saved probabilities."""
    found = []
    for split, block in report(view).blocks.items():
        own = recomputed(view, split).get("loss")
        if own is None or "loss" not in block:
            continue
        fold = max(block["loss"], 1e-6) / max(own, 1e-6)
        says = (
            f"eval_results.json reports a loss of {block['loss']:.4g} on {split}; the saved probabilities give "
            f"{own:.4g}."
        )
        fold = max(fold, 1 / fold)
        found.append(
            Measure(
                "reported_loss_ratio",
                fold,
                rows_of(view, split),
                says,
                f"eval_results.json and probabilities of {split}",
            )
        )
    yield from largest(found)


PARTS: tuple[_bands.Part, ...] = (
    _recomputed,
    _gaps,
    _training_gap,
    _definition,
    _checkpoint,
    _losses,
    _answers.baseline,
    _answers.simple_model,
    _answers.repeated,
    _answers.confidence,
    _answers.horizons,
)


def run(view: RunView) -> Finding:
    """Reported metrics against the saved answers, each other and the healthy range."""
    missing = "the run has neither metrics in eval_results.json nor saved predictions with targets"
    return _bands.judge("metric_gap_analysis", view, PARTS, missing)


CHECK = NamedCheck(run=run)
