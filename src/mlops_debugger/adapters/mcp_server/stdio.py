"""MCP over standard input and output: one client, which started this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

import anyio
from mcp.server.stdio import stdio_server

from mlops_debugger.adapters.mcp_server.seats import Hall, Start
from mlops_debugger.adapters.mcp_server.server import create_mcp_server
from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.environment.driver import Settings
from mlops_debugger.grading import TrialRequest, TrialResult, Trials
from mlops_debugger.watch import TranscriptLog, Watch

# The client is the only one and may leave its episode for a night: it ends when the client does.
_IDLE_S = float("inf")


def serve_stdio(
    bank_path: Path | str | None = None,
    *,
    start: Start | None = None,
    settings: Settings | None = None,
    trial_workers: int = 1,
    allow_code: bool = False,
    transcripts: Path | None = None,
    tell: Callable[[str], object],
) -> None:
    """Serve the client on standard input and output until it closes its end.

    Fixes are graded as by `openenv.serving.serve`; `transcripts` is a folder that keeps finished episodes as there.
    `tell` is told what becomes of fixes, and must not write to standard output; nothing else can, while this runs:
    whatever does lands on standard error. Raises `BankError`, and `ServingError` for a folder that cannot be used.
    """
    with ExitStack() as held:
        bank = held.enter_context(closing(Bank(bank_path or starter_bank_path())))
        log = held.enter_context(closing(TranscriptLog(transcripts))) if transcripts else None
        incoming, outgoing = held.enter_context(_streams())
        trials = held.enter_context(Trials(workers=trial_workers, allow_code=allow_code))
        tell(trials.policy)
        anyio.run(_serve, bank, trials, trial_workers, settings, start, log, incoming, outgoing)


async def _serve(
    bank: Bank,
    trials: Trials,
    workers: int,
    settings: Settings | None,
    start: Start | None,
    log: TranscriptLog | None,
    incoming: TextIO,
    outgoing: TextIO,
) -> None:
    places = anyio.CapacityLimiter(workers)

    async def train(request: TrialRequest) -> TrialResult:
        # A client that leaves does not wait for its last trial.
        return await anyio.to_thread.run_sync(trials.run, request, abandon_on_cancel=True, limiter=places)

    hall = Hall(bank, train, settings, capacity=1, idle_s=_IDLE_S, watch=Watch(log=log))
    server = create_mcp_server(hall, start)
    async with stdio_server(anyio.wrap_file(incoming), anyio.wrap_file(outgoing)) as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


@contextmanager
def _streams() -> Iterator[tuple[TextIO, TextIO]]:
    """The client's two streams, on descriptors that no child process inherits.

    Meanwhile descriptor 0 is empty and 1 is standard error, so neither a stray print nor a trainer can speak to the
    client, or read what it says.
    """
    own = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    try:
        with os.fdopen(os.dup(own[0]), "rb") as raw_in, os.fdopen(os.dup(own[1]), "wb") as raw_out:
            # A line that is not UTF-8 is answered as unreadable; it must not end the session.
            yield (
                TextIOWrapper(raw_in, encoding="utf-8", errors="replace"),
                TextIOWrapper(raw_out, encoding="utf-8", newline="\n"),
            )
    finally:
        for number, descriptor in enumerate(own):
            os.dup2(descriptor, number)
            os.close(descriptor)
