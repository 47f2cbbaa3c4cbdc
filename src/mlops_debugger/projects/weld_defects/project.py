"""Weld defects: five classes from pictures of seams under two lights, with augmentation, split by coil; macro F1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlops_debugger.projects import Metric, Project, Slot, Variation, macro_f1, majority
from mlops_debugger.projects._choices import pick, style, training_choices
from mlops_debugger.projects.weld_defects.data import generate

DIALECT = {
    "training.seed": "experiment.seed",
    "data.label_column": "images.label",
    "data.label_grade": "images.least_grade",
    "data.group_column": "partition.keep_together",
    "data.validation_share": "partition.validation",
    "data.test_share": "partition.test",
    "data.split_seed": "partition.seed",
    "augment.mirror": "augment.mirror",
    "augment.shift": "augment.shift",
    "augment.relight": "augment.relight",
    "augment.erase": "augment.erase",
    "model.channels": "cnn.filters",
    "model.kernel_size": "cnn.kernel",
    "model.stride": "cnn.stride",
    "model.hidden_dim": "cnn.width",
    "model.activation": "cnn.activation",
    "model.bn_momentum": "cnn.norm_momentum",
    "model.dropout": "cnn.dropout",
    "model.freeze": "cnn.frozen",
    "optimizer.name": "sgd.rule",
    "optimizer.learning_rate": "sgd.rate",
    "optimizer.momentum": "sgd.momentum",
    "optimizer.weight_decay": "sgd.decay",
    "training.grad_clip": "sgd.clip",
    "training.accumulate": "sgd.accumulate",
    "training.epochs": "plan.epochs",
    "training.batch_size": "plan.batch",
    "scheduler.name": "plan.shape",
    "scheduler.step_size": "plan.drop_every",
    "scheduler.gamma": "plan.drop_to",
    "scheduler.warmup_steps": "plan.warmup",
    "training.ema_decay": "plan.averaging",
    "training.label_smoothing": "plan.smoothing",
    "checkpoint.monitor": "keep.watch",
    "checkpoint.mode": "keep.direction",
    "evaluation.split": "scoring.part_of_data",
    "evaluation.checkpoint": "scoring.weights",
    "evaluation.average": "scoring.average",
    "evaluation.top_k": "scoring.first_answers",
    "evaluation.min_confidence": "scoring.min_confidence",
    "evaluation.batch_size": "scoring.batch",
}

SLOTS = (
    Slot(
        "export_window",
        (
            '    rows["window_row"] = rows["seam_row"]',
            '    rows["window_row"] = rows["seam_row"].copy()',
        ),
    ),
    Slot(
        "tray_lights",
        (
            "    pictures = np.stack([upper, lower], axis=-1)",
            "    pictures = np.concatenate([upper[..., None], lower[..., None]], axis=3)",
        ),
    ),
    Slot(
        "tray_exposure",
        (
            '    rows["exposure_ms"] = rows["exposure_us"] / 1000.0',
            '    rows["exposure_ms"] = np.divide(rows["exposure_us"], 1000.0)',
        ),
    ),
    Slot(
        "tray_window",
        (
            '    rows["window_row"] = PICTURE_ROWS - 1 - rows["seam_from_below"]',
            '    rows["window_row"] = np.subtract(PICTURE_ROWS - 1, rows["seam_from_below"])',
        ),
    ),
    Slot(
        "labelled_rows",
        (
            '    keep = pd.notna(rows[images["label"]])\n    rows = pick_rows(rows, keep)',
            '    keep = ~pd.isna(rows[images["label"]])\n    rows = pick_rows(rows, keep)',
        ),
    ),
    Slot(
        "graded_labels",
        (
            '    rows["defect"] = np.where(counts, rows[images["label"]], "sound")',
            '    rows["defect"] = np.where(~counts, "sound", rows[images["label"]])',
        ),
    ),
    Slot(
        "split_rows",
        (
            "    train = ~(validation | test)\n"
            '    return {"train": np.flatnonzero(train), "validation": np.flatnonzero(validation),'
            ' "test": np.flatnonzero(test)}',
            "    train = ~validation & ~test\n"
            '    parts = {"train": train, "validation": validation, "test": test}\n'
            "    return {name: np.flatnonzero(mask) for name, mask in parts.items()}",
        ),
    ),
    Slot(
        "review_margin",
        (
            "    return window[:, :, :-MARGIN]",
            "    return window[:, :, : window.shape[2] - MARGIN]",
        ),
    ),
    Slot(
        "training_labels",
        (
            "def training_targets(rows, catalogue):\n"
            '    """Numbers of the training rows\' defects."""\n'
            "    numbers = {name: number for number, name in enumerate(catalogue)}\n"
            '    return np.array([numbers[name] for name in rows["defect"]])',
            "def training_targets(rows, catalogue):\n"
            '    """Numbers of the training rows\' defects."""\n'
            '    return np.array([catalogue.index(name) for name in rows["defect"]])',
        ),
    ),
    Slot(
        "evaluation_scaling",
        (
            "    level = (light - mean[:, None, None]) / spread[:, None, None]",
            "    level = light - mean[:, None, None]\n    level = level / spread[:, None, None]",
        ),
    ),
    Slot(
        "evaluation_layout",
        (
            "    return np.ascontiguousarray(np.moveaxis(level, 3, 1))",
            "    return np.ascontiguousarray(level.transpose(0, 3, 1, 2))",
        ),
    ),
    Slot(
        "evaluation_targets",
        (
            "def evaluation_targets(rows, catalogue):\n"
            '    """Numbers of the defects of validation and test rows."""\n'
            "    numbers = {name: number for number, name in enumerate(catalogue)}\n"
            '    return np.array([numbers[name] for name in rows["defect"]])',
            "def evaluation_targets(rows, catalogue):\n"
            '    """Numbers of the defects of validation and test rows."""\n'
            '    return np.array([catalogue.index(name) for name in rows["defect"]])',
        ),
    ),
    Slot("evaluation_order", ("    return np.arange(count)", "    return np.array(range(count))")),
    Slot(
        "decode",
        (
            "    return [catalogue[int(number)] for number in numbers]",
            "    names = dict(enumerate(catalogue))\n    return [names[int(number)] for number in numbers]",
        ),
    ),
)

