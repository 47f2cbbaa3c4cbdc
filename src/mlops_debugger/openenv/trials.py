"""Fix trials off the event loop, and out of its process."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from mlops_debugger.grading import TrialRequest, TrialResult, Trials
from mlops_debugger.grading.apart import TrialsApart

TRIAL_NICE = 10
"""How far trainers stand back. With more trials than processors the median step of other sessions takes 6.6 times as
long where they do not, and 1.6 times where they do; the trials themselves take up to a sixth longer."""


class AsyncTrials:
    """Carries out trials in processes of their own (see `grading.apart`); the event loop goes on meanwhile.

    As many trials run at once as there are `workers`; others wait their turn. They run in the sandbox; what becomes of
    them where there is none, and what `allow_code` means there, is told by `Trials`. `nice` (0 to 19) lets them stand
    back behind everything else on this machine. Use as a context manager.
    """

    def __init__(self, *, workers: int = 1, allow_code: bool = False, nice: int = TRIAL_NICE) -> None:
        self.workers = workers
        self.policy = Trials(workers=workers, allow_code=allow_code).policy
        """What becomes of fixes here, in a sentence for the operator."""
        self._trials = TrialsApart(workers=workers, allow_code=allow_code, nice=nice)
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="trial")

    async def __call__(self, request: TrialRequest) -> TrialResult:
        # Starting the process and sending a scenario takes milliseconds, which the event loop does not have.
        sent = await asyncio.get_running_loop().run_in_executor(self._sender, self._trials.submit, request)
        return await asyncio.wrap_future(sent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers; trials that are not over fail."""
        self._sender.shutdown(wait=False, cancel_futures=True)
        self._trials.close()
