"""Healthy choices that every project makes alike: optimiser, schedule, batches, and the look of the config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from mlops_debugger.edits import Value

T = TypeVar("T")


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def tidy(value: float, digits: int = 2) -> float:
    """The value as somebody would type it: a few digits that count."""
    return float(f"{value:.{digits - 1}e}")


def training_choices(
    rng: np.random.Generator,
    *,
    rates: Mapping[str, tuple[float, float]],
    epochs: tuple[int, int],
    batches: Sequence[int],
) -> dict[str, Value]:
    """Canonical keys of optimiser, schedule, checkpoint and batches.

    `rates` maps the optimisers that the project may use to the range of their learning rate (log-uniform); `epochs` is
    an inclusive range.
    """
    optimizer = pick(rng, sorted(rates))
    low, high = rates[optimizer]
    count = int(rng.integers(epochs[0], epochs[1] + 1))
    monitor = pick(rng, ("val_loss", "val_metric"))
    return {
        "optimizer.name": optimizer,
        "optimizer.learning_rate": tidy(float(np.exp(rng.uniform(np.log(low), np.log(high))))),
        "optimizer.weight_decay": pick(rng, (0.0, 1e-6, 1e-5, 1e-4)),
        "optimizer.momentum": pick(rng, (0.85, 0.9, 0.92)),
        "scheduler.name": pick(rng, ("step", "cosine", "cosine")),
        "scheduler.step_size": int(rng.integers(max(count // 2, 3), max(2 * count // 3, 4) + 1)),
        "scheduler.gamma": pick(rng, (0.2, 0.3, 0.4)),
        "scheduler.warmup_steps": pick(rng, (0, 0, 5, 10, 20)),
        "training.epochs": count,
        "training.batch_size": pick(rng, batches),
        "training.accumulate": 1,
        "training.grad_clip": pick(rng, (0.0, 0.0, 5.0, 10.0)),
        "training.ema_decay": pick(rng, (0.0, 0.0, 0.8, 0.9)),
        "checkpoint.monitor": monitor,
    }


def style(
    rng: np.random.Generator, sections: Sequence[str], comments: Mapping[str, Sequence[str]], *, first: int = 1
) -> dict[str, Any]:
    """How the config looks: the order of sections after the `first` ones, and a comment above some of them."""
    rest = list(sections[first:])
    rng.shuffle(rest)
    chosen = {name: pick(rng, texts) for name, texts in comments.items() if rng.random() < 0.5}
    return {"sections": [*sections[:first], *rest], "comments": chosen}
