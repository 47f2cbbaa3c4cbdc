"""Address tagging: six tags for the tokens of postal address lines, split by sender; accuracy over tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlops_debugger.projects import Metric, Project, Slot, Variation, accuracy, majority
from mlops_debugger.projects._choices import pick, style, training_choices
from mlops_debugger.projects.address_parts._export import TAGS
from mlops_debugger.projects.address_parts.data import generate

DIALECT = {
    "training.seed": "general.seed",
    "data.label_column": "corpus.tag_column",
    "data.group_column": "corpus.group_by",
    "data.line_fields": "corpus.line_fields",
    "data.validation_share": "corpus.dev_part",
    "data.test_share": "corpus.test_part",
    "data.split_seed": "corpus.shuffle_seed",
    "tokenizer.max_words": "encoder.max_features",
    "tokenizer.min_count": "encoder.min_frequency",
    "model.embedding_dim": "tagger.embedding_size",
    "model.left_context": "tagger.left_context",
    "model.right_context": "tagger.right_context",
    "model.hidden_dims": "tagger.hidden_sizes",
    "model.activation": "tagger.nonlinearity",
    "model.dropout": "tagger.word_dropout",
    "model.freeze": "tagger.fixed",
    "optimizer.name": "trainer.optimizer",
    "optimizer.learning_rate": "trainer.learn_rate",
    "optimizer.weight_decay": "trainer.l2",
    "optimizer.momentum": "trainer.momentum",
    "scheduler.name": "trainer.annealing",
    "scheduler.step_size": "trainer.anneal_every",
    "scheduler.gamma": "trainer.anneal_factor",
    "scheduler.warmup_steps": "trainer.warmup_steps",
    "training.epochs": "trainer.max_epochs",
    "training.batch_size": "trainer.mini_batch_size",
    "training.accumulate": "trainer.mini_batches_per_update",
    "training.grad_clip": "trainer.clip",
    "training.ema_decay": "trainer.ema",
    "training.label_smoothing": "trainer.smoothing",
    "checkpoint.monitor": "trainer.select_by",
    "checkpoint.mode": "trainer.select_mode",
    "evaluation.split": "scorer.part",
    "evaluation.checkpoint": "scorer.weights",
    "evaluation.top_k": "scorer.top_k",
    "evaluation.min_confidence": "scorer.min_confidence",
    "evaluation.batch_size": "scorer.batch_size",
}

SLOTS = (
    Slot(
        "distinct_rows",
        (
            "    for line in lines:\n        seen.setdefault(line.address, line)",
            "    for line in lines:\n        seen[line.address] = seen.get(line.address, line)",
        ),
    ),
    Slot(
        "labelled_rows",
        (
            "    return [line for line in lines if getattr(line, tag_column)]",
            '    return [line for line in lines if getattr(line, tag_column) != ""]',
        ),
    ),
    Slot(
        "split_rows",
        (
            '    return {"train": train, "validation": dev, "test": test}',
            "    return dict(train=train, validation=dev, test=test)",
        ),
    ),
    Slot(
        "evaluation_shapes",
        (
            "    words, shapes = list(map(word_of, tokens)), list(map(shape_of, tokens))",
            "    words, shapes = [word_of(token) for token in tokens], [shape_of(token) for token in tokens]",
        ),
    ),
    Slot(
        "serving_tokens",
        (
            "    incoming = tokens_of(line)",
            "    incoming = list(tokens_of(line))",
        ),
    ),
    Slot(
        "serving_shapes",
        (
            "    written = [shape_of(token) for token in incoming]",
            "    written = list(map(shape_of, incoming))",
        ),
    ),
    Slot(
        "serving_words",
        (
            "    spoken = [word_of(token) for token in incoming]",
            "    spoken = list(map(word_of, incoming))",
        ),
    ),
    Slot(
        "evaluation_vocabulary",
        (
            "    known = codebook.features\n    return {name: place for place, name in enumerate(known)}",
            "    known = codebook.features\n    return dict(zip(known, range(len(known))))",
        ),
    ),
    Slot(
        "serving_vocabulary",
        (
            "    stored = codebook.features\n    return {name: index for index, name in enumerate(stored)}",
            "    stored = codebook.features\n    return dict(zip(stored, range(len(stored))))",
        ),
    ),
    Slot(
        "training_labels",
        (
            "        found[row, 1 : len(named) + 1] = named",
            "        found[row, 1:][: len(named)] = named",
        ),
    ),
    Slot(
        "evaluation_targets",
        (
            "        found[row, 1 : len(given) + 1] = [tag_ids[tag] for tag in given]",
            "        found[row, 1 : len(given) + 1] = list(map(tag_ids.get, given))",
        ),
    ),
    Slot(
        "scored_positions",
        (
            "    return targets != NO_TAG",
            "    return ~(targets == NO_TAG)",
        ),
    ),
    Slot(
        "evaluation_order",
        ("    return np.arange(count)", "    return np.array(range(count))"),
    ),
    Slot(
        "decode",
        (
            "    names = {position: tag for tag, position in codebook.tag_ids.items()}\n"
            "    return [names[int(position)] for position in positions]",
            "    names = sorted(codebook.tag_ids, key=codebook.tag_ids.get)\n"
            "    return [names[int(position)] for position in positions]",
        ),
    ),
)

_SECTIONS = ("general", "corpus", "encoder", "tagger", "trainer", "scorer")
_COMMENTS = {
    "corpus": ("weekly export of the labelling tool", "a line each, tokens are separated by blanks"),
    "encoder": ("words, shapes, places and line fields share one list",),
    "tagger": ("runs on the sorter's own computer", "a label has to be read in two milliseconds"),
    "trainer": ("settings of the spring comparison", "a laptop is enough"),
    "scorer": ("numbers go to the depot meeting",),
}


def vary(rng: np.random.Generator) -> Variation:
    """Twenty or more independent healthy choices."""
    config = training_choices(
        rng, rates={"adam": (0.013, 0.017), "adamw": (0.013, 0.017)}, epochs=(6, 7), batches=(22, 24, 26)
    )
    config |= {
        "training.seed": int(rng.integers(1, 10_000)),
        "data.split_seed": int(rng.integers(1, 1000)),
        "data.label_column": "tags",
        "data.group_column": "sender",
        "data.line_fields": ["country"],
        "data.validation_share": pick(rng, (0.23, 0.24, 0.25)),
        "data.test_share": pick(rng, (0.27, 0.28, 0.29)),
        "tokenizer.max_words": pick(rng, (1200, 1500, 2000)),
        "tokenizer.min_count": 2,
        "model.embedding_dim": pick(rng, (14, 15, 16)),
        "model.left_context": 2,
        "model.right_context": pick(rng, (2, 2, 3)),
        "model.hidden_dims": pick(rng, ([28], [30], [32])),
        "model.activation": pick(rng, ("relu", "gelu", "silu")),
        "model.dropout": pick(rng, (0.22, 0.24, 0.26)),
        "training.label_smoothing": pick(rng, (0.0, 0.02, 0.03)),
        "scheduler.name": pick(rng, ("cosine", "step")),
        "scheduler.step_size": pick(rng, (4, 5)),
        "scheduler.gamma": pick(rng, (0.2, 0.25)),
        "scheduler.warmup_steps": pick(rng, (0, 5, 10)),
        "training.grad_clip": pick(rng, (0.0, 10.0, 20.0)),
        "training.ema_decay": pick(rng, (0.97, 0.975, 0.98)),
        "checkpoint.mode": "min" if config["checkpoint.monitor"] == "val_loss" else "max",
        "evaluation.top_k": 1,
        "evaluation.min_confidence": 0.0,
        "evaluation.batch_size": pick(rng, (100, 256, 512)),
    }
    spellings = {slot.name: int(rng.integers(len(slot.spellings))) for slot in SLOTS}
    data = {
        "senders": int(rng.integers(182, 192)),
        "odd_share": round(float(rng.uniform(0.39, 0.44)), 3),
        "slip_share": round(float(rng.uniform(0.03, 0.05)), 3),
        "again_share": round(float(rng.uniform(0.55, 0.6)), 3),
        "untagged_share": round(float(rng.uniform(0.05, 0.09)), 3),
    }
    return Variation(config, spellings, data, style(rng, _SECTIONS, _COMMENTS))


def card(variation: Variation, rng: np.random.Generator) -> dict[str, Any]:
    """The model card, from policy: what was agreed on before any run; in a quarter of the runs a little out of date."""
    stale = rng.random() < 0.25
    return {
        "model": "address tagger",
        "owner": "parcel-reading (until 2024: depot tools)" if stale else pick(rng, ("label-reading", "sorting-ml")),
        "version": f"{rng.integers(1, 5)}.{rng.integers(0, 12)}",
        "purpose": "Say of every token of an address line which part of the address it belongs to.",
        "primary_metric": {
            "name": "accuracy",
            "top_k": 1,
            "over": "every tagged token of the part, sure or not; padding is no token",
        },
        "classes": list(TAGS),
        "label": {
            "column": "tags",
            "definition": "tags of the second scheme: units apart from house numbers, regions apart from cities",
            "encoder": "position in the list of classes, in that order, one tag for each token",
        },
        "split_policy": (
            "A sender belongs to exactly one part, since senders have layouts of their own, and an address that was "
            "scanned more than once counts once. Test lines are scored once, with the selected weights."
        ),
        "inputs": {
            "token": "word (small letters, digits as zeros), shape (capitals and digits as written), place in the line",
            "line": ["country"],
            "known_at_prediction": "everything except sort_plan and tags, which are filled in after sorting",
            "context": "some tokens on both sides",
        },
        "training_ranges": {
            "optimizer": ["adam", "adamw", "sgd"],
            "learning_rate": {"adam": [1e-3, 3e-2], "adamw": [1e-3, 3e-2], "sgd": [5e-2, 1.0]},
            "epochs": [6, 30],
            "features": [800, 4000],
            "embedding_size": [12, 48],
            "weight_decay_max": 1e-3,
        },
        "dataset_version": "export-2024-11" if stale else pick(rng, ("export-2025-36", "export-2025-37")),
        "last_reviewed": "2024-10-30" if stale else pick(rng, ("2025-09-02", "2025-09-16", "2025-10-01")),
    }


PROJECT = Project(
    id="address_parts",
    kind="text",
    model="window tagger over summed feature embeddings",
    dataset="postal address lines",
    metric=Metric("accuracy", accuracy, majority(accuracy), 1.0),
    dialect=DIALECT,
    slots=SLOTS,
    vary=vary,
    generate=generate,
    card=card,
    template=Path(__file__).parent / "template",
    shared=("tracking.py", "logstyles.py", "engine.py", "dataset_report.py", "scores.py"),
)
