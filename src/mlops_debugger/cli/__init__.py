"""The command line. Every command imports what it needs when it runs, so that --help is quick."""

from __future__ import annotations

from mlops_debugger.cli import (  # noqa: F401  (they add commands)
    collecting,
    connecting,
    demo,
    diagnosing,
    doctor,
    evaluating,
    forging,
    looking,
    playing,
    serving,
)
from mlops_debugger.cli._app import app

__all__ = ["app"]
