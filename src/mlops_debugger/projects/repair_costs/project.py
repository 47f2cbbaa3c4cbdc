"""Repair costs: a skewed amount in EUR from claims of many garages, learnt as a logarithm; one row a claim; log MAE."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlops_debugger.projects import FloatArray, Labels, Metric, Project, Slot, Variation
from mlops_debugger.projects._choices import pick, style, training_choices
from mlops_debugger.projects.repair_costs.data import generate

DIALECT = {
    "training.seed": "loop.seed",
    "data.label_column": "data.target",
    "data.validation_share": "data.validation_part",
    "data.test_share": "data.test_part",
    "data.split_seed": "data.shuffle_seed",
    "features.numeric": "prep.numeric",
    "features.categorical": "prep.categories",
    "features.level_smoothing": "prep.level_smoothing",
    "features.clip_quantiles": "prep.clip",
    "data.target_transform": "prep.target_transform",
    "model.hidden_dims": "mlp.width",
    "model.activation": "mlp.act",
    "model.output_activation": "mlp.out_act",
    "model.dropout": "mlp.dropout",
    "model.freeze": "mlp.fixed_layers",
    "optimizer.name": "opt.method",
    "optimizer.learning_rate": "opt.learning_rate",
    "optimizer.weight_decay": "opt.weight_decay",
    "optimizer.momentum": "opt.momentum",
    "scheduler.name": "decay.shape",
    "scheduler.step_size": "decay.every",
    "scheduler.gamma": "decay.factor",
    "scheduler.warmup_steps": "decay.warmup",
    "training.epochs": "loop.n_epochs",
    "training.batch_size": "loop.batch_rows",
    "training.loss": "loop.loss",
    "training.accumulate": "loop.batches_per_update",
    "training.grad_clip": "loop.max_grad_norm",
    "training.ema_decay": "loop.weight_average",
    "checkpoint.monitor": "keep.watch",
    "checkpoint.mode": "keep.prefer",
    "evaluation.split": "eval.block",
    "evaluation.checkpoint": "eval.weights",
    "evaluation.batch_size": "eval.batch_rows",
}

SLOTS = (
    Slot(
        "request_gaps",
        (
            '    reading = requests["odometer"].mask(requests["odometer"] < 0)',
            '    reading = requests["odometer"].where(requests["odometer"] >= 0)',
        ),
    ),
    Slot(
        "request_mileage",
        (
            "    mileage = reading.where(~in_miles, reading * KM_PER_MILE)",
            "    mileage = reading * np.where(in_miles, KM_PER_MILE, 1.0)",
        ),
    ),
    Slot(
        "request_work",
        (
            "    names = dict(enumerate(WORK))",
            "    names = {code: name for code, name in enumerate(WORK)}",
        ),
    ),
    Slot(
        "latest_revisions",
        (
            '    return ordered.drop_duplicates(subset=["claim_id"], keep="last")',
            '    return ordered[~ordered.duplicated(subset=["claim_id"], keep="last")]',
        ),
    ),
    Slot(
        "labelled_rows",
        (
            "    known = claims.dropna(subset=[target])\n    return known.reset_index(drop=True)",
            "    known = claims[claims[target].notna()]\n    return known.reset_index(drop=True)",
        ),
    ),
    Slot(
        "claim_costs",
        (
            '    rates = claims["currency"].map(EUR_PER_UNIT)\n    return claims[target] * rates',
            '    rates = claims["currency"].map(EUR_PER_UNIT)\n    return claims[target].mul(rates)',
        ),
    ),
    Slot(
        "price_units",
        (
            '    prices = claims["parts_price"].where(claims["network"] != "dealer", claims["parts_price"] / 100.0)',
            '    prices = claims["parts_price"].mask(claims["network"] == "dealer", claims["parts_price"] / 100.0)',
        ),
    ),
    Slot(
        "training_levels",
        (
            "        others = claims[fold != number]",
            "        others = claims.loc[fold != number]",
        ),
    ),
    Slot(
        "level_rows",
        (
            "    known = train\n",
            '    known = frame.iloc[rows["train"]]\n',
        ),
    ),
    Slot(
        "evaluation_scaling",
        (
            "    table = numeric_table(frame, fitted.numeric)\n    numeric = scaled(table, fitted)",
            "    columns = numeric_table(frame, fitted.numeric)\n    numeric = scaled(columns, fitted)",
        ),
    ),
    Slot(
        "evaluation_targets",
        (
            '    return frame["cost"].to_numpy()',
            '    return np.asarray(frame["cost"])',
        ),
    ),
    Slot(
        "evaluation_order",
        ("    return np.arange(count)", "    return np.array(range(count))"),
    ),
    Slot(
        "decode",
        (
            "    return backward(outputs * fitted.target_sd + fitted.target_mean)",
            "    return backward(fitted.target_mean + fitted.target_sd * outputs)",
        ),
    ),
    Slot(
        "quotes",
        (
            "    amounts = backward(outputs * fitted.target_sd + fitted.target_mean)",
            "    amounts = backward(fitted.target_mean + outputs * fitted.target_sd)",
        ),
    ),
    Slot(
        "scored_claims",
        (
            "    return np.isfinite(targets) & np.isfinite(costs)",
            "    return np.logical_and(np.isfinite(targets), np.isfinite(costs))",
        ),
    ),
    Slot(
        "cost_errors",
        (
            "    ratio = np.log1p(np.maximum(costs, 0.0)) - np.log1p(targets)\n    return np.abs(ratio)",
            "    answered = np.log1p(np.maximum(costs, 0.0))\n    return np.abs(answered - np.log1p(targets))",
        ),
    ),
)

_SECTIONS = ("data", "prep", "mlp", "opt", "decay", "loop", "keep", "eval")
_COMMENTS = {
    "data": ("nightly export of the claims desk", "settled claims only are used"),
    "prep": ("column names as in the export", "reviewed with the loss adjusters"),
    "mlp": ("answers within the quoting service's 5 ms",),
    "opt": ("taken over from the old pricing model",),
    "decay": ("epochs, warmup in updates",),
    "loop": ("fits on one core",),
    "eval": ("numbers for the monthly claims board",),
}


def vary(rng: np.random.Generator) -> Variation:
    """Twenty or more independent healthy choices."""
    config = training_choices(
        rng,
        rates={"adam": (7e-3, 1.1e-2), "adamw": (7e-3, 1.1e-2)},
        epochs=(12, 15),
        batches=(84, 90, 96, 110),
    )
    numeric = ["mileage_km", "age", "damage_class", "planned_hours", "parts_price"]
    categories = ["work", "make", "network"]
    rng.shuffle(numeric)
    rng.shuffle(categories)
    config |= {
        "training.seed": int(rng.integers(1, 10_000)),
        "training.loss": pick(rng, ("mse", "huber")),
        "training.ema_decay": pick(rng, (0.95, 0.96, 0.97)),
        "data.label_column": "final_total",
        "data.split_seed": int(rng.integers(1, 1000)),
        "data.validation_share": pick(rng, (0.2, 0.21, 0.22)),
        "data.test_share": pick(rng, (0.24, 0.25, 0.26)),
        "data.target_transform": pick(rng, ("log1p", "asinh")),
        "features.numeric": list(numeric),
        "features.categorical": list(categories),
        "features.level_smoothing": pick(rng, (0.3, 0.4, 0.5)),
        "features.clip_quantiles": pick(rng, ([0.005, 0.995], [0.01, 0.99], [0.002, 0.998])),
        "model.hidden_dims": pick(rng, ([64, 32], [64, 64], [80, 40], [72, 48])),
        "model.activation": pick(rng, ("relu", "gelu", "silu")),
        "model.output_activation": "identity",
        "model.dropout": 0.0,
        "checkpoint.mode": "min",
        "evaluation.batch_size": pick(rng, (200, 512, 1000)),
    }
    spellings = {slot.name: int(rng.integers(len(slot.spellings))) for slot in SLOTS}
    data = {
        "claims": int(rng.integers(3300, 3501)),
        "blank_share": round(float(rng.uniform(0.23, 0.27)), 3),
        "revised_share": round(float(rng.uniform(0.42, 0.5)), 3),
    }
    return Variation(config, spellings, data, style(rng, _SECTIONS, _COMMENTS, first=0))


def card(variation: Variation, rng: np.random.Generator) -> dict[str, Any]:
    """The model card, from policy: what was agreed on before any run."""
    return {
        "model": "claim cost perceptron",
        "owner": pick(rng, ("claims-pricing", "motor-analytics", "quote-desk")),
        "version": f"{rng.integers(1, 6)}.{rng.integers(0, 10)}",
        "purpose": "Quote what a repair will cost, in EUR, when a garage asks; quotes are binding.",
        "primary_metric": {
            "name": "log_mae",
            "definition": "mean of |ln(1 + quote) − ln(1 + cost)| over all claims of a split, amounts in EUR",
            "why": "a quote that is off by a tenth costs as much on a small claim as on a large one",
        },
        "target": {
            "column": "final_total",
            "definition": "amount of the settled claim; claims without one are open and not used",
            "currency": "EUR; the export has the currency of the garage, one PLN is 0.23 EUR",
            "learnt_as": "a logarithm (log1p or asinh), standardised",
        },
        "split_policy": "One row a claim, its last revision. A claim belongs to one split; test is scored once.",
        "inputs": {
            "known_at_prediction": "everything but booked_hours, first_quote and final_total",
            "levels": "mean markup by part number and garage, from training claims of other folds",
            "mileage": "kilometres; blank or, in requests, -1 where nobody read it; gaps take the median",
            "parts_price": "dealers export hundredths; requests are in EUR",
            "work_codes": [
                "windscreen", "brakes", "paint", "gearbox", "bodywork", "electrics", "suspension", "clutch",
            ],
            "clipping": "outer 0.2 to 1 percent on each side",
        },
        "training_ranges": {
            "optimizer": ["adam", "adamw"],
            "learning_rate": {"adam": [1e-3, 2e-2], "adamw": [1e-3, 2e-2]},
            "epochs": [10, 40],
            "weight_decay_max": 1e-3,
        },
        "network": "two hidden layers, non-linear; linear output",
        "serving": f"quoting service, request schema r{rng.integers(3, 8)}",
        "dataset_version": pick(rng, ("2025-09", "2025-12", "2026-01", "2026-01")),
        "last_reviewed": pick(rng, ("2024-11-05", "2025-12-11", "2026-01-20", "2026-02-03")),
    }  # fmt: skip


def log_error(target: FloatArray, prediction: FloatArray) -> float:
    """Mean absolute difference of ln(1 + amount); amounts below zero count as zero."""
    if not target.size:
        return float("nan")
    return float(np.mean(np.abs(np.log1p(np.maximum(prediction, 0.0)) - np.log1p(target))))


def _constant_median(rows: Labels, labels: Labels) -> float:
    """The naive predictor: always the median cost of the claims file."""
    return log_error(labels.target, np.full_like(labels.target, np.median(rows.target)))


PROJECT = Project(
    id="repair_costs",
    kind="tabular",
    model="multi-layer perceptron",
    dataset="repair claims",
    metric=Metric("log_mae", log_error, _constant_median, 0.0),
    dialect=DIALECT,
    slots=SLOTS,
    vary=vary,
    generate=generate,
    card=card,
    template=Path(__file__).parent / "template",
    shared=("tracking.py", "logstyles.py", "engine.py", "dataset_report.py"),
)
