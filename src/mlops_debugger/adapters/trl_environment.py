"""TRL: a class for `GRPOTrainer(environment_factory=…)`. No server is needed.

    trainer = GRPOTrainer(model, train_dataset=rows, args=…, environment_factory=DebuggerEnvironment)

Every public method is a tool (`_tools.Tools`); TRL calls `reset` with a row of the data set before a rollout and
`get_reward` after it. `configured` gives a factory with another bank, split or step limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlops_debugger.adapters._play import BankLike, Play, shared_trials
from mlops_debugger.adapters._tools import Tools
from mlops_debugger.environment.driver import Trainer

PROMPT = "Investigate the training run with the tools, then submit a diagnosis.\n\n"
SELECTION = ("seed", "task_id", "split", "index", "controls")
"""Columns of the data set that choose the episode; all are optional, others are left alone."""


class DebuggerEnvironment(Tools):
    """One rollout at a time; TRL keeps an instance for each rollout of a batch.

    A row's `seed`, `task_id`, `split`, `index` and `controls` choose the episode, as `Session.reset` does. A group of
    rollouts plays the same run only if its row names a `seed`, or a `split` and an `index`.
    """

    def __init__(
        self, bank: BankLike = None, trainer: Trainer | None = None, max_steps: int | None = None, **defaults: Any
    ) -> None:
        super().__init__(Play(bank, trainer, max_steps))
        self._defaults = defaults

    def reset(self, **row: Any) -> str:
        """Open the episode that the row chooses; the text is put after the row's prompt."""
        chosen = {name: row[name] for name in SELECTION if row.get(name) is not None}
        return self._play.reset(**{**self._defaults, **chosen})

    def get_reward(self) -> float | None:
        """The score in [0, 1], 0 without an accepted diagnosis.

        None where a row could not be scored (no trainer, a failure of the machine): TRL then leaves the rollout out.
        """
        return None if self._play.unscored else self._play.score

    @property
    def play(self) -> Play:
        """The episode as the harness sees it. (Not a tool: TRL takes functions alone.)"""
        return self._play


def configured(
    bank: BankLike = None, *, max_steps: int | None = None, trial_workers: int = 1, **defaults: Any
) -> Callable[[], DebuggerEnvironment]:
    """A factory of environments. `defaults` choose episodes where a row does not: `split`, `task_id`, `controls`."""

    def factory() -> DebuggerEnvironment:
        return DebuggerEnvironment(bank, shared_trials(workers=trial_workers).run, max_steps, **defaults)

    return factory


def rows(seeds: range, prompt: str = PROMPT, **selection: Any) -> list[dict[str, Any]]:
    """Rows of a data set, one episode of the train split each; `selection` goes to every reset."""
    return [{"prompt": [{"role": "user", "content": prompt}], "seed": seed, **selection} for seed in seeds]
