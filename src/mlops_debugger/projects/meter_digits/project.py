"""Meter digits: ten codes from 8×8 crops of meter displays, split by meter; accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlops_debugger.projects import Metric, Project, Slot, Variation, accuracy, majority
from mlops_debugger.projects._choices import pick, style, training_choices
from mlops_debugger.projects.meter_digits.data import generate

DIALECT = {
    "training.seed": "experiment.random_state",
    "data.label_column": "source.target",
    "data.group_column": "source.keep_together",
    "data.validation_share": "source.val_fraction",
    "data.test_share": "source.test_fraction",
    "data.split_seed": "source.split_random_state",
    "data.contrast": "crops.contrast",
    "augment.copies": "augment.copies",
    "augment.max_shift": "augment.max_shift",
    "augment.grain": "augment.grain",
    "model.channels": "net.channels",
    "model.kernel_size": "net.kernel_size",
    "model.stride": "net.stride",
    "model.hidden_dim": "net.hidden",
    "model.bn_momentum": "net.bn_momentum",
    "model.dropout": "net.dropout",
    "model.freeze": "net.freeze",
    "optimizer.name": "optim.kind",
    "optimizer.learning_rate": "optim.lr",
    "optimizer.weight_decay": "optim.weight_decay",
    "optimizer.momentum": "optim.momentum",
    "scheduler.name": "lr_schedule.kind",
    "scheduler.step_size": "lr_schedule.every",
    "scheduler.gamma": "lr_schedule.factor",
    "scheduler.warmup_steps": "lr_schedule.warmup",
    "training.epochs": "trainer.max_epochs",
    "training.batch_size": "trainer.minibatch",
    "training.accumulate": "trainer.accumulate",
    "training.grad_clip": "trainer.clip_norm",
    "training.ema_decay": "trainer.ema",
    "training.label_smoothing": "trainer.smoothing",
    "checkpoint.monitor": "snapshots.watch",
    "checkpoint.mode": "snapshots.mode",
    "evaluation.split": "report.on",
    "evaluation.checkpoint": "report.snapshot",
    "evaluation.top_k": "report.top_k",
    "evaluation.batch_size": "report.minibatch",
}

SLOTS = (
    Slot(
        "batch_crops",
        (
            '    crops = stored[batch["image"].to_numpy()]\n    return batch, crops',
            '    crops = np.take(stored, batch["image"], axis=0)\n    return batch, crops',
        ),
    ),
    Slot(
        "labelled_rows",
        (
            "    keep = frame[label].notna().to_numpy()\n    return frame[keep].reset_index(drop=True), crops[keep]",
            "    keep = ~frame[label].isna().to_numpy()\n    return frame[keep].reset_index(drop=True), crops[keep]",
        ),
    ),
    Slot(
        "split_rows",
        (
            '    return {"train": train, "validation": rest[val], "test": rest[test]}',
            "    return dict(train=train, validation=rest[val], test=rest[test])",
        ),
    ),
    Slot(
        "splits_and_copies",
        (
            "    rows = split_rows(frame, source)\n"
            "    parts = {name: (frame.iloc[index].reset_index(drop=True), crops[index])"
            " for name, index in rows.items()}\n"
            '    parts["train"] = with_copies(*parts["train"], augment)',
            "    parts = {}\n"
            "    for name, index in split_rows(frame, source).items():\n"
            "        parts[name] = (frame.iloc[index].reset_index(drop=True), crops[index])\n"
            '    parts["train"] = with_copies(*parts["train"], augment)',
        ),
    ),
    Slot(
        "black_level",
        (
            "    lifted = np.clip(crops.astype(np.float64) - level, 0, 255)",
            "    lifted = np.clip(np.subtract(crops, level, dtype=np.float64), 0, 255)",
        ),
    ),
    Slot(
        "stretch",
        (
            "    return np.clip(stretched, 0.0, 1.0)",
            "    return stretched.clip(0.0, 1.0)",
        ),
    ),
    Slot(
        "training_labels",
        (
            "    return names.map(positions).to_numpy()",
            "    return np.array([positions[name] for name in names])",
        ),
    ),
    Slot(
        "evaluation_polarity",
        (
            "    ink = np.where(dark_on_light, 1.0 - ink, ink)",
            "    ink = np.where(~dark_on_light, ink, 1.0 - ink)",
        ),
    ),
    Slot(
        "evaluation_scaling",
        (
            "    scaled = (ink - prepared.mean) / prepared.scale",
            "    scaled = ink - prepared.mean\n    scaled = scaled / prepared.scale",
        ),
    ),
    Slot(
        "evaluation_layout",
        (
            "    return np.ascontiguousarray(scaled[..., None].transpose(0, 3, 1, 2))",
            "    return np.ascontiguousarray(np.moveaxis(scaled[..., None], 3, 1))",
        ),
    ),
    Slot(
        "evaluation_targets",
        (
            "    positions = {code: position for position, code in enumerate(prepared.codes)}\n"
            "    return np.array([positions[code] for code in frame[label]])",
            "    return np.array([prepared.codes.index(code) for code in frame[label]])",
        ),
    ),
    Slot(
        "evaluation_order",
        ("    return np.arange(count)", "    return np.array(range(count))"),
    ),
    Slot(
        "decode",
        (
            "    return [prepared.codes[int(position)] for position in positions]",
            "    codes = dict(enumerate(prepared.codes))\n    return [codes[int(position)] for position in positions]",
        ),
    ),
)

_SECTIONS = (
    "experiment",
    "source",
    "crops",
    "augment",
    "net",
    "optim",
    "lr_schedule",
    "trainer",
    "snapshots",
    "report",
)
_COMMENTS = {
    "source": ("export of the reading app", "readings by the review team"),
    "crops": ("percentiles of each crop",),
    "augment": ("training split", "mimics loose mounts"),
    "net": ("has to fit the handheld", "as in the last release"),
    "lr_schedule": ("every and factor: step only",),
    "report": ("goes to the field-service page",),
}


def vary(rng: np.random.Generator) -> Variation:
    """Twenty or more independent healthy choices."""
    config = training_choices(
        rng,
        rates={"adam": (3e-3, 8e-3), "adamw": (3e-3, 8e-3), "sgd": (0.05, 0.15)},
        epochs=(6, 7),
        batches=(112, 128, 144),
    )
    config |= {
        "training.seed": int(rng.integers(1, 10_000)),
        "data.split_seed": int(rng.integers(1, 1000)),
        "data.label_column": "reading",
        "data.group_column": "meter_id",
        "data.validation_share": pick(rng, (0.22, 0.23, 0.24)),
        "data.test_share": pick(rng, (0.26, 0.27, 0.28)),
        "data.contrast": pick(rng, ([5, 95], [4, 94], [6, 96], [5, 92])),
        "augment.copies": 2,
        "augment.max_shift": pick(rng, (0.15, 0.2, 0.25, 0.3)),
        "augment.grain": pick(rng, (3.0, 4.0, 5.0, 6.0)),
        "model.channels": pick(rng, (7, 8, 9)),
        "model.kernel_size": 3,
        "model.stride": 1,
        "model.hidden_dim": pick(rng, (72, 80, 96, 112)),
        "model.bn_momentum": pick(rng, (0.08, 0.1, 0.15, 0.2)),
        "model.dropout": pick(rng, (0.0, 0.05, 0.1)),
        "model.freeze": [],
        "training.label_smoothing": pick(rng, (0.0, 0.0, 0.02)),
        "checkpoint.mode": "min" if config["checkpoint.monitor"] == "val_loss" else "max",
        "evaluation.split": "test",
        "evaluation.checkpoint": "best",
        "evaluation.top_k": 1,
        "evaluation.batch_size": pick(rng, (256, 512, 1024)),
    }
    spellings = {slot.name: int(rng.integers(len(slot.spellings))) for slot in SLOTS}
    data = {
        "days": int(rng.integers(240, 420)),
        "noise": round(float(rng.uniform(0.11, 0.2)), 3),
        "lcd_share": round(float(rng.uniform(0.3, 0.5)), 3),
        "second_camera_share": round(float(rng.uniform(0.45, 0.65)), 3),
        "open_share": round(float(rng.uniform(0.14, 0.2)), 3),
    }
    return Variation(config, spellings, data, style(rng, _SECTIONS, _COMMENTS))


def card(variation: Variation, rng: np.random.Generator) -> dict[str, Any]:
    """The model card, from policy: what was agreed on before any run."""
    return {
        "model": "digit CNN",
        "owner": pick(rng, ("meter-reading", "field-automation", "handheld-vision")),
        "version": f"{rng.integers(1, 6)}.{rng.integers(0, 12)}",
        "purpose": "Read the code of every digit crop that a handheld takes of a utility meter.",
        "primary_metric": {"name": "accuracy", "definition": "share of crops whose first answer is right"},
        "classes": "ten codes, numbered as in codes.csv",
        "label": {
            "column": "reading",
            "definition": "set by a reviewer; crops nobody has reviewed stay blank and are not used",
        },
        "split_policy": "A meter belongs to exactly one split. Test crops are scored once, with the selected snapshot.",
        "inputs": {
            "crops": "8x8, 8 bit, with the black level of the camera; lcd displays show dark digits on light",
            "cameras": "K1 and K2, mounted at different angles, both in the field",
            "prepared": "bright on dark, stretched per crop (outer 4 to 8 percent cut), standardised; alike everywhere",
            "copies": "for training rows, two each, moved by less than a pixel",
        },
        "training_ranges": {
            "optimizer": ["adam", "adamw", "sgd"],
            "learning_rate": {"adam": [5e-4, 2e-2], "adamw": [5e-4, 2e-2], "sgd": [1e-2, 5e-1]},
            "epochs": [5, 30],
            "weight_decay_max": 1e-3,
        },
        "network": {"kernel_size": [3, 5], "stride": [1, 1], "bn_momentum": [0.05, 0.3], "trained_layers": "all"},
        "export_version": pick(rng, ("2025-w40", "2025-w48", "2026-w03")),
        "last_reviewed": pick(rng, ("2025-10-20", "2025-12-04", "2026-01-15")),
    }


PROJECT = Project(
    id="meter_digits",
    kind="image",
    model="convolutional network",
    dataset="meter crops",
    metric=Metric("accuracy", accuracy, majority(accuracy), 1.0),
    dialect=DIALECT,
    slots=SLOTS,
    vary=vary,
    generate=generate,
    card=card,
    template=Path(__file__).parent / "template",
    shared=("tracking.py", "logstyles.py", "engine.py", "dataset_report.py", "scores.py"),
)
