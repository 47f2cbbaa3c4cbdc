"""OpenEnv's Task API over a bank: splits, each split by task, and what to pass to reset."""

from __future__ import annotations

from typing import TypedDict

from mlops_debugger.environment import TASKS, Selector
from mlops_debugger.environment.tasks import SPLITS
from mlops_debugger.errors import EpisodeError


class TaskSpec(TypedDict):
    """A task of OpenEnv's Task API: what to pass to reset, and nothing about the scenario."""

    id: str
    split: str
    index: int
    task_id: str


class BankTasks:
    """The Task API of whoever has a selector; its names say nothing about a scenario."""

    _selector: Selector

    def list_splits(self) -> list[dict[str, str]]:
        """The splits, then each by task; those without a scenario are left out."""
        names = [*SPLITS, *(f"{split}/{task}" for split in SPLITS for task in TASKS if task != "mixed")]
        return [{"name": name, "type": name.partition("/")[0]} for name in names if self._count(name)]

    def num_tasks(self, split: str) -> int:
        name, task = split_and_task(split, None)
        return len(self._selector.pool(split=name or "train", task_id=task))

    def get_task(self, split: str, index: int) -> TaskSpec:
        """Raises `IndexError` out of range, as the Task API wants."""
        if not 0 <= index < self.num_tasks(split):
            raise IndexError(f"expected an index from 0 to {self.num_tasks(split) - 1} in split {split}, found {index}")
        return self.get_task_range(split, index, index + 1)[0]

    def list_tasks(self, split: str) -> list[TaskSpec]:
        return self.get_task_range(split)

    def get_task_range(self, split: str, start: int | None = None, stop: int | None = None) -> list[TaskSpec]:
        """The tasks in [start, stop), bounds read as in a Python slice."""
        _, task = split_and_task(split, None)
        indices = range(self.num_tasks(split))[slice(start, stop)]
        return [TaskSpec(id=f"{split}-{index}", split=split, index=index, task_id=task) for index in indices]

    def _count(self, split: str) -> int:
        try:
            return self.num_tasks(split)
        except EpisodeError:
            return 0


def split_and_task(split: str | None, task_id: str | None) -> tuple[str | None, str]:
    """The bank's split and the task that a split's name and a task's mean together."""
    if not isinstance(split, str):
        return split, task_id or "mixed"
    name, slash, task = split.partition("/")
    if slash and task_id not in (None, task):
        raise EpisodeError(f"split {split!r:.80} names a task, task_id another, {task_id!r:.80}: leave one out")
    return name, task if slash else task_id or "mixed"
