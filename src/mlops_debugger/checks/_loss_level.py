"""Is the level of the loss what theory and the saved probabilities say?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlops_debugger.checks import RunView
from mlops_debugger.checks._common import (
    FloatArray,
    IntArray,
    Measure,
    answers,
    columns,
    finite,
    is_regression,
    labels,
    mapping,
    number,
    vector,
)

_TINY = 1e-12


def classes(view: RunView) -> int:
    """How many classes there are, by the head, the lists or the targets."""
    outputs = number(view, "model_outputs")
    lists = [len(names) for names in mapping(view, "classes").values() if isinstance(names, list | tuple)]
    target = labels(view, "train")
    seen = int(target.max()) + 1 if target is not None else 0
    return int(max([min(outputs or 0, 1e6), seen, *lists]))


def scores(view: RunView, split: str) -> tuple[FloatArray, IntArray] | None:
    """Class probabilities and targets, for the rows that have both."""
    score, target = columns(view, f"{split}.score"), labels(view, split)
    if score is None or target is None or len(score) != len(target) or score.shape[1] < 2:
        return None
    known = (target >= 0) & (target < score.shape[1]) & np.isfinite(score).all(axis=1)
    return (finite(score[known]), target[known]) if known.any() else None


def cross_entropy(score: FloatArray, target: IntArray) -> float:
    """Mean log loss of the true classes, probabilities cut at 1e-12."""
    return float(-np.log(np.clip(score[np.arange(len(target)), target], _TINY, 1.0)).mean())


def first_loss(view: RunView) -> Iterator[Measure]:
    """The loss before any update: an untrained classifier over K classes has about ln K."""
    first, width = vector(view, "initial.loss"), classes(view)
    if first is None or not np.isfinite(first[0]) or is_regression(view) or width < 2:
        return
    value = float(finite(first)[0])
    ratio = max(value, _TINY) / float(np.log(width))
    says = f"The first batch has a loss of {value:.4g}; ln {width} is {np.log(width):.4g}."
    yield Measure("first_loss_high", ratio, width, says, "first loss and ln K")
    yield Measure("first_loss_low", ratio, width, says, "first loss and ln K")


def agreement(view: RunView) -> Iterator[Measure]:
    """Loss curves against the loss of the saved probabilities, and against accuracy."""
    if is_regression(view):
        return
    epoch = number(view, "evaluated_epoch")
    for split, curve_name in (("train", "train_loss"), ("validation", "val_loss")):
        pair, curve = scores(view, split), vector(view, f"epoch.{curve_name}")
        if pair is None or curve is None:
            continue
        at = int(epoch) - 1 if epoch is not None and 1 <= epoch <= len(curve) else len(curve) - 1
        if not np.isfinite(curve[at]):
            continue
        own, logged = cross_entropy(*pair), float(finite(curve)[at])
        fold = max(logged, 1e-6) / max(own, 1e-6)
        says = (
            f"The log gives {logged:.4g} as {split} loss of epoch {at + 1}; the saved probabilities have a log loss "
            f"of {own:.4g}."
        )
        where = f"log loss of {split} (n={len(pair[1])}) and epoch {at + 1} of the log"
        yield Measure(f"{split}_loss_ratio_high", fold, len(pair[1]), says, where)
        yield Measure(f"{split}_loss_ratio_low", fold, len(pair[1]), says, where)
    yield from _unlike_accuracy(view)


def _unlike_accuracy(view: RunView) -> Iterator[Measure]:
    pair, curve, width = answers(view, "train"), vector(view, "epoch.train_loss"), classes(view)
    if pair is None or curve is None or width < 2 or not np.isfinite(curve[-1]):
        return
    accuracy = float(np.mean(pair[0] == pair[1]))
    majority = float(np.bincount(pair[0]).max()) / len(pair[0])
    gain = (accuracy - majority) / (1 - majority) if majority < 1 else 0.0
    level = float(finite(curve)[-1]) / float(np.log(width))
    says = (
        f"Training loss ends at {level:.0%} of ln {width} while {accuracy:.1%} of the training rows are right "
        f"(majority {majority:.1%})."
    )
    yield Measure("loss_despite_accuracy", level + gain - 1, len(pair[0]), says, "training loss and training accuracy")
