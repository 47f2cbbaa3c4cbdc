"""Ticket routing: four queues from texts in which a negation turns the meaning round, split by customer; accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlops_debugger.projects import Metric, Project, Slot, Variation, accuracy, majority
from mlops_debugger.projects._choices import pick, style, training_choices
from mlops_debugger.projects.ticket_routing.data import generate

DIALECT = {
    "training.seed": "experiment.random_state",
    "data.label_column": "dataset.target",
    "data.group_column": "dataset.customer_key",
    "data.text_fields": "dataset.fields",
    "data.validation_share": "dataset.val_fraction",
    "data.test_share": "dataset.test_fraction",
    "data.split_seed": "dataset.split_state",
    "tokenizer.max_words": "tokenizer.max_words",
    "tokenizer.min_count": "tokenizer.min_count",
    "tokenizer.max_length": "tokenizer.max_length",
    "tokenizer.truncation_side": "tokenizer.truncate",
    "model.embedding_dim": "net.embedding_dim",
    "model.filters": "net.filters",
    "model.window": "net.window",
    "model.activation": "net.activation",
    "model.pooling": "net.pooling",
    "model.dropout": "net.dropout",
    "model.freeze": "net.frozen",
    "optimizer.name": "optim.kind",
    "optimizer.learning_rate": "optim.lr",
    "optimizer.weight_decay": "optim.weight_decay",
    "optimizer.momentum": "optim.momentum",
    "scheduler.name": "lr_schedule.kind",
    "scheduler.step_size": "lr_schedule.every",
    "scheduler.gamma": "lr_schedule.gamma",
    "scheduler.warmup_steps": "lr_schedule.warmup",
    "training.epochs": "trainer.max_epochs",
    "training.batch_size": "trainer.batch_size",
    "training.accumulate": "trainer.accumulate",
    "training.grad_clip": "trainer.clip_norm",
    "training.ema_decay": "trainer.ema",
    "training.label_smoothing": "trainer.label_smoothing",
    "checkpoint.monitor": "ckpt.monitor",
    "checkpoint.mode": "ckpt.mode",
    "evaluation.split": "eval.split",
    "evaluation.checkpoint": "eval.weights",
    "evaluation.top_k": "eval.top_k",
    "evaluation.batch_size": "eval.batch_size",
}

SLOTS = (
    Slot(
        "stop_words",
        (
            'STOP_WORDS = {"a", "and", "in", "it", "of", "on", "the", "this", "to", "with"}',
            'STOP_WORDS = frozenset("a and in it of on the this to with".split())',
        ),
    ),
    Slot(
        "distinct_rows",
        (
            '    return ordered.drop_duplicates(subset=["subject", "body"]).reset_index(drop=True)',
            '    return ordered[~ordered.duplicated(subset=["subject", "body"])].reset_index(drop=True)',
        ),
    ),
    Slot(
        "labelled_rows",
        (
            "    handled = frame.dropna(subset=[label])\n    return handled.reset_index(drop=True)",
            "    handled = frame[frame[label].notna()]\n    return handled.reset_index(drop=True)",
        ),
    ),
    Slot(
        "split_rows",
        (
            '    return {"train": train, "validation": rest[validation], "test": rest[test]}',
            "    return dict(train=train, validation=rest[validation], test=rest[test])",
        ),
    ),
    Slot(
        "evaluation_words",
        (
            "    return [words_of(line.lower()) for line in texts]",
            "    return [words_of(line) for line in map(str.lower, texts)]",
        ),
    ),
    Slot(
        "serving_words",
        (
            "    return [words_of(request.lower()) for request in requests]",
            "    return [words_of(request) for request in map(str.lower, requests)]",
        ),
    ),
    Slot(
        "evaluation_vocabulary",
        (
            "    known = encoder.vocabulary\n    return {word: place for place, word in enumerate(known)}",
            "    known = encoder.vocabulary\n    return dict(zip(known, range(len(known))))",
        ),
    ),
    Slot(
        "serving_vocabulary",
        (
            "    stored = encoder.vocabulary\n    return {word: index for index, word in enumerate(stored)}",
            "    stored = encoder.vocabulary\n    return dict(zip(stored, range(len(stored))))",
        ),
    ),
    Slot(
        "training_labels",
        (
            "    return names.map(queue_ids).to_numpy(), queue_ids",
            "    return np.array([queue_ids[name] for name in names]), queue_ids",
        ),
    ),
    Slot(
        "evaluation_targets",
        (
            "    return frame[label].map(encoder.queue_ids).to_numpy()",
            "    return np.array([encoder.queue_ids[name] for name in frame[label]])",
        ),
    ),
    Slot(
        "evaluation_order",
        ("    return np.arange(count)", "    return np.array(range(count))"),
    ),
    Slot(
        "decode",
        (
            "    names = {position: name for name, position in encoder.queue_ids.items()}\n"
            "    return [names[int(position)] for position in positions]",
            "    names = sorted(encoder.queue_ids, key=encoder.queue_ids.get)\n"
            "    return [names[int(position)] for position in positions]",
        ),
    ),
)

_SECTIONS = ("experiment", "dataset", "tokenizer", "net", "optim", "lr_schedule", "trainer", "ckpt", "eval")
_COMMENTS = {
    "dataset": ("nightly export of the service desk", "one line per ticket"),
    "tokenizer": ("lower case, letters and digits", "mails carry quoted text at their head"),
    "net": ("has to answer within a few milliseconds", "agreed with the platform team"),
    "optim": ("from the autumn sweep",),
    "eval": ("goes to the desk leads on Mondays",),
}


def vary(rng: np.random.Generator) -> Variation:
    """Twenty or more independent healthy choices."""
    config = training_choices(
        rng, rates={"adam": (0.024, 0.034), "adamw": (0.024, 0.034)}, epochs=(7, 8), batches=(52, 56, 60)
    )
    config |= {
        "training.seed": int(rng.integers(1, 10_000)),
        "data.split_seed": int(rng.integers(1, 1000)),
        "data.label_column": "queue",
        "data.group_column": "customer_id",
        "data.text_fields": pick(rng, (["subject", "body"], ["body", "subject"])),
        "data.validation_share": pick(rng, (0.22, 0.23, 0.24)),
        "data.test_share": pick(rng, (0.27, 0.28, 0.29)),
        "tokenizer.max_words": pick(rng, (1200, 1500, 2000)),
        "tokenizer.min_count": pick(rng, (2, 3)),
        "tokenizer.max_length": int(rng.integers(18, 22)),
        "tokenizer.truncation_side": "left",
        "model.embedding_dim": pick(rng, (10, 12, 14)),
        "model.filters": pick(rng, (28, 32, 36)),
        "model.window": pick(rng, (3, 3, 4)),
        "model.activation": pick(rng, ("relu", "gelu", "silu")),
        "model.pooling": "max",
        "model.dropout": pick(rng, (0.05, 0.06, 0.08)),
        "training.label_smoothing": pick(rng, (0.06, 0.07, 0.08)),
        "scheduler.name": pick(rng, ("cosine", "step")),
        "scheduler.step_size": int(rng.integers(5, 7)),
        "scheduler.gamma": pick(rng, (0.1, 0.15)),
        "training.ema_decay": pick(rng, (0.94, 0.95, 0.96)),
        "checkpoint.mode": "min" if config["checkpoint.monitor"] == "val_loss" else "max",
        "evaluation.top_k": 1,
        "evaluation.batch_size": pick(rng, (256, 512, 1024)),
    }
    spellings = {slot.name: int(rng.integers(len(slot.spellings))) for slot in SLOTS}
    data = {
        "customers": int(rng.integers(1480, 1560)),
        "managed_share": round(float(rng.uniform(0.11, 0.15)), 3),
        "vague_share": round(float(rng.uniform(0.15, 0.23)), 3),
        "slip_share": round(float(rng.uniform(0.015, 0.035)), 3),
        "again_share": round(float(rng.uniform(0.5, 0.56)), 3),
        "open_share": round(float(rng.uniform(0.19, 0.25)), 3),
        "noted_share": round(float(rng.uniform(0.5, 0.65)), 3),
    }
    return Variation(config, spellings, data, style(rng, _SECTIONS, _COMMENTS))


def card(variation: Variation, rng: np.random.Generator) -> dict[str, Any]:
    """The model card, from policy: what was agreed on before any run."""
    return {
        "model": "ticket router",
        "owner": pick(rng, ("service-desk-ml", "support-automation", "language-team")),
        "version": f"{rng.integers(2, 7)}.{rng.integers(0, 10)}",
        "purpose": "Send every new ticket to the queue that will solve it, before a person has read it.",
        "primary_metric": {"name": "accuracy", "top_k": 1, "why": "the desk sends a ticket to one queue"},
        "classes": ["self_help", "general", "specialist", "escalation"],
        "label": {"column": "queue", "definition": "the queue that solved the ticket; open tickets have none yet"},
        "split_policy": (
            "A customer belongs to exactly one split, and a text that was sent more than once counts once. "
            "Test tickets are scored once, with the selected checkpoint."
        ),
        "inputs": {
            "fields": "what the customer wrote: subject and body",
            "known_at_prediction": "everything except queue, first_queue and routing_note",
            "text": "lower case, words of letters and digits, a short stop list of function words",
            "length": "long enough for the customer's own words; quoted mail at the head may be cut",
        },
        "training_ranges": {
            "optimizer": ["adam", "adamw", "sgd"],
            "learning_rate": {"adam": [5e-4, 2e-2], "adamw": [5e-4, 2e-2], "sgd": [5e-2, 2.0]},
            "epochs": [6, 30],
            "vocabulary": [800, 4000],
            "embedding_dim": [8, 64],
            "window": [2, 5],
            "weight_decay_max": 1e-3,
        },
        "encoders": {
            "vocabulary": "built from training tickets, fixed afterwards",
            "version": f"voc-{rng.integers(3, 9)}",
        },
        "dataset_version": pick(rng, ("2025-W30", "2025-W31", "2025-W34")),
        "last_reviewed": pick(rng, ("2025-07-29", "2025-08-19", "2025-09-03")),
    }


PROJECT = Project(
    id="ticket_routing",
    kind="text",
    model="convolution over word embeddings",
    dataset="support tickets",
    metric=Metric("accuracy", accuracy, majority(accuracy), 1.0),
    dialect=DIALECT,
    slots=SLOTS,
    vary=vary,
    generate=generate,
    card=card,
    template=Path(__file__).parent / "template",
    shared=("tracking.py", "logstyles.py", "engine.py", "dataset_report.py", "scores.py"),
)
