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
    "evaluation.positive_class": "report.positive",
}

SLOTS = (
    Slot(
        "request_clock",
        (
            '    table["when"] = table["when"] + source["utc_offset_hours"] * 3600',
            '    table["when"] += source["utc_offset_hours"] * 3600',
        ),
    ),
    Slot(
        "request_amounts",
        (
            '    major = table["amount"] / lookup(MINOR_UNITS, table["currency"])',
            '    units = lookup(MINOR_UNITS, table["currency"])\n    major = table["amount"] / units',
        ),
    ),
    Slot(
        "labelled_rows",
        (
            '    closed = age >= columns["report_window_days"]',
            '    closed = np.greater_equal(age, columns["report_window_days"])',
        ),
    ),
    Slot(
        "training_labels",
        (
            '    reported = table["reported_after"] <= columns["report_window_days"]',
            '    reported = np.less_equal(table["reported_after"], columns["report_window_days"])',
        ),
    ),
    Slot(
        "sampled_rows",
        (
            '        return {**rows, "train": self.thin(rows["train"], target)}',
            '        return dict(rows, train=self.thin(rows["train"], target))',
        ),
    ),
    Slot(
        "earlier_rows",
        (
            '        order = np.lexsort((table["when"], table["card"]))',
            '        keys = table["when"], table["card"]\n        order = np.lexsort(keys)',
        ),
    ),
    Slot(
        "request_history",
        (
            '        return {"hours": table["recent_age"] / 3600, "spent": table["recent_euros"]}',
            '        return dict(hours=table["recent_age"] / 3600, spent=table["recent_euros"])',
        ),
    ),
    Slot(
        "training_risk",
        (
            "        return self._share(frauds - target, rows - 1)",
            "        others = frauds - target, rows - 1\n        return self._share(*others)",
        ),
    ),
    Slot(
        "unseen_merchants",
        (
            "        return np.where(rows > 0, share, self.prior)",
            "        return np.where(rows == 0, self.prior, share)",
        ),
    ),
    Slot(
        "risk_rows",
        (
            '        self.risk.fit(seen["merchant"], target[rows])',
            '        merchants = seen["merchant"]\n        self.risk.fit(merchants, target[rows])',
        ),
    ),
    Slot(
        "input_scaling",
        (
            "        numbers = self.scaler.transform(self.fill_and_clip(self.numbers(table, history)))",
            "        filled = self.fill_and_clip(self.numbers(table, history))\n"
            "        numbers = self.scaler.transform(filled)",
        ),
    ),
    Slot(
        "serving_scores",
        (
            "    return thinning.true_odds(probabilities)",
            "    scores = thinning.true_odds(probabilities)\n    return scores",
        ),
    ),
    Slot(
        "evaluation_targets",
        ("    return target[rows]", "    return np.take(target, rows)"),
    ),
    Slot(
        "evaluation_order",
        ("    return np.arange(count)", "    return np.array(range(count))"),
    ),
    Slot(
        "decode",
        (
            "    names = {position: name for name, position in LABELS.items()}\n"
            "    return [names[int(position)] for position in positions]",
            "    names = sorted(LABELS, key=LABELS.get)\n    return [names[int(position)] for position in positions]",
        ),
    ),
)

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
        batches=(150, 160, 168),
    )
    numeric = list(_NUMERIC)
    rng.shuffle(numeric)
    window, offset = pick(rng, (30, 35, 40, 45)), pick(rng, (5, 6, 7, 8, 9, -5, -6, -7, -8))
    config |= {
        "training.seed": int(rng.integers(1, 10_000)),
        "data.utc_offset_hours": offset,
        "data.split_seed": int(rng.integers(1, 1000)),
        "data.validation_share": pick(rng, (0.25, 0.26, 0.27)),
        "data.test_share": pick(rng, (0.29, 0.3, 0.31)),
        "data.negatives_per_positive": pick(rng, (3, 3.25, 3.5)),
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
        "cards": int(rng.integers(1560, 1640)),
        "days": int(rng.integers(150, 190)),
        "report_window": window,
        "utc_offset": offset,
    }
    return Variation(config, spellings, data, style(rng, _SECTIONS, _COMMENTS))


def card(variation: Variation, rng: np.random.Generator) -> dict[str, Any]:
    """The model card, from policy: what was agreed on before any run."""
    window = variation.config["data.label_window_days"]
    stale = rng.random() < 0.25
    return {
        "model": "card alert network",
        "team": pick(rng, ("payments-risk", "disputes-desk", "acquiring")) + (" (until 2024)" if stale else ""),
        "release": f"{rng.integers(20, 27)}.{rng.integers(1, 13):02d}",
        "purpose": "Hold card transactions for review before they are booked.",
        "primary_metric": {
            "name": "binary_f1",
            "positive": "fraud",
            "why": "alerts missed and alerts in vain cost alike",
        },
        "alerts": "as many as there are frauds among the validation rows; one threshold for the report and the gateway",
        "classes": ["legitimate", "fraud"],
        "label": {
            "definition": f"reported as fraud within {window} days of the transaction; later disputes are not fraud",
            "open_rows": "transactions whose window has not closed by the export are left out",
        },
        "split_policy": "By time: training is the earliest part, test the latest. Only training rows are thinned.",
        "inputs": {
            "known_at_prediction": "the transaction itself, and what the card did before it",
            "not_known_at_prediction": ["reported_after", "status", "chargeback_fee", "card_disputes"],
            "warehouse": "bank's clock, amounts in major units",
            "gateway": "UTC, amounts in the currency's minor units (yen have none), ages in seconds",
            "merchant_risk": "training rows only, a row by the others of its merchant; the average for new ones",
        },
        "training_ranges": {
            "optimizer": ["adam", "adamw"],
            "learning_rate": [1e-3, 3e-2],
            "epochs": [10, 40],
            "l2_max": 1e-3,
            "dropout": [0.0, 0.3],
        },
        "data_snapshot": pick(rng, ("2024-03", "2024-06")) if stale else pick(rng, ("2025-12", "2026-01")),
        "reviewed": pick(rng, ("2024-04-09", "2024-07-01")) if stale else pick(rng, ("2026-01-08", "2026-01-15")),
    }


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
    kind="rare_tabular",
    model="small feed-forward network",
    dataset="card transactions",
    metric=Metric("binary_f1", alert_f1, constant_answer, 1.0),
    dialect=DIALECT,
    slots=SLOTS,
    vary=vary,
    generate=generate,
    card=card,
    template=Path(__file__).parent / "template",
    shared=("tracking.py", "logstyles.py", "engine.py", "dataset_report.py", "scores.py"),
)