_SECTIONS = ("experiment", "images", "partition", "augment", "cnn", "sgd", "plan", "keep", "scoring")
_COMMENTS = {
    "images": ("export of the review tool", "see the inspection handbook"),
    "partition": ("a coil makes two parts", "coils of all stations"),
    "augment": ("drawn anew in every epoch", "training pictures"),
    "cnn": ("runs beside the line controller", "as on the other cell"),
    "plan": ("drop_every and drop_to: step only",),
    "scoring": ("for the quality board",),
}


def vary(rng: np.random.Generator) -> Variation:
    """Twenty or more independent healthy choices."""
    config = training_choices(
        rng,
        rates={"adam": (3e-3, 7e-3), "adamw": (3e-3, 7e-3), "sgd": (0.05, 0.12)},
        epochs=(10, 11),
        batches=(88, 96, 108, 120),
    )
    config |= {
        "training.seed": int(rng.integers(1, 10_000)),
        "data.split_seed": int(rng.integers(1, 1000)),
        "data.label_column": "inspector_class",
        "data.label_grade": 1,
        "data.group_column": "coil",
        "data.validation_share": pick(rng, (0.22, 0.225, 0.23)),
        "data.test_share": pick(rng, (0.255, 0.26, 0.265)),
        "augment.mirror": "along",
        "augment.shift": pick(rng, (1, 1, 2)),
        "augment.relight": pick(rng, (0.02, 0.03, 0.05)),
        "augment.erase": pick(rng, (0, 1, 1)),
        "model.channels": pick(rng, (7, 8, 9)),
        "model.kernel_size": 3,
        "model.stride": 1,
        "model.hidden_dim": pick(rng, (104, 112, 120, 128)),
        "model.activation": pick(rng, ("relu", "silu")),
        "model.bn_momentum": pick(rng, (0.08, 0.1, 0.15, 0.2)),
        "model.dropout": pick(rng, (0.0, 0.02, 0.05)),
        "model.freeze": [],
        "training.ema_decay": pick(rng, (0.95, 0.96, 0.97)),
        "training.label_smoothing": pick(rng, (0.0, 0.0, 0.02)),
        "checkpoint.mode": "min" if config["checkpoint.monitor"] == "val_loss" else "max",
        "evaluation.split": "test",
        "evaluation.checkpoint": "best",
        "evaluation.average": "macro",
        "evaluation.top_k": 1,
        "evaluation.min_confidence": 0.0,
        "evaluation.batch_size": pick(rng, (300, 512, 777)),
    }
    spellings = {slot.name: int(rng.integers(len(slot.spellings))) for slot in SLOTS}
    data = {
        "days": int(rng.integers(120, 260)),
        "noise": round(float(rng.uniform(0.19, 0.22)), 3),
        "tendency": round(float(rng.uniform(0.45, 0.6)), 3),
        "reviewed_share": round(float(rng.uniform(0.5, 0.7)), 3),
        "open_share": round(float(rng.uniform(0.04, 0.08)), 3),
    }
    return Variation(config, spellings, data, style(rng, _SECTIONS, _COMMENTS))


