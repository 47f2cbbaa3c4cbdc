"""The tasks, the words that every episode starts with, and the choice of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args
from weakref import WeakKeyDictionary

from mlops_debugger import seeds
from mlops_debugger.bank import Bank
from mlops_debugger.bank.records import Split, Tier
from mlops_debugger.errors import EpisodeError

TASKS: Mapping[str, str] = {
    "easy": "Runs whose evidence is loud.",
    "medium": "Runs whose evidence has to be put together.",
    "hard": "Runs that look plausible, or point elsewhere.",
    "mixed": "Runs of every difficulty.",
}
SPLITS: tuple[str, ...] = get_args(Split)
TIERS: tuple[str, ...] = get_args(Tier)

TASK_DESCRIPTION = """\
A model was trained; its run may have a fault. Investigate the artifacts, find the root cause, propose a fix.
Some runs are healthy.

ACTIONS (each costs a step, bad input too)
read_config | read_logs [log_filter: keyword or epoch:1-5] | check_dataset_stats | inspect_preprocessing
read_eval_results | run_sanity_check: sanity_check_type
query_artifact: artifact_name, [field_path: optimizer.learning_rate; in train.log epoch.3 or val_loss;
  in preprocessing.py a function or constant]
submit_diagnosis: failure_category, root_cause_file, root_cause_field, proposed_fix, diagnosis (words).
  No fault found: diagnosis alone.

CATEGORIES: the category follows the edited line, not the symptom
config_error: optimiser, schedule, batch or training value
data_leakage: validation, test, future or target information gets into training
evaluation_bug: right model and data, wrong reported number
preprocessing_bug: features transformed wrongly or differently between splits
label_mismatch: wrong label values, ids, alignment or definition
architecture_bug: changes the function computed or what can learn

root_cause_field: the config key; in code the function, call, keyword, variable or constant on the wrong line.

FIX: one of these forms or both; prose is refused
config.yaml: optimizer.learning_rate = 0.001
preprocessing.py:
- scaler.fit(features)
+ scaler.fit(features[train_rows])
Config edits: one a line; also add path = value, remove path. Patch: '-' and context lines (leading space) must match
exactly once; at most 12 changed lines. A unified diff is read too. A fix that does not apply is sent back.

SCORE, at the end: category 0.15, file 0.10 (both only if field or fix scores a quarter), field 0.30, fix 0.45. The fix
is applied and the model trained again: full if the harm is gone on three seeds, half if half of it is; halved for
every needless edit. Healthy run: 1 for no fault found, else 0. No fault found on a fault: 0.
"""


# Ordering a pool hashes every id of it, 2 ms for the starter bank's train split, and every connection has a selector.
_POOLS: WeakKeyDictionary[Bank, dict[tuple[str, str, bool | None], tuple[str, ...]]] = WeakKeyDictionary()


class Selector:
    """Chooses scenarios from a bank; equal arguments give equal scenarios. Those of one bank share their pools."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._pools = _POOLS.setdefault(bank, {})

    def pool(self, *, task_id: str, split: str, controls: bool | None = None) -> tuple[str, ...]:
        """The scenario ids of a task and split, in an order that tells nothing; `controls` keeps or drops those.

        Raises `EpisodeError` for unknown names and where the bank has none.
        """
        check_task(task_id)
        key = (task_id, check_split(split), controls)
        if key not in self._pools:
            tier = task_id if task_id in TIERS else None
            entries = self._bank.select(split=split, tier=tier, controls=controls)
            ids = (entry.scenario_id for entry in entries)
            self._pools[key] = tuple(sorted(ids, key=lambda name: seeds.derive("order", name)))
        if not self._pools[key]:
            raise EpisodeError(f"the bank has no scenario for task {task_id} in split {split}: choose another")
        return self._pools[key]

    def select(
        self,
        *,
        seed: int,
        task_id: str = "mixed",
        split: str | None = None,
        index: int | None = None,
        controls: bool | None = None,
    ) -> str:
        """The scenario at `index`, else one drawn uniformly by `seed`; from train unless a split is named.

        Raises `EpisodeError` for values out of range.
        """
        split = split or "train"
        pool = self.pool(task_id=task_id, split=split, controls=controls)
        if index is None:
            return pool[seeds.derive("select", task_id, split, check_seed(seed)) % len(pool)]
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(pool):
            raise EpisodeError(f"expected index to be 0 to {len(pool) - 1} in split {split}, found {_short(index)}")
        return pool[index]


def check_task(task_id: str) -> str:
    """The task id, if there is such a task; raises `EpisodeError`."""
    if not isinstance(task_id, str) or task_id not in TASKS:
        raise EpisodeError(f"expected task_id to be one of {', '.join(TASKS)}, found {_short(task_id)}")
    return task_id


def check_split(split: str) -> str:
    """The split, if there is such a one; raises `EpisodeError`."""
    if split not in SPLITS:
        raise EpisodeError(f"expected split to be one of {', '.join(SPLITS)}, found {_short(split)}")
    return split


def check_seed(seed: int) -> int:
    """The seed, if it is one; raises `EpisodeError`."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise EpisodeError(f"expected seed to be a whole number from 0 to 2**63 - 1, found {_short(seed)}")
    return seed


def _short(value: object) -> str:
    # A huge int cannot be written in decimal at all.
    return f"{value!r:.80}" if not isinstance(value, int) or abs(value) < 2**64 else "a number of more than 64 bits"
