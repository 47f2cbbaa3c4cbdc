"""What looks: eight blind checks, a file each: RunView → Finding.

A check sees what an engineer would see: the six artifacts and what the run saved. It knows neither faults nor
projects; bands are set on healthy runs and keyed by the kind of task and the sample size.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlops_debugger import catalog
from mlops_debugger.contract import SANITY_CHECKS
from mlops_debugger.errors import CatalogError

Verdict = Literal["pass", "warn", "fail", "not_applicable"]
VERDICTS: tuple[Verdict, ...] = ("not_applicable", "pass", "warn", "fail")


@dataclass(frozen=True, eq=False)
class RunView:
    """A run as an engineer finds it. Views are equal only to themselves, so what is computed on one can be kept.

    `artifacts` maps artifact names to their text (absent where the run did not write one). `arrays` are float64
    arrays by dotted name, `meta` what the run noted beside them; both as docs/run-folder.md lists them, all optional.
    """

    artifacts: Mapping[str, str]
    arrays: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """What a check saw: evidence, never the cause.

    `statistic` names the decisive number and `value` is it; `threshold` is the bound that it was held against, in the
    same unit; `n` how many things it was computed on. `healthy` is the range that healthy runs keep to ("at most 0.05")
    and `p` the corrected p-value where the statistic has a test. `worst` lists up to five worst offenders as (name,
    value). `summary` is one sentence; `also` has those of further statistics outside their range, for people who read a
    report. `not_applicable` findings name the missing input in `summary`.
    """

    verdict: Verdict
    statistic: str
    value: float | None
    threshold: float | None
    n: int
    summary: str
    worst: tuple[tuple[str, float], ...] = ()
    compared: str = ""
    healthy: str = ""
    p: float | None = None
    also: tuple[str, ...] = ()

    @property
    def evidence(self) -> str:
        """The sentence, and those of up to two further statistics outside their range."""
        return " ".join((self.summary, *self.also[:2]))

    def as_dict(self) -> dict[str, Any]:
        """The finding as plain data without `also`, numbers rounded to four digits that count."""
        return {
            "verdict": self.verdict,
            "statistic": self.statistic,
            "value": _rounded(self.value),
            "threshold": _rounded(self.threshold),
            "healthy": self.healthy,
            "p_value": _rounded(self.p),
            "n": self.n,
            "summary": self.summary,
            "compared": self.compared,
            "worst": [{"name": name, "value": _rounded(value)} for name, value in self.worst[:5]],
        }


def _rounded(value: float | None) -> float | str | None:
    if value is None:
        return None
    return float(f"{value:.4g}") if np.isfinite(value) else str(value)


def not_applicable(missing: str) -> Finding:
    """There is nothing to compute, because `missing` is missing."""
    return Finding("not_applicable", "none", None, None, 0, f"Not applicable: {missing}.")


Check = Callable[[RunView], Finding]


@dataclass(frozen=True)
class NamedCheck:
    """What a check file binds to CHECK."""

    run: Check


@functools.cache
def checks() -> dict[str, NamedCheck]:
    """The eight checks by name, in the contract's order."""
    found = catalog.discover(__name__, "CHECK", NamedCheck, exclude=frozenset(("reading",)))
    if set(found) != set(SANITY_CHECKS):
        raise CatalogError(f"expected the checks {', '.join(SANITY_CHECKS)}, found {', '.join(found)}")
    return {name: found[name] for name in SANITY_CHECKS}
