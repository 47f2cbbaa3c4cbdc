"""What became of the tries of a build, by fault and project: counts, harm, reasons, and what counter edits did."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from mlops_debugger.forge.prove import HEALTHY_FAILED, HEALTHY_GUARDED, NO_HARM, NOT_SPECIFIC, CounterEdit
from mlops_debugger.forge.unit import DOES_NOT_FIT, Try

Key = tuple[str, str]
CONTROL = "(control)"
ENOUGH = 0.6
"""A fault that proves in a smaller share of its tries on a project is resized, confined or dropped."""
TELLING = 5
"""Tries from which the share proven says something."""
ADVICE = {
    NO_HARM: "make the edit bite harder, or leave this project out of the fault's plants",
    NOT_SPECIFIC: "these other edits cure it as well: choose values whose harm only undoing them removes",
    HEALTHY_FAILED: "the project fails without the fault: mend the project first",
    HEALTHY_GUARDED: "the project's own report disagrees with its predictions: mend the project first",
}


@dataclass
class Tally:
    """One fault on one project. `details` maps a reason for rejection to what each rejected try said."""

    tried: int = 0
    unfit: int = 0
    silent: int = 0
    harms: list[float] = field(default_factory=list)
    details: dict[str, list[str]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    counters: dict[str, list[CounterEdit]] = field(default_factory=dict)

    @property
    def proven(self) -> int:
        return len(self.harms)

    def add(self, outcome: Try) -> None:
        if outcome.reason == DOES_NOT_FIT:
            self.unfit += 1
            return
        self.tried += 1
        for edit in outcome.counters:
            self.counters.setdefault(edit.key, []).append(edit)
        if outcome.draft is None:
            self.details.setdefault(outcome.reason or "", []).append(outcome.detail)
            return
        self.harms.append(outcome.draft.harm)
        self.silent += outcome.draft.silent
        self.seen.update(name for name, finding in outcome.draft.findings.items() if finding["verdict"] == "fail")

    def verdict(self) -> str:
        """Whether the fault is any good on this project, in a word or two."""
        if not self.tried:
            return "does not fit" if self.unfit else "not tried"
        if self.proven < ENOUGH * self.tried:
            return "weak" if self.proven else "no good"
        return "good" if self.tried >= TELLING else "good so far"

    def why_not(self) -> Iterator[str]:
        """Why the verdict is not better, then every reason for a rejection with what to do."""
        if not self.tried and self.unfit:
            yield f"none of {self.unfit} variations fit: the plant gives no broken value, or its `when` is false"
        elif self.proven < ENOUGH * self.tried:
            yield f"proven in {self.proven / self.tried:.0%} of {self.tried} tries, expected {ENOUGH:.0%} or more"
        elif self.tried < TELLING:
            yield f"{self.tried} tries tell little: forge {TELLING} or more scenarios of it"
        for reason, details in sorted(self.details.items(), key=lambda item: (-len(item[1]), item[0])):
            measured = "; ".join(dict.fromkeys(detail for detail in details[:3] if detail))
            advice = ADVICE.get(reason)
            yield f"{len(details)} × {reason}" + f" ({measured})" * bool(measured) + f": {advice}" * bool(advice)

    def row(self) -> dict[str, object]:
        """What the manifest keeps. `countered` maps a key to how often it was edited, how often that cured, and the
        median share of harm that it left."""
        return {
            "tried": self.tried,
            "proven": self.proven,
            "rejected": {reason: len(details) for reason, details in self.details.items()},
            "countered": {
                key: {
                    "tried": len(edits),
                    "cured": sum(edit.cured for edit in edits),
                    "left": round(statistics.median(max(edit.left) for edit in edits), 3),
                }
                for key, edits in sorted(self.counters.items())
            },
        }


@dataclass
class Carried:
    """How many scenarios of an earlier bank were carried over, and why others were not."""

    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass
class Summary:
    """Tallies by (fault, project), training runs in all."""

    tallies: dict[Key, Tally] = field(default_factory=dict)
    runs: int = 0
    carried: Carried | None = None

    def add(self, outcome: Try) -> None:
        self.runs += outcome.runs
        self.tallies.setdefault((outcome.fault or CONTROL, outcome.project), Tally()).add(outcome)

    def rows(self) -> list[dict[str, object]]:
        """What the manifest keeps of every pair that was tried."""
        return [
            {"fault": fault, "project": project, **tally.row()}
            for (fault, project), tally in sorted(self.tallies.items())
            if tally.tried
        ]