def card(variation: Variation, rng: np.random.Generator) -> dict[str, Any]:
    """The model card, from policy: what was agreed on before any run."""
    return {
        "model": "seam network",
        "owner": pick(rng, ("joining-quality", "line-vision", "cell-4")),
        "version": f"{rng.integers(1, 4)}.{rng.integers(0, 20)}",
        "purpose": "Name the defect at every photographed spot of a fillet weld.",
        "primary_metric": {
            "name": "f1",
            "definition": "mean of the F1 of the five classes, first answer, over all pictures",
        },
        "classes": "five names, numbered as in catalogue.csv",
        "label": {
            "column": "inspector_class",
            "definition": "what the inspector found; grade 1 and above counts, grade 0 is within tolerance and sound",
            "not_used": "pictures without an inspection",
        },
        "split_policy": "Coils are drawn at random; all parts and pictures of a coil are in one split.",
        "inputs": {
            "pictures": "14 rows by 10 columns and a margin of 2; lights above and below; seam along the columns",
            "margin": "belongs to the review tool; what it paints there is not known on the line",
            "framed_row": "where the inspector moved the frame to; not known on the line",
            "prepared": "ten rows around the seam, counts a millisecond above dark, levelled by station and light",
            "on_the_line": "exposure in microseconds, seam row counted from the lower edge, one file a light",
        },
        "augmentation": "training only: mirrored along the seam (toes differ), moved, relit, a small square blanked",
        "training_ranges": {
            "optimizer": ["adam", "adamw", "sgd"],
            "learning_rate": {"adam": [5e-4, 2e-2], "adamw": [5e-4, 2e-2], "sgd": [1e-2, 5e-1]},
            "epochs": [6, 30],
            "weight_decay_max": 1e-3,
            "averaging_max": 0.99,
            "shift_max": 2,
            "relight_max": 0.2,
            "erase_max": 3,
        },
        "network": {"kernel": [3, 5], "stride": [1, 1], "norm_momentum": [0.05, 0.3], "trained_layers": "all"},
        "export_version": pick(rng, ("review 3.1", "review 3.2", "review 2.9")),
        "last_reviewed": pick(rng, ("2025-11-03", "2025-12-15", "2026-01-12", "2024-06-18")),
    }


PROJECT = Project(
    id="weld_defects",
    kind="image",
    model="convolutional network",
    dataset="seam pictures",
    metric=Metric("f1", macro_f1, majority(macro_f1), 1.0),
    dialect=DIALECT,
    slots=SLOTS,
    vary=vary,
    generate=generate,
    card=card,
    template=Path(__file__).parent / "template",
    shared=("tracking.py", "logstyles.py", "engine.py", "dataset_report.py", "scores.py"),
)
