"""Writes the generated pages below docs/ from the catalogue and the starter bank, and prints the figures of LOG.md.

python benchmarks/bank_report.py [--check] [--probe]
    --check: write nothing; name the pages that are not what would be written, and end with code 1 if there are any
    --probe: the reset probe too, some minutes
"""

from __future__ import annotations

import sys
from pathlib import Path

from pages import Shelf
from pages.checks import checks_page
from pages.difficulty import difficulty_page
from pages.faults import faults_page
from pages.pictures import choose, draw
from pages.projects import projects_page
from pages.validity import validity_page

from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.evaluation.probe import Part, Target, probe
from mlops_debugger.forge.healthy import healthy_bands
from mlops_debugger.forge.prove import proof_bar
from mlops_debugger.projects import projects

DOCS = Path(__file__).resolve().parents[1] / "docs"


def pages(shelf: Shelf) -> dict[str, bytes]:
    """Every generated file by its name below docs/."""
    chosen = {name: found for name, project in projects().items() if (found := choose(shelf, project))}
    hard, scattered = difficulty_page(shelf)
    texts = {
        "difficulty.md": hard,
        "faults.md": faults_page(shelf),
        "checks.md": checks_page(shelf),
        "projects.md": projects_page(shelf, chosen),
        "validity.md": validity_page(),
    }
    drawn = {f"pictures/{name}.png": draw(projects()[name], found) for name, found in chosen.items()}
    return {name: text.encode() for name, text in texts.items()} | drawn | {"pictures/difficulty.png": scattered}


def stale(written: dict[str, bytes]) -> list[str]:
    """Generated files that are missing or differ, and pictures that nothing generates."""
    old = {
        name
        for name, content in written.items()
        if not (DOCS / name).is_file() or (DOCS / name).read_bytes() != content
    }
    return sorted(old | {f"pictures/{path.name}" for path in (DOCS / "pictures").glob("*.png")} - written.keys())


def main() -> None:
    path = starter_bank_path()
    bank = Bank(path)
    shelf = Shelf.of(bank)
    scenarios = shelf.scenarios
    written = pages(shelf)
    if "--check" in sys.argv[1:]:
        if old := stale(written):
            sys.exit(f"out of date below docs/: {', '.join(old)}; write them with: python benchmarks/bank_report.py")
        return
    (DOCS / "pictures").mkdir(exist_ok=True)
    for name in stale(written):
        if name in written:
            (DOCS / name).write_bytes(written[name])
        else:
            (DOCS / name).unlink()

    print(
        f"{len(scenarios)} scenarios, {path.stat().st_size / len(scenarios):.0f} bytes each, {bank.manifest['runs']} runs"
    )
    print(
        "\n| project | healthy skill | spread | abs(reported - actual) | σ | bar of proof | CPU s a run, median (max) |\n|---|---|---|---|---|---|---|"
    )
    for name, band in healthy_bands().items():
        bar = proof_bar(band.sigma)
        print(
            f"| {name} | {band.skill_mean:.3f} | {band.skill_sd:.3f} | {band.gap_mean:.3f} | {band.sigma:.4f} | {bar:.3f} | {band.seconds_median:.2f} ({band.seconds_max:.2f}) |"
        )
    if "--probe" not in sys.argv[1:]:
        return
    print("\n| reset probe: part | target | accuracy | chance | lift | p |\n|---|---|---|---|---|---|")
    silent = [scenario for scenario in scenarios if scenario.silent or scenario.is_control]
    parts: tuple[Part, ...] = ("surroundings", "own numbers")
    targets: tuple[Target, ...] = ("fault", "category", "control")
    for label, members in (("all", scenarios), ("silent", silent)):
        for part in parts:
            for target in targets:
                result = probe(members, part, target)
                print(
                    f"| {part}, {label} | {target} | {result.accuracy:.3f} | {result.chance:.3f} | {result.lift:+.3f} | {result.p_value:.3f} |"
                )


if __name__ == "__main__":
    main()
