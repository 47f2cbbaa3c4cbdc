"""Site load: a series in steps of three hours, forecast several steps ahead with temperature; split by time; MAE."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlops_debugger.projects import Labels, Metric, Project, Slot, Variation, mean_absolute_error
from mlops_debugger.projects._choices import pick, style, training_choices
from mlops_debugger.projects.demand_forecast.data import generate

DIALECT = {
    "training.seed": "experiment.seed",
    "data.utc_offset_hours": "data.utc_offset_hours",
    "data.split.strategy": "data.split.strategy",
    "data.validation_share": "data.split.validation_share",
    "data.test_share": "data.split.test_share",
    "data.split_seed": "data.split.seed",
    "features.horizon": "features.horizon",
    "features.lags": "features.lags",
    "features.windows": "features.windows",
    "features.harmonics": "features.harmonics",
    "features.clip_quantiles": "features.clip_quantiles",
    "model.hidden_dims": "network.widths",
    "model.activation": "network.activation",
    "model.output_activation": "network.output_activation",
    "model.dropout": "network.dropout",
    "model.freeze": "network.frozen",
    "optimizer.name": "optim.name",
    "optimizer.learning_rate": "optim.lr",
    "optimizer.weight_decay": "optim.weight_decay",
    "optimizer.momentum": "optim.momentum",
    "scheduler.name": "lr_schedule.kind",
    "scheduler.step_size": "lr_schedule.step_size",
    "scheduler.gamma": "lr_schedule.gamma",
    "scheduler.warmup_steps": "lr_schedule.warmup_steps",
    "training.epochs": "trainer.max_epochs",
    "training.batch_size": "trainer.batch_size",
    "training.loss": "trainer.loss",
    "training.accumulate": "trainer.accumulate_grad_batches",
    "training.grad_clip": "trainer.gradient_clip_val",
    "training.ema_decay": "trainer.ema_decay",
    "checkpoint.monitor": "checkpointing.monitor",
    "checkpoint.mode": "checkpointing.mode",
    "evaluation.split": "report.split",
    "evaluation.checkpoint": "report.checkpoint",
    "evaluation.batch_size": "report.batch_size",
}

SLOTS = (
    Slot(
        "request_clock",
        (
            '    first = requests["starts_at"] + offset',
            '    first = requests["starts_at"].add(offset)',
        ),
    ),
    Slot(
        "request_meters",
        (
            '            "backup": (meter.ravel() == 2).astype(int),',
            '            "backup": np.where(meter.ravel() == 2, 1, 0),',
        ),
    ),
    Slot(
        "weather_join",
        (
            '    local = weather["valid_at"] + offset',
            '    local = weather["valid_at"].add(offset)',
        ),
    ),
    Slot(
        "meter_units",
        (
            '    return frame["load"].where(frame["backup"] == 0, frame["load"] * HOURS_PER_STEP)',
            '    return frame["load"].mask(frame["backup"] == 1, frame["load"] * HOURS_PER_STEP)',
            '    return frame["load"] * np.where(frame["backup"] == 1, HOURS_PER_STEP, 1)',
        ),
    ),
    Slot(
        "known_history",
        (
            '    known = load.shift(features["horizon"])',
            '    known = load.shift(periods=features["horizon"])',
        ),
    ),
    Slot(
        "rolling_window",
        (
            "        recent = known.rolling(window)",
            "        recent = known.rolling(window=window)",
        ),
    ),
    Slot(
        "forecast_load",
        (
            "    return energy(frame)\n",
            "    load = energy(frame)\n    return load\n",
        ),
    ),
    Slot(
        "training_labels",
        (
            '    return forecast_load(frame) - table["level"]',
            '    return forecast_load(frame).sub(table["level"])',
        ),
    ),
    Slot(
        "evaluation_targets",
        (
            "    return forecast_load(frame)\n",
            "    measured = forecast_load(frame)\n    return measured\n",
        ),
    ),
    Slot(
        "labelled_rows",
        (
            '    usable = frame.dropna(subset=["label", "target"])\n    return usable.reset_index(drop=True)',
            '    usable = frame[frame[["label", "target"]].notna().all(axis=1)]\n'
            "    return usable.reset_index(drop=True)",
        ),
    ),
    Slot(
        "evaluation_scaling",
        (
            "    bounded = fill_and_clip(table, scaling)\n    return scaling.inputs.transform(bounded)",
            "    prepared = fill_and_clip(table, scaling)\n    return scaling.inputs.transform(prepared)",
        ),
    ),
    Slot(
        "evaluation_order",
        ("    return np.arange(count)", "    return np.array(range(count))"),
    ),
    Slot(
        "decode",
        (
            '    above = outputs * scaling.label_sd + scaling.label_mean\n    return above + table["level"].to_numpy()',
            '    base = table["level"].to_numpy()\n    return outputs * scaling.label_sd + scaling.label_mean + base',
        ),
    ),
    Slot(
        "scored_pairs",
        (
            '    forecasts = decode(outputs, table, scaling)\n    return frame["target"].to_numpy(), forecasts',
            '    measured = frame["target"].to_numpy()\n    return measured, decode(outputs, table, scaling)',
        ),
    ),
)

_SECTIONS = (
    "experiment", "data", "features", "network", "optim", "lr_schedule", "trainer", "checkpointing", "report",
)  # fmt: skip
_COMMENTS = {
    "data": ("export of the pilot site", "three-hourly, one row a step"),
    "features": ("counts are steps of three hours", "as discussed with the trading desk"),
    "network": ("kept small: answered on the site's gateway",),
    "optim": ("values of the spring sweep",),
    "lr_schedule": ("steps, not epochs, for warmup",),
    "report": ("goes to the weekly planning sheet",),
}


def vary(rng: np.random.Generator) -> Variation:
    """Twenty or more independent healthy choices."""
    config = training_choices(
        rng,
        rates={"adam": (4e-3, 8e-3), "adamw": (4e-3, 8e-3), "sgd": (0.06, 0.12)},
        epochs=(11, 14),
        batches=(80, 96, 112),
    )
    horizon = pick(rng, (6, 7, 8))
    offset = pick(rng, (-9, -6, 6, 9))
    config |= {
        "training.seed": int(rng.integers(1, 10_000)),
        "training.loss": pick(rng, ("mse", "huber")),
        "data.utc_offset_hours": offset,
        "data.split.strategy": "time",
        "data.split_seed": int(rng.integers(1, 1000)),
        "data.validation_share": pick(rng, (0.18, 0.2)),
        "data.test_share": pick(rng, (0.2, 0.22)),
        "features.horizon": horizon,
        "features.lags": sorted({horizon, horizon + 1, *pick(rng, ((8, 56), (8, 16, 56), (horizon + 2, 16, 56)))}),
        "features.windows": pick(rng, ([8, 24], [8, 32], [16, 40])),
        "features.harmonics": pick(rng, (2, 3)),
        "features.clip_quantiles": pick(rng, ([0.005, 0.995], [0.01, 0.99], [0.002, 0.998])),
        "model.hidden_dims": pick(rng, ([64, 64], [64, 32], [96, 48], [80, 64])),
        "model.activation": pick(rng, ("relu", "gelu", "silu")),
        "model.output_activation": "identity",
        "model.dropout": pick(rng, (0.0, 0.0, 0.02)),
        "checkpoint.mode": "min",
        "evaluation.batch_size": pick(rng, (256, 512, 1024)),
    }
    spellings = {slot.name: int(rng.integers(len(slot.spellings))) for slot in SLOTS}
    data = {
        "steps": int(rng.integers(4300, 4801)),
        "horizon": horizon,
        "utc_offset_hours": offset,
        "backup_share": round(float(rng.uniform(0.13, 0.18)), 3),
        "blank_share": round(float(rng.uniform(0.015, 0.035)), 3),
    }
    return Variation(config, spellings, data, style(rng, _SECTIONS, _COMMENTS))


def card(variation: Variation, rng: np.random.Generator) -> dict[str, Any]:
    """The model card, from policy: what was agreed on before any run."""
    return {
        "model": "load MLP",
        "owner": pick(rng, ("grid-planning", "energy-analytics", "site-operations")),
        "version": f"{rng.integers(1, 5)}.{rng.integers(0, 10)}",
        "purpose": "Forecast electric load of every site some steps ahead, for the day's purchase plan.",
        "primary_metric": {"name": "mae", "unit": "MWh a step", "why": "imbalance is paid by the MWh"},
        "target": {
            "column": "load",
            "definition": "energy used in the step that starts at the row's time, in MWh",
            "readings": "main meter: MWh a step; backup meter: mean power in MW",
            "meter_codes": {"export": {"main": 0, "backup": 1}, "requests": {"main": 1, "backup": 2}},
        },
        "forecast": {"steps_ahead": variation.config["features.horizon"], "step_hours": 3},
        "split_policy": "Training, validation and test follow one another in time. Test rows are scored once.",
        "inputs": {
            "known_at_prediction": "readings up to the origin; calendar and temperature forecast of any time",
            "relative_to": "mean load of the week that ends at the origin",
            "clocks": {
                "readings": "site",
                "weather and requests": "UTC",
                "site_minus_utc_hours": variation.config["data.utc_offset_hours"],
            },
            "clipping": "outer 0.2 to 1 percent on each side",
        },
        "training_ranges": {
            "optimizer": ["adam", "adamw", "sgd"],
            "learning_rate": {"adam": [1e-3, 1e-2], "adamw": [1e-3, 1e-2], "sgd": [1e-2, 3e-1]},
            "epochs": [10, 40],
            "weight_decay_max": 1e-3,
        },
        "network": "two hidden layers, non-linear; linear output",
        "serving": f"requests of sister sites, table builder v{rng.integers(2, 6)}",
        "dataset_version": pick(rng, ("2025-11", "2025-12", "2026-01")),
        "last_reviewed": pick(rng, ("2025-10-02", "2025-12-11", "2026-01-20")),
    }


def _constant_median(rows: Labels, labels: Labels) -> float:
    """The naive predictor: always the median load of the training file."""
    return mean_absolute_error(labels.target, np.full_like(labels.target, np.median(rows.target)))


PROJECT = Project(
    id="demand_forecast",
    kind="series",
    model="multi-layer perceptron",
    dataset="site load",
    metric=Metric("mae", mean_absolute_error, _constant_median, 0.0),
    dialect=DIALECT,
    slots=SLOTS,
    vary=vary,
    generate=generate,
    card=card,
    template=Path(__file__).parent / "template",
    shared=("tracking.py", "logstyles.py", "engine.py", "dataset_report.py", "scores.py"),
)
