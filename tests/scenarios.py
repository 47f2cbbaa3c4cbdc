"""Hand-made scenarios for tests of reading and answering alone: no run stands behind them."""

from __future__ import annotations

from typing import Any

from mlops_debugger.bank import Answer, Figures, Scenario, SeedProof
from mlops_debugger.contract import ARTIFACTS, SANITY_CHECKS, ArtifactMeta

CONFIG = """\
# nightly retraining
optimizer:
  name: adam
  learning_rate: 1e-3
  betas: [0.9, 0.999]
model:
  hidden: [64, 32]
  dropout.rate: 0.1
trainer: {epochs: 3, batch_size: 128}
started: 2026-03-14
"""

LOG = """\
2026-03-14 09:12:00,001 INFO pipeline: rows=8000 columns=12
2026-03-14 09:12:01,010 INFO engine: training starts device=cpu
2026-03-14 09:12:05,123 INFO engine: epoch=1/3 step=40 train_loss=0.9312 val_loss=0.91 val_macro_f1=0.41 lr=0.001
2026-03-14 09:12:06,000 WARNING py.warnings: overflow encountered in exp
  return 1 / (1 + np.exp(-x))
2026-03-14 09:12:07,123 INFO engine: epoch=2/3 step=80 train_loss=nan val_loss=nan val_macro_f1=0.21 lr=0.001
2026-03-14 09:12:09,123 INFO engine: epoch=3/3 step=120 train_loss=0.5312 val_loss=0.61 val_macro_f1=0.71 lr=0.0005
2026-03-14 09:12:10,500 ERROR pipeline: export failed
Traceback (most recent call last):
  File "pipeline.py", line 12, in main
ValueError: no such column
"""

CODE = '''\
"""Prepare the data."""

import numpy as np

TARGET = "churn"
LIMITS: tuple[int, int] = (0, 1)
LOW, HIGH = LIMITS


def load(path):
    frame = read(path)

    def clean(row):
        return row

    return [clean(row) for row in frame]


class Scaler:
    epsilon = 1e-6

    @property
    def width(self):
        return self.high - self.low

    def fit(self, values):
        self.low, self.high = np.min(values), np.max(values)
        return self


def build(values):
    scaler = Scaler().fit(values)
    return scaler
'''

STATS = """\
{"splits": {"train": {"rows": 5600, "classes": {"no": 0.8, "yes": 0.2}}, "test": {"rows": 1200, "classes": {}}},
 "features": [{"name": "age", "mean": 41.5}, {"name": "income", "mean": NaN}]}
"""

EVAL = '{"metrics": {"val_accuracy": 0.81, "test_accuracy": 0.79}, "checkpoint": {"epoch": 3}}'
CARD = '{"name": "churn model", "intended": {"metric": "macro_f1"}, "owners": ["ana", "bo"]}'

ARTIFACT_TEXTS = {
    "config.yaml": CONFIG,
    "train.log": LOG,
    "dataset_stats.json": STATS,
    "preprocessing.py": CODE,
    "eval_results.json": EVAL,
    "model_card.json": CARD,
}
DIALECT = {"learning_rate": "optimizer.learning_rate", "betas": "optimizer.betas", "batch_size": "trainer.batch_size"}

GOLD_FIX = "config.yaml: optimizer.learning_rate = 0.01"


def figures(skill: float) -> Figures:
    return Figures(
        crashed=False,
        finite=True,
        actual=skill,
        live=skill,
        reported={"validation": skill, "test": skill},
        recomputed={"validation": skill, "test": skill},
        split_sizes={"validation": 1200, "test": 1200},
        class_shares={"validation": [0.8, 0.2], "test": [0.8, 0.2]},
        epochs=3,
        parameters=2000,
    )


def scenario(
    name: str = "s0", *, control: bool = False, tier: str = "easy", split: str = "train", **changes: Any
) -> Scenario:
    """A fault in the learning rate, or a healthy control that looks the same."""
    record: dict[str, Any] = {
        "scenario_id": name,
        "run_id": f"run-{name}",
        "project": "loan_outcomes",
        "fault": None if control else "secretfault",
        "site": None if control else "secretsite",
        "base_seed": 7,
        "split": split,
        "tier": tier,
        "difficulty": 0.2,
        "difficulty_parts": {"harm": 0.2},
        "silent": False,
        "run_summary": {"model": "mlp", "dataset": "accounts", "final_loss": 0.53, "status": "completed"},
        "artifact_meta": tuple(
            ArtifactMeta(name=item, description="an artifact", size_hint="9 lines", last_modified="2026-03-14T09:12:10")
            for item in ARTIFACTS
        ),
        "artifacts": ARTIFACT_TEXTS,
        "findings": {
            check: {"verdict": "pass", "statistic": "gap", "value": 0.1, "n": 3, "worst": [{"name": "age", "value": 1}]}
            for check in SANITY_CHECKS
            if check != "gradient_norms"
        },
        "twin_artifacts": {} if control else {**ARTIFACT_TEXTS, "config.yaml": CONFIG.replace("1e-3", "0.01")},
        "twin_findings": {},
        "answers": ()
        if control
        else (
            Answer(
                categories=("config_error",),
                file="config.yaml",
                field="optimizer.learning_rate",
                names={"optimizer.learning_rate": 1.0, "learning_rate": 1.0},
            ),
        ),
        "gold_fix": "" if control else GOLD_FIX,
        "sentence": "" if control else "secretsentence",
        "gold_touches": 0 if control else 1,
        "data": {},
        "spellings": {},
        "run_seeds": (1, 2, 3),
        "started_at": "2026-03-14T09:12:00",
        "sigma": 0.002,
        "proofs": ()
        if control
        else tuple(SeedProof(healthy=figures(0.8), broken=figures(0.4), harm=0.4) for _ in range(3)),
    }
    return Scenario.model_validate({**record, **changes})
