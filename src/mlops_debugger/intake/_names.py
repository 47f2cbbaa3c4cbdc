"""What a logged series is: tools and teams name the same figure differently."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from mlops_debugger.checks.reading import KNOWN_METRICS, metric_name

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATOR = re.compile(r"[^a-z0-9]+")
_SPLITS = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "eval", "evaluation", "dev"), "validation"),
    **dict.fromkeys(("test", "holdout"), "test"),
}
_AXES = frozenset(("epoch", "step"))
_NOISE = frozenset(("avg", "mean", "metrics", "metric", "scalar", "scalars", "performance"))
_LOSSES = frozenset(
    ("loss", "total_loss", "cross_entropy", "cross_entropy_loss", "ce_loss", "nll_loss", "nll", "logloss", "mlogloss")
)
_GRADIENT = frozenset(("grad", "gradient", "gradients", "norm", "total", "global", "l2", "2", "0", "max"))
_RATES = frozenset(("lr", "learningrate"))
_METRICS = KNOWN_METRICS | {"precision", "recall", "macro_auc", "mcc", "perplexity", "mape", "top5_accuracy"}


@dataclass(frozen=True)
class Figure:
    """What a series is of: `what` is loss, lr, grad_norm, grad_norm_max, or a metric by its plain name.

    `axis` is "epoch" or "step" where the name says that it is a value of an epoch or of a step.
    """

    split: str
    what: str
    axis: str = ""


@functools.lru_cache(maxsize=4096)
def figure(name: str) -> Figure | None:
    """What the series by that name is, or None where it is none that a check looks at."""
    words = [word for word in _SEPARATOR.split(_CAMEL.sub("_", name[:200]).lower()) if word]
    if not words:
        return None
    if words[0] in _RATES or words[:2] == ["learning", "rate"]:
        return Figure("train", "lr")
    split = next((_SPLITS[word] for word in words if word in _SPLITS), "")
    axis = next((word for word in words if word in _AXES), "")
    rest = [word for word in words if word not in _SPLITS and word not in _AXES and word not in _NOISE]
    if split and len(rest) > 1:
        rest = [word for word in rest if word not in "0123456789"]
    told = "_".join(rest)
    if told in ("lr", "learning_rate"):
        return Figure("train", "lr")
    if told == "gnorm" or ({"norm"} < set(rest) <= _GRADIENT and rest[0] not in ("norm", "total")):
        return Figure("train", "grad_norm_max" if "max" in rest else "grad_norm", axis)
    if told in _LOSSES:
        return Figure(split or "train", "loss", axis)
    metric = metric_name(told)
    if metric in _METRICS and metric != "loss":
        return Figure(split or "train", metric, axis)
    return None
