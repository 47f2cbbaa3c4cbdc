"""Forging processes: each has one trainer of its own, and ends with its parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor

from mlops_debugger.errors import ForgeError
from mlops_debugger.runs.pool import TrainerPool

_POOL: TrainerPool | None = None


def crew(workers: int) -> ProcessPoolExecutor:
    """So many processes, started with their trainers."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start)


def trainer() -> TrainerPool:
    """The trainer of this process; raises `ForgeError` outside of a crew."""
    if _POOL is None:
        raise ForgeError("a forging process was used before it was started")
    return _POOL


def dismiss(executor: ProcessPoolExecutor, *, busy: bool) -> None:
    """End a crew, at once where it is still `busy`."""
    for process in list((executor._processes or {}).values()) if busy else ():
        with contextlib.suppress(OSError):
            os.kill(process.pid or 0, signal.SIGTERM)
    executor.shutdown(wait=not busy, cancel_futures=True)


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: kill -9 gives a parent no time to say so."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _start() -> None:
    global _POOL
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    _POOL = TrainerPool(1)
