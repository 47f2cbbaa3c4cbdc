"""Rules about how the model is trained: optimiser, schedule, batches, checkpoint selection."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from mlops_debugger.agents._dossier import LOWER_IS_BETTER, Dossier, config_suspicion
from mlops_debugger.agents._suspicion import Suspicion

_OPTIMISER = r"optim|solver"
_USUAL_RATES = {"sgd": (1e-3, 1.0)}
_ADAPTIVE_RATES = (1e-5, 5e-2)


def learning_rate(run: Dossier) -> Iterator[Suspicion]:
    """Outside of what the card agreed on for this optimiser, or of what such optimisers bear."""
    leaf = run.first(r"lr|learning_rate|base_lr|initial_lr|eta")
    if leaf is None or leaf.number is None:
        return
    name = run.first(r"name|kind|type|optimi[sz]er", _OPTIMISER)
    optimizer = str(name.value).lower() if name else ""
    agreed = [value for _, value in run.card_values(r"lr|learning_rate")]
    bounds = next((found for value in agreed if (found := _bounds(value, optimizer))), None)
    low, high = bounds or _USUAL_RATES.get(optimizer, _ADAPTIVE_RATES)
    if low / 3 <= leaf.number <= high * 3:
        return
    # Short runs live in the upper half of a range that also has to serve long ones.
    better = float(f"{low**0.25 * high**0.75:.2g}")
    side = "above" if leaf.number > high else "below"
    yield from config_suspicion(
        10, "config_error", leaf, better, f"{leaf.value} lies far {side} the range {low:g} to {high:g}"
    )


def _bounds(value: Any, optimizer: str) -> tuple[float, float] | None:
    if isinstance(value, dict):
        value = value.get(optimizer)
    if isinstance(value, list) and len(value) == 2 and all(isinstance(item, int | float) for item in value):
        return float(value[0]), float(value[1])
    return None


def weight_decay(run: Dossier) -> Iterator[Suspicion]:
    agreed = [value for _, value in run.card_values(r"weight_decay(_max)?") if isinstance(value, int | float)]
    limit = 10 * max(agreed) if agreed else 0.05
    for leaf in run.find(r"weight_decay|l2|decay"):
        if leaf.number is not None and leaf.number > limit:
            yield from config_suspicion(
                9, "config_error", leaf, 0.0, f"a weight decay of {leaf.value} outweighs the loss"
            )


def momentum(run: Dossier) -> Iterator[Suspicion]:
    for leaf in run.find(r"momentum", _OPTIMISER):
        if leaf.number is not None and leaf.number > 0.985:
            yield from config_suspicion(6, "config_error", leaf, 0.9, f"momentum {leaf.value} hardly forgets")


def averaging(run: Dossier) -> Iterator[Suspicion]:
    """An average of the weights that spans more than the run still holds the initial ones."""
    for leaf in run.find(r".*(ema|average|swa).*(decay)?"):
        if leaf.number is None or not 0 < leaf.number < 1 or run.total_steps == 0:
            continue
        span = 1 / (1 - leaf.number)
        if span > run.total_steps / 5:
            why = f"the weight average spans {span:.0f} steps, the run has {run.total_steps:.0f}"
            yield from config_suspicion(9, "config_error", leaf, 0.8, why)


def warmup(run: Dossier) -> Iterator[Suspicion]:
    for leaf in run.find(r"(lr_)?warm_?up(_steps|_iters)?"):
        if leaf.number is None:
            continue
        steps = run.total_steps or 1000.0
        if leaf.number > steps / 2:
            why = f"{leaf.value} steps of warm-up in a run of {steps:.0f}"
            yield from config_suspicion(9.5, "config_error", leaf, int(steps / 50), why)


def decay_schedule(run: Dossier) -> Iterator[Suspicion]:
    """A step schedule that cuts the rate in nearly every epoch."""
    kind = run.first(r"name|kind|type", r"sched|lr_")
    if kind is None or not str(kind.value).lower().startswith(("step", "multi")):
        return
    for leaf in run.find(r"step_size|every|period|interval", r"sched|lr_"):
        if leaf.number is not None and 0 < leaf.number < run.planned_epochs / 8:
            why = f"the rate is cut every {leaf.value} of {run.planned_epochs} epochs"
            yield from config_suspicion(9, "config_error", leaf, max(1, round(0.4 * run.planned_epochs)), why)


def accumulation(run: Dossier) -> Iterator[Suspicion]:
    for leaf in run.find(r".*accum.*"):
        if leaf.number is None or leaf.number < 8:
            continue
        per_epoch = run.total_steps / max(run.planned_epochs, 1)
        if per_epoch <= 6:
            why = f"{leaf.value} batches a step leave {per_epoch:.0f} optimiser steps an epoch"
            yield from config_suspicion(9, "config_error", leaf, 1, why)


def clipping(run: Dossier) -> Iterator[Suspicion]:
    for leaf in run.find(r".*(clip_norm|grad_clip|gradient_clip|clip_val).*"):
        if leaf.number is not None and 0 < leaf.number < 0.05:
            yield from config_suspicion(6, "config_error", leaf, 5.0, f"gradients are clipped at {leaf.value}")


def regularisation(run: Dossier) -> Iterator[Suspicion]:
    for leaf in run.find(r".*dropout.*"):
        if leaf.number is not None and leaf.number > 0.6:
            yield from config_suspicion(7, "config_error", leaf, 0.1, f"dropout of {leaf.value} leaves little signal")
    for leaf in run.find(r"(label|target|class)s?_smoothing(_factor)?|smoothing"):
        if leaf.number is not None and leaf.number > 0.25:
            yield from config_suspicion(7, "config_error", leaf, 0.0, f"labels smoothed by {leaf.value}")


def batches(run: Dossier) -> Iterator[Suspicion]:
    splits = run.stats.get("splits")
    train = splits.get("train") if isinstance(splits, dict) else None
    rows = train.get("rows") if isinstance(train, dict) else None
    for leaf in run.find(r"(mini_?)?batch(_size)?", r"train|data|loader|fit"):
        if isinstance(rows, int) and leaf.number is not None and leaf.number > rows / 2:
            yield from config_suspicion(7, "config_error", leaf, 128, f"batches of {leaf.value} out of {rows} rows")


def run_length(run: Dossier) -> Iterator[Suspicion]:
    """Fewer epochs than agreed on, with a loss that is still falling fast."""
    leaf = run.first(r"(max_|num_|n_)?epochs")
    agreed = next((value for _, value in run.card_values(r"(max_)?epochs") if _bounds(value, "")), None)
    bounds = _bounds(agreed, "")
    if leaf is not None and leaf.number is not None and bounds and leaf.number < bounds[0] / 2:
        better = round(math.sqrt(bounds[0] * bounds[1]))
        yield from config_suspicion(8, "config_error", leaf, better, f"{leaf.value} epochs, agreed {agreed}")


def selection(run: Dossier) -> Iterator[Suspicion]:
    """The best checkpoint is sought in the wrong direction."""
    mode = run.first(r"mode|direction")
    watched = run.first(r"monitor|watch|metric", re.escape(mode.section)) if mode else None
    if mode is None or watched is None or mode.value not in ("min", "max"):
        return
    name = str(watched.value).lower()
    if name.endswith("metric"):
        name = str(run.results.get("metric") or _card_metric(run))
    right = "min" if LOWER_IS_BETTER.search(name) else "max"
    why = f"{watched.value} is better when it is {'lower' if right == 'min' else 'higher'}"
    yield from config_suspicion(9.5, "config_error", mode, right, why)


def _card_metric(run: Dossier) -> str:
    agreed = run.card.get("primary_metric")
    return str(agreed.get("name", "")) if isinstance(agreed, dict) else ""


RULES = (
    learning_rate, weight_decay, momentum, averaging, warmup, decay_schedule,
    accumulation, clipping, regularisation, batches, run_length, selection,
)  # fmt: skip
