"""Card fraud: a rare class in card transactions, split by time; F1 of the alerts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlops_debugger.projects import FloatArray, Labels, Metric, Project, Slot, Variation
from mlops_debugger.projects._choices import pick, style, training_choices
from mlops_debugger.projects.card_fraud.data import generate

DIALECT = {
    "training.seed": "run.seed",
    "data.utc_offset_hours": "source.utc_offset_hours",
    "data.split.strategy": "source.split",
    "data.validation_share": "source.validation_share",
    "data.test_share": "source.test_share",
    "data.split_seed": "source.split_seed",
    "data.negatives_per_positive": "source.negatives_per_fraud",
    "data.label_window_days": "columns.report_window_days",
    "features.numeric": "columns.numeric",
    "features.categorical": "columns.categorical",
    "features.risk_weight": "columns.merchant_weight",
    "features.clip_quantiles": "columns.clip",
    "model.hidden_dims": "network.widths",
    "model.activation": "network.activation",
    "model.dropout": "network.dropout",
    "model.freeze": "network.frozen",
    "optimizer.name": "fit.optimiser",
    "optimizer.learning_rate": "fit.lr",
    "optimizer.weight_decay": "fit.l2",
    "optimizer.momentum": "fit.momentum",
    "scheduler.name": "fit.lr_plan",
    "scheduler.step_size": "fit.lr_step",
    "scheduler.gamma": "fit.lr_gamma",
    "scheduler.warmup_steps": "fit.warmup",
    "training.epochs": "fit.epochs",
    "training.batch_size": "fit.batch",
    "training.accumulate": "fit.accumulate",
    "training.grad_clip": "fit.max_norm",
    "training.ema_decay": "fit.ema",
    "training.label_smoothing": "fit.smoothing",
    "checkpoint.monitor": "stop.watch",
    "checkpoint.mode": "stop.mode",
    "evaluation.split": "report.rows",
    "evaluation.checkpoint": "report.weights",
    "evaluation.batch_size": "report.batch",
}

SLOTS: tuple[Slot, ...] = ()

_SECTIONS = ("run", "source", "columns", "network", "fit", "stop", "report")
_COMMENTS = {
    "source": ("nightly export, closed cards included", "requests come from the gateway as sent"),
    "columns": ("as agreed with the disputes desk", "names as in the warehouse"),
    "network": ("has to answer within 5 ms",),
    "fit": ("last sweep: spring", "kept from the previous release"),
    "report": ("goes into the weekly sheet",),
}
_NUMERIC = ("amount", "against_usual", "quiet_hours", "burst", "card_age", "distance", "hour_sin", "hour_cos")


def vary(rng: np.random.Generator) -> Variation:
    """More than twenty independent healthy choices."""
    config = training_choices(
        rng,
        rates={"adam": (7e-3, 1e-2), "adamw": (7e-3, 1e-2)},
        epochs=(13, 16),
        batches=(200, 208, 220),
    )
    numeric = list(_NUMERIC)
    rng.shuffle(numeric)
    window, offset = pick(rng, (45, 60, 75, 90)), pick(rng, (5, 6, 7, 8, 9, -5, -6, -7, -8))
    config |= {
        "training.seed": int(rng.integers(1, 10_000)),
        "data.utc_offset_hours": offset,
        "data.split_seed": int(rng.integers(1, 1000)),
        "data.validation_share": pick(rng, (0.22, 0.23, 0.24)),
        "data.test_share": pick(rng, (0.3, 0.31, 0.32)),
        "data.negatives_per_positive": pick(rng, (5, 6, 7)),
        "data.label_window_days": window,
        "features.numeric": numeric,
        "features.categorical": pick(rng, (["channel", "shop"], ["shop", "channel"], ["channel", "shop", "currency"])),
        "features.risk_weight": pick(rng, (6, 8, 10, 12)),
        "features.clip_quantiles": pick(rng, ([0.002, 0.998], [0.005, 0.995], [0.01, 0.99])),
        "model.hidden_dims": pick(rng, ([96], [112], [128], [144])),
        "model.activation": pick(rng, ("relu", "gelu", "silu")),
        "model.dropout": pick(rng, (0.15, 0.2, 0.25)),
        "training.label_smoothing": pick(rng, (0.0, 0.0, 0.01)),
        "training.ema_decay": pick(rng, (0.97, 0.975, 0.98)),
        "checkpoint.monitor": "val_loss",
        "checkpoint.mode": "min",
        "evaluation.batch_size": pick(rng, (400, 512, 1000)),
    }
    spellings = {slot.name: int(rng.integers(len(slot.spellings))) for slot in SLOTS}
    data = {
        "cards": int(rng.integers(1440, 1520)),
        "days": int(rng.integers(150, 190)),
        "report_window": window,
        "utc_offset": offset,
    }
    return Variation(config, spellings, data, style(rng, _SECTIONS, _COMMENTS))


def card(variation: Variation, rng: np.random.Generator) -> dict[str, Any]:
    """The model card, from policy: what was agreed on before any run."""
    return {"model": "card alert network"}


def alert_f1(target: FloatArray, prediction: FloatArray) -> float:
    """F1 of the second class."""
    hit = float(np.sum((target == 1) & (prediction == 1)))
    named = float(np.sum(target == 1) + np.sum(prediction == 1))
    return 2 * hit / named if named else 0.0


def constant_answer(rows: Labels, labels: Labels) -> float:
    """The better one of the two constant answers: an alert for every transaction, or for none."""
    return max(alert_f1(labels.target, np.full_like(labels.target, answer)) for answer in (0.0, 1.0))


PROJECT = Project(
    id="card_fraud",
    kind="tabular",
    model="small feed-forward network",
    dataset="card transactions",
    metric=Metric("binary_f1", alert_f1, constant_answer, 1.0),
    dialect=DIALECT,
    slots=SLOTS,
    vary=vary,
    generate=generate,
    card=card,
    template=Path(__file__).parent / "template",
    shared=("tracking.py", "engine.py", "dataset_report.py", "scores.py"),
)
