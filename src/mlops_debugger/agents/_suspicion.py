"""What a rule says."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_debugger.contract import FailureCategory


@dataclass(frozen=True)
class Suspicion:
    """Something that looks wrong, and how sure the rule is: 1 is worth saying, 10 beyond doubt."""

    weight: float
    category: FailureCategory
    file: str
    field: str
    fix: str
    why: str
