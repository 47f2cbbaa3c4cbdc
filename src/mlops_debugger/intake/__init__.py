"""Own runs: reads what other tools wrote, and holds it against the eight checks. Nothing is unpickled or executed."""

from mlops_debugger.intake._diagnose import EXIT_CODES, Diagnosis, diagnose
from mlops_debugger.intake._episode import open_episode
from mlops_debugger.intake._read import OwnRun, read_run, readers

__all__ = ["EXIT_CODES", "Diagnosis", "OwnRun", "diagnose", "open_episode", "read_run", "readers"]
