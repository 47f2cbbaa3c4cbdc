"""Loan outcomes: three ordered classes from monthly account snapshots, split by account; macro F1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlops_debugger.projects import Metric, Project, Slot, Variation, macro_f1, majority
from mlops_debugger.projects._choices import pick, style, training_choices
from mlops_debugger.projects.loan_outcomes.data import generate

DIALECT = {
    "training.seed": "run.seed",
    "data.label_column": "data.label",
    "data.group_column": "data.group",
    "data.validation_share": "data.validation_share",
    "data.test_share": "data.test_share",
    "data.split_seed": "data.split_seed",
    "features.numeric": "features.numeric",
    "features.categorical": "features.categorical",
    "features.clip_quantiles": "features.clip_quantiles",
    "model.hidden_dims": "model.hidden",
    "model.activation": "model.activation",
    "model.dropout": "model.dropout",
    "model.freeze": "model.frozen",
    "optimizer.name": "optimizer.name",
    "optimizer.learning_rate": "optimizer.learning_rate",
    "optimizer.weight_decay": "optimizer.weight_decay",
    "optimizer.momentum": "optimizer.momentum",
    "scheduler.name": "schedule.name",
    "scheduler.step_size": "schedule.step_size",
    "scheduler.gamma": "schedule.gamma",
    "scheduler.warmup_steps": "schedule.warmup_steps",
    "training.epochs": "training.epochs",
    "training.batch_size": "training.batch_size",
    "training.accumulate": "training.accumulate_grad_batches",
    "training.grad_clip": "training.grad_clip",
    "training.ema_decay": "training.ema_decay",
    "training.label_smoothing": "training.label_smoothing",
    "checkpoint.monitor": "checkpoint.monitor",
    "checkpoint.mode": "checkpoint.mode",
    "evaluation.split": "evaluation.split",
    "evaluation.checkpoint": "evaluation.checkpoint",
    "evaluation.average": "evaluation.average",
    "evaluation.batch_size": "evaluation.batch_size",
}

SLOTS = (
    Slot(
        "missing_codes",
        (
            "        frame[column] = frame[column].mask(frame[column] == SENTINEL)",
            "        frame[column] = frame[column].replace(SENTINEL, np.nan)",
            "        frame.loc[frame[column] == SENTINEL, column] = np.nan",
        ),
    ),
    Slot(
        "amount_units",
        (
            '    reported_in_thousands = frame["branch"] == "south"\n'
            '    frame.loc[reported_in_thousands, "balance"] *= 1000.0',
            '    reported_in_thousands = frame["branch"] == "south"\n'
            '    frame["balance"] = frame["balance"].where(~reported_in_thousands, frame["balance"] * 1000.0)',
        ),
    ),
    Slot(
        "labelled_rows",
        (
            "    known = frame.dropna(subset=[label])\n    return known.reset_index(drop=True)",
            "    known = frame[frame[label].notna()]\n    return known.reset_index(drop=True)",
        ),
    ),
    Slot(
        "training_labels",
        (
            "    return names.map(label_ids).to_numpy(), label_ids",
            "    return np.array([label_ids[name] for name in names]), label_ids",
        ),
    ),
    Slot(
        "evaluation_targets",
        (
            "    return frame[label].map(encoders.label_ids).to_numpy()",
            "    return np.array([encoders.label_ids[name] for name in frame[label]])",
        ),
    ),
    Slot(
        "employer_encoding",
        (
            "    employers = encoders.target.fit_transform(frame[encoders.target_encoded], targets)",
            "    columns = frame[encoders.target_encoded]\n"
            "    employers = encoders.target.fit_transform(columns, targets)",
        ),
    ),
    Slot(
        "evaluation_scaling",
        (
            "    table = fill_and_clip(frame, encoders)\n    numeric = encoders.scaler.transform(table)",
            "    filled = fill_and_clip(frame, encoders)\n    numeric = encoders.scaler.transform(filled)",
        ),
    ),
    Slot(
        "evaluation_order",
        ("    return np.arange(count)", "    return np.array(range(count))"),
    ),
    Slot(
        "decode",
        (
            "    names = {position: name for name, position in encoders.label_ids.items()}\n"
            "    return [names[int(position)] for position in positions]",
            "    names = sorted(encoders.label_ids, key=encoders.label_ids.get)\n"
            "    return [names[int(position)] for position in positions]",
        ),
    ),
)

_SECTIONS = ("run", "data", "features", "model", "optimizer", "schedule", "training", "checkpoint", "evaluation")
_COMMENTS = {
    "data": ("snapshots as exported by the ledger team", "one row per account and month"),
    "features": ("agreed with risk in the March review", "names as in the export"),
    "model": ("small on purpose: scored nightly on CPU",),
    "optimizer": ("from the last sweep",),
    "evaluation": ("what the weekly report shows",),
}


def vary(rng: np.random.Generator) -> Variation:
    """Seventeen or more independent healthy choices."""
    config = training_choices(
        rng,
        rates={"adam": (8e-3, 1.4e-2), "adamw": (8e-3, 1.4e-2)},
        epochs=(14, 18),
        batches=(104, 112, 128),
    )
    numeric = [
        "age",
        "income",
        "credit_score",
        "balance",
        "utilisation",
        "months_on_book",
        "late_payments",
        "inquiries",
    ]
    rng.shuffle(numeric)
    config |= {
        "training.seed": int(rng.integers(1, 10_000)),
        "data.split_seed": int(rng.integers(1, 1000)),
        "data.label_column": "outcome",
        "data.group_column": "account_id",
        "data.validation_share": pick(rng, (0.25, 0.26, 0.28)),
        "data.test_share": pick(rng, (0.3, 0.32, 0.33)),
        "features.numeric": list(numeric),
        "features.categorical": pick(
            rng, (["region", "product"], ["product", "region"], ["region", "product", "branch"])
        ),
        "features.clip_quantiles": pick(rng, ([0.005, 0.995], [0.01, 0.99], [0.02, 0.98])),
        "model.hidden_dims": pick(rng, ([64, 64], [64, 32], [96, 48], [80, 64])),
        "model.activation": pick(rng, ("relu", "gelu", "silu")),
        "model.dropout": pick(rng, (0.05, 0.1, 0.15)),
        "training.label_smoothing": pick(rng, (0.0, 0.0, 0.02)),
        "training.ema_decay": pick(rng, (0.9, 0.92, 0.94)),
        "checkpoint.mode": "min" if config["checkpoint.monitor"] == "val_loss" else "max",
        "evaluation.batch_size": pick(rng, (256, 512, 1024)),
    }
    spellings = {slot.name: int(rng.integers(len(slot.spellings))) for slot in SLOTS}
    data = {
        "accounts": int(rng.integers(1060, 1160)),
        "months": int(rng.integers(16, 25)),
        "open_share": round(float(rng.uniform(0.2, 0.27)), 3),
    }
    return Variation(config, spellings, data, style(rng, _SECTIONS, _COMMENTS))


def card(variation: Variation, rng: np.random.Generator) -> dict[str, Any]:
    """The model card, from policy: what was agreed on before any run."""
    return {
        "model": "outcome MLP",
        "owner": pick(rng, ("risk-modelling", "credit-analytics", "portfolio-science")),
        "version": f"{rng.integers(1, 5)}.{rng.integers(0, 10)}",
        "purpose": "Predict next-quarter outcome of every account snapshot for the collections planner.",
        "primary_metric": {"name": "f1", "average": "macro", "why": "all three outcomes matter alike"},
        "classes": ["current", "late", "default"],
        "label": {
            "column": "outcome",
            "definition": "confirmed at the end of the quarter; disputed outcomes stay open",
        },
        "split_policy": (
            "An account belongs to exactly one split. Test rows are scored once, with the selected checkpoint."
        ),
        "inputs": {
            "numeric": "as in the ledger, amounts in currency units; -999 means unknown",
            "known_at_prediction": "everything except outcome, outcome_30d and recovery_fee",
            "clipping": "outer 0.5 to 2 percent on each side",
        },
        "training_ranges": {
            "optimizer": ["adam", "adamw", "sgd"],
            "learning_rate": {"adam": [4e-4, 2e-2], "adamw": [4e-4, 2e-2], "sgd": [1e-2, 3e-1]},
            "epochs": [10, 40],
            "weight_decay_max": 1e-3,
        },
        "encoders": {
            "employer": "cross-fitted target means",
            "categories": "one-hot",
            "version": f"enc-{rng.integers(2, 6)}",
        },
        "dataset_version": pick(rng, ("2025-11", "2025-12", "2026-01")),
        "last_reviewed": pick(rng, ("2025-10-02", "2025-12-11", "2026-01-20")),
    }


PROJECT = Project(
    id="loan_outcomes",
    kind="tabular",
    model="multi-layer perceptron",
    dataset="account snapshots",
    metric=Metric("f1", macro_f1, majority(macro_f1), 1.0),
    dialect=DIALECT,
    slots=SLOTS,
    vary=vary,
    generate=generate,
    card=card,
    template=Path(__file__).parent / "template",
    shared=("tracking.py", "logstyles.py", "engine.py", "dataset_report.py", "scores.py"),
)
