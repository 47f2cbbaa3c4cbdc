"""How often single artifacts and single checks give the fault away: the figures of the artifact probe.

python benchmarks/artifact_report.py [--bank FILE]
python benchmarks/artifact_report.py --checks        the checks alone, for docs/checks.md
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pages.figures import keep
from scipy.stats import binomtest

from mlops_debugger.bank import Bank, Scenario, starter_bank_path
from mlops_debugger.contract import ARTIFACTS
from mlops_debugger.evaluation.artifact_probe import (
    CHECKS,
    GROUPS,
    SINGLE,
    WITH_CARD,
    Probed,
    artifact_probe,
    guesses,
    seen_and_tested,
)

BOUND = 0.60


def cell(probed: Probed, group: str) -> str:
    share = probed.share(group)
    return "–" if share is None else f"{share:.2f}"


def interval(probed: Probed) -> str:
    """An exact 95 % interval of the share of silent scenarios identified."""
    share, size = probed.share("silent"), probed.size("silent")
    if share is None:
        return "–"
    found = binomtest(round(share * size), size).proportion_ci()
    return f"{found.low:.2f}–{found.high:.2f}"


def row(name: str, probed: Probed, *, drawn: bool = False) -> None:
    cells = [*(cell(probed, group) for group in GROUPS), "" if drawn else interval(probed)]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bank", type=Path, default=starter_bank_path())
    parser.add_argument("--checks", action="store_true", help="the checks alone; writes benchmarks/checks.json")
    options = parser.parse_args()
    scenarios = list(Bank(options.bank).scenarios())
    seen, tested = seen_and_tested(scenarios)
    baselines = guesses(scenarios)
    sizes = ", ".join(f"{group} {baselines['chance'].size(group)}" for group in GROUPS)
    print(f"Learnt on {len(seen)} scenarios of train, tested on {len(tested)} of other splits ({sizes}).")
    print("Share whose fault, or its absence, is identified; the best of three classifiers in every cell.\n")
    print(f"| from | {' | '.join(GROUPS)} | silent, 95 % |\n|---{'|---' * (len(GROUPS) + 1)}|")
    for name, probed in baselines.items():
        row(f"nothing but the project: {name}", probed, drawn=True)
    if options.checks:
        checks_alone(scenarios, len(seen))
        return
    above = []
    for sources in (*SINGLE, *WITH_CARD):
        probed = artifact_probe(scenarios, sources)
        row(" + ".join(sources), probed)
        if (probed.share("silent") or 0.0) > BOUND:
            above.append(f"{' + '.join(sources)} ({cell(probed, 'silent')} of {probed.size('silent')})")
    for title, sources in (*((f"check {item[0]}", item) for item in CHECKS), ("all six artifacts", ARTIFACTS)):
        row(title, artifact_probe(scenarios, sources))
    print(verdict(above, baselines["chance"].size("silent")))


def checks_alone(scenarios: Sequence[Scenario], seen: int) -> None:
    """Probe every check, and keep the figures."""
    found, sizes = {}, {}
    for (name,) in CHECKS:
        probed = artifact_probe(scenarios, (name,))
        row(f"check {name}", probed)
        found[name] = {group: round(probed.share(group) or 0.0, 4) for group in GROUPS}
        sizes = {group: probed.size(group) for group in GROUPS}
    command = "`python benchmarks/artifact_report.py --checks`"
    keep("single", {"command": command, "seen": seen, "sizes": sizes, "checks": found})


def verdict(above: Sequence[str], silent: int) -> str:
    """The requirement, in a sentence."""
    if not silent:
        return "\nNo silent scenario was tested: the bound says nothing."
    if above:
        return f"\nAbove {BOUND:.0%} of the silent scenarios: {'; '.join(above)}."
    return f"\nNo single artifact, and none together with the model card, identifies the fault in more than {BOUND:.0%} of the {silent} silent scenarios."


if __name__ == "__main__":
    main()
