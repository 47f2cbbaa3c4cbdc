"""The eight checks on an own run, with what could not be checked and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlops_debugger.checks import VERDICTS, Finding, Verdict, checks
from mlops_debugger.checks.reading import band_of
from mlops_debugger.intake._needs import Need, missing
from mlops_debugger.intake._read import OwnRun
from mlops_debugger.intake._sources import printable

EXIT_CODES: Mapping[Verdict, int] = {"not_applicable": 0, "pass": 0, "warn": 1, "fail": 2}


@dataclass(frozen=True)
class Diagnosis:
    """Findings by check in the contract's order, and by check what would allow it to see more.

    `band` names the healthy runs that it was held against: a kind of task, or "any".
    """

    run: OwnRun
    findings: Mapping[str, Finding]
    needs: Mapping[str, tuple[Need, ...]]
    band: str

    @property
    def verdict(self) -> Verdict:
        """The worst verdict."""
        return max((finding.verdict for finding in self.findings.values()), key=VERDICTS.index)

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as `diagnose --json` prints it."""
        run = self.run
        return {
            "path": str(run.path),
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "band": self.band,
            "sources": [
                {"reader": s.reader, "run": s.run, "files": list(s.files), "other_runs": list(s.others)}
                for s in run.sources
            ],
            "arrays": {name: list(values.shape) for name, values in sorted(run.view.arrays.items())},
            "findings": {
                name: {
                    **finding.as_dict(),
                    "also": list(finding.also),
                    "missing": [{"allows": need.allows, "file": need.file} for need in self.needs[name]],
                }
                for name, finding in self.findings.items()
            },
            "notes": list(run.notes),
        }


def diagnose(run: OwnRun) -> Diagnosis:
    """Run the eight checks."""
    findings = {name: _printable(check.run(run.view)) for name, check in checks().items()}
    return Diagnosis(run, findings, {name: missing(run.view, name) for name in findings}, band_of(run.view))


def _printable(finding: Finding) -> Finding:
    """Names of classes and columns are a stranger's: what they do to a terminal is not for them to say."""
    return replace(
        finding,
        summary=printable(finding.summary),
        compared=printable(finding.compared),
        also=tuple(printable(said) for said in finding.also),
        worst=tuple((printable(name), value) for name, value in finding.worst),
    )
