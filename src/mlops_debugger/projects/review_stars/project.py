"""Review stars: five classes from titles and texts, attention pooling under a mask, split by reviewer; macro F1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlops_debugger.projects import Metric, Project, Slot, Variation, macro_f1, majority
from mlops_debugger.projects._choices import pick, style, training_choices
from mlops_debugger.projects.review_stars.data import generate

DIALECT = {
    "data.label_column": "data_args.label_column",
    "data.text_fields": "data_args.text_columns",
    "data.group_column": "data_args.split_column",
    "data.split_seed": "data_args.split_salt",
    "data.validation_share": "data_args.validation_split",
    "data.test_share": "data_args.test_split",
    "tokenizer.max_words": "tokenizer.vocab_size",
    "tokenizer.min_count": "tokenizer.min_frequency",
    "tokenizer.model_max_length": "tokenizer.model_max_length",
    "model.embedding_dim": "model_args.hidden_size",
    "model.heads": "model_args.num_attention_heads",
    "model.context_words": "model_args.context_words",
    "model.feedforward_dim": "model_args.intermediate_size",
    "model.activation": "model_args.hidden_act",
    "model.positions": "model_args.position_embedding_type",
    "model.dropout": "model_args.hidden_dropout_prob",
    "model.freeze": "model_args.frozen_modules",
    "training.seed": "training_args.seed",
    "optimizer.name": "training_args.optim",
    "optimizer.learning_rate": "training_args.learning_rate",
    "optimizer.weight_decay": "training_args.weight_decay",
    "optimizer.momentum": "training_args.sgd_momentum",
    "scheduler.name": "training_args.lr_scheduler_type",
    "scheduler.step_size": "training_args.lr_step_every",
    "scheduler.gamma": "training_args.lr_gamma",
    "scheduler.warmup_steps": "training_args.warmup_steps",
    "training.epochs": "training_args.num_train_epochs",
    "training.batch_size": "training_args.per_device_train_batch_size",
    "training.accumulate": "training_args.gradient_accumulation_steps",
    "training.grad_clip": "training_args.max_grad_norm",
    "training.ema_decay": "training_args.ema_decay",
    "training.label_smoothing": "training_args.label_smoothing_factor",
    "checkpoint.monitor": "training_args.metric_for_best_model",
    "checkpoint.mode": "training_args.best_model_mode",
    "evaluation.split": "training_args.eval_split",
    "evaluation.checkpoint": "training_args.eval_checkpoint",
    "evaluation.batch_size": "training_args.per_device_eval_batch_size",
}

SLOTS = (
    Slot(
        "stamp_pattern",
        (
            'STAMP = re.compile(r"^rated \\d+ of 10: ?", re.IGNORECASE)',
            'STAMP = re.compile(r"^[Rr]ated [0-9]+ of 10: ?")',
        ),
    ),
    Slot(
        "star_edges",
        ("EDGES = [4, 6, 8, 10]", "EDGES = (4, 6, 8, 10)"),
    ),
    Slot(
        "distinct_rows",
        (
            "    return dated[~pd.Index(keys).duplicated()].reset_index(drop=True)",
            "    return dated[~pd.Series(keys, index=dated.index).duplicated()].reset_index(drop=True)",
        ),
    ),
    Slot(
        "labelled_rows",
        (
            "    rated = frame.dropna(subset=[label])\n    return rated.reset_index(drop=True)",
            "    rated = frame[frame[label].notna()]\n    return rated.reset_index(drop=True)",
        ),
    ),
    Slot(
        "serving_words",
        (
            "    return [tokenizer.words([part.lower() for part in request]) for request in requests]",
            "    return [tokenizer.words(list(map(str.lower, request))) for request in requests]",
        ),
    ),
    Slot(
        "evaluation_mask",
        (
            "    mask = np.array([[place < len(each) for place in range(tokenizer.max_length)] for each in encoded],"
            " dtype=np.int64)",
            "    mask = np.zeros_like(input_ids)\n"
            "    for row, each in enumerate(encoded):\n"
            "        mask[row, : len(each)] = 1",
        ),
    ),
    Slot(
        "serving_ids",
        (
            '    padded = tokenizer.pad(encoded, side="right")',
            '    padded = tokenizer.pad(encoded, "right")',
        ),
    ),
    Slot(
        "serving_mask",
        (
            "    visible = np.arange(tokenizer.max_length) < lengths[:, None]",
            "    visible = np.arange(tokenizer.max_length)[None, :] < lengths.reshape(-1, 1)",
        ),
    ),
    Slot(
        "training_labels",
        (
            "    return np.digitize(half_stars.astype(int), EDGES)",
            '    return np.searchsorted(EDGES, half_stars.astype(int), side="right")',
        ),
    ),
    Slot(
        "evaluation_targets",
        (
            '    return np.searchsorted(EDGES, given, side="right")',
            "    return np.digitize(given, EDGES)",
        ),
    ),
    Slot(
        "scored_rows",
        (
            "    counts = np.array([len(words) - 2 for words in word_lists])\n    return np.flatnonzero(counts > 0)",
            "    counts = np.array([len(words) - 2 for words in word_lists])\n    return np.flatnonzero(counts >= 1)",
        ),
    ),
    Slot(
        "evaluation_order",
        ("    return np.arange(count)", "    return np.array(range(count))"),
    ),
    Slot(
        "headline",
        (
            '        "macro_f1": within(predicted, target, 0),',
            '        "macro_f1": within(predicted, target, steps=0),',
        ),
    ),
    Slot(
        "decode",
        (
            "    return [STARS[int(position)] for position in classes]",
            "    names = dict(enumerate(STARS))\n    return [names[int(position)] for position in classes]",
        ),
    ),
)

_SECTIONS = ("data_args", "tokenizer", "model_args", "training_args")
_COMMENTS = {
    "data_args": ("the shop's nightly export", "partners' copies are in it as well"),
    "tokenizer": ("words, not pieces: the shop writes in one language", "with some room to spare"),
    "model_args": ("small enough for the shop's own machine", "as agreed in the design review"),
    "training_args": ("from the sweep of last spring", "about a minute on a laptop"),
}


def vary(rng: np.random.Generator) -> Variation:
    """Twenty or more independent healthy choices."""
    config = training_choices(
        rng, rates={"adam": (0.022, 0.03), "adamw": (0.022, 0.03)}, epochs=(9, 10), batches=(60, 64, 67, 72)
    )
    config |= {
        "training.seed": int(rng.integers(1, 10_000)),
        "data.split_seed": int(rng.integers(1, 1000)),
        "data.label_column": "half_stars",
        "data.group_column": "reviewer_id",
        "data.text_fields": ["title", "body"],
        "data.validation_share": pick(rng, (0.23, 0.24, 0.25)),
        "data.test_share": pick(rng, (0.28, 0.29, 0.3)),
        "tokenizer.max_words": pick(rng, (1200, 1500, 2000)),
        "tokenizer.min_count": pick(rng, (2, 3)),
        "tokenizer.model_max_length": int(rng.integers(58, 67)),
        "model.embedding_dim": pick(rng, (10, 12, 14)),
        "model.heads": pick(rng, (2, 3, 4)),
        "model.context_words": pick(rng, (2, 2, 3)),
        "model.feedforward_dim": pick(rng, (24, 28, 32)),
        "model.activation": "relu",
        "model.dropout": pick(rng, (0.12, 0.14, 0.16)),
        "training.label_smoothing": pick(rng, (0.04, 0.05, 0.06)),
        "scheduler.name": pick(rng, ("cosine", "step")),
        "scheduler.step_size": int(rng.integers(5, 7)),
        "scheduler.gamma": pick(rng, (0.15, 0.2)),
        "training.ema_decay": pick(rng, (0.96, 0.965, 0.97)),
        "checkpoint.mode": "min" if config["checkpoint.monitor"] == "val_loss" else "max",
        "evaluation.batch_size": pick(rng, (256, 333, 512, 1024)),
    }
    spellings = {slot.name: int(rng.integers(len(slot.spellings))) for slot in SLOTS}
    data: dict[str, Any] = {
        "reviewers": int(rng.integers(1230, 1290)),
        "habit_share": round(float(rng.uniform(0.06, 0.09)), 3),
        "slip_share": round(float(rng.uniform(0.005, 0.015)), 3),
        "brief_share": round(float(rng.uniform(0.3, 0.34)), 3),
        "import_share": round(float(rng.uniform(0.13, 0.18)), 3),
        "reply_share": round(float(rng.uniform(0.35, 0.45)), 3),
        "stamp_share": round(float(rng.uniform(0.55, 0.65)), 3),
        "copy_share": round(float(rng.uniform(0.22, 0.27)), 3),
    }
    return Variation(config, spellings, data, style(rng, _SECTIONS, _COMMENTS, first=0))


def card(variation: Variation, rng: np.random.Generator) -> dict[str, Any]:
    """The model card, from policy: what was agreed on before any run."""
    return {
        "model": "review stars",
        "owner": pick(rng, ("shop-insights", "customer-voice", "marketplace-nlp")),
        "version": f"{rng.integers(1, 5)}.{rng.integers(0, 12)}",
        "purpose": "Give comments that arrive without stars the stars that their writer would have given.",
        "primary_metric": {
            "name": "macro_f1",
            "counts_as_right": "the exact class",
            "scored_on": "every review that has a word in it, short ones too",
        },
        "classes": ["2", "4", "6", "8", "10"],
        "label": {
            "column": "half_stars",
            "definition": "whole stars as half stars, as they stand today: revised stars replace those first posted",
            "missing": "imported comments have none and are left out",
        },
        "split_policy": (
            "By reviewer, from a checksum of the id; a review that partner shops copied counts once, in its first "
            "version. Test reviews are scored once, with the selected checkpoint."
        ),
        "inputs": {
            "columns": "title and body, as the customer wrote them",
            "known_at_prediction": "everything except half_stars, posted_half_stars and seller_reply",
            "text": "lower case; stars that a shop printed in front of the text are taken out",
            "tokens": "[CLS] title [SEP] body, filled up on the right; attention sees words alone",
            "length": "long enough for nearly every review",
        },
        "training_ranges": {
            "optim": ["adam", "adamw"],
            "learning_rate": [1e-3, 3e-2],
            "num_train_epochs": [5, 20],
            "vocab_size": [800, 4000],
            "hidden_size": [8, 64],
            "num_attention_heads": [2, 8],
            "weight_decay_max": 1e-3,
        },
        "encoders": {"vocabulary": "from training reviews, stored with the model"},
        "dataset_version": pick(rng, ("2025-12", "2025-12", "2025-12", "2025-08")),
        "last_reviewed": pick(rng, ("2026-01-12", "2025-12-04", "2025-11-20", "2024-10-02")),
    }


PROJECT = Project(
    id="review_stars",
    kind="text",
    model="attention pooling over word embeddings",
    dataset="product reviews",
    metric=Metric("macro_f1", macro_f1, majority(macro_f1), 1.0),
    dialect=DIALECT,
    slots=SLOTS,
    vary=vary,
    generate=generate,
    card=card,
    template=Path(__file__).parent / "template",
    shared=("tracking.py", "logstyles.py", "engine.py", "dataset_report.py", "scores.py"),
)
