"""Fix trials off the event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from mlops_debugger.grading import TrialRequest, TrialResult, Trials
from mlops_debugger.runs.results import Limits

TRIAL_NICE = 5
"""Trainers give way: where cores are few, a step that takes a fraction of a millisecond goes before a training."""


class AsyncTrials:
    """Carries out trials in warm worker processes, each waited for by a thread; the event loop goes on meanwhile.

    As many trials run at once as there are `workers`; others wait their turn. They run in the sandbox; what becomes of
    them where there is none, and what `allow_code` means there, is told by `Trials`. Use as a context manager.
    """

    def __init__(self, *, workers: int = 1, allow_code: bool = False) -> None:
        self.workers = workers
        self._trials = Trials(workers=workers, allow_code=allow_code, limits=Limits(nice=TRIAL_NICE))
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="trial")

    async def __call__(self, request: TrialRequest) -> TrialResult:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._trials.run, request)

    @property
    def policy(self) -> str:
        """What becomes of fixes here, in a sentence for the operator."""
        return self._trials.policy

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers; trials that wait are dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._trials.close()
