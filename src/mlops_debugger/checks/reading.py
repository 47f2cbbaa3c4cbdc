"""What somebody who reads a run shares with the checks: names of metrics, what saved answers give, the run's band.

This is all that other packages may use of the checks beside their names and findings; modules with an underscore are
the checks' own.
"""

from __future__ import annotations

from mlops_debugger.checks import RunView
from mlops_debugger.checks._bands import ANY, healthy, keys
from mlops_debugger.checks._loss_level import cross_entropy, scores
from mlops_debugger.checks._reports import KNOWN as KNOWN_METRICS
from mlops_debugger.checks._reports import parsed as json_artifact
from mlops_debugger.checks._reports import plain as metric_name

__all__ = ["KNOWN_METRICS", "band_of", "json_artifact", "log_loss", "metric_name"]


def band_of(view: RunView) -> str:
    """The healthy runs that a run is held against: "task/kind/size", "task/kind", or "any" where none are alike."""
    known = healthy()
    return next((key for key in keys(view) if key in known), ANY)


def log_loss(view: RunView, split: str) -> float | None:
    """Mean log loss of the split's saved probabilities; None without them, or without targets."""
    pair = scores(view, split)
    return None if pair is None else cross_entropy(*pair)
