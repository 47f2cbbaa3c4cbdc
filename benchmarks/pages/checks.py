"""docs/checks.md: false alarms on healthy runs, power per fault, and what a single check gives away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scipy.stats import binomtest

from mlops_debugger.checks._bands import Band, floors
from mlops_debugger.contract import SANITY_CHECKS
from mlops_debugger.faults import faults
from pages import GENERATED, NOTHING, Shelf, alarms, docstring, share, table
from pages.figures import kept

BOUNDS = {"fail": 0.02, "warn": 0.08}
BOUND_OF_A_PROJECT = 0.05
"""Most that a check may fail on the healthy runs of one project, whose oddities may trigger it."""
IDENTIFIED = {"medium": 0.5, "hard": 0.2}
"""Most scenarios of a tier that one check alone may identify."""


def checks_page(shelf: Shelf) -> str:
    """The page of checks."""
    figures = kept()
    lines = ["# Checks", "", GENERATED.format("`benchmarks/checks.json`, the fault files")]
    lines += _what()
    lines += _audit(figures["healthy"]) if "healthy" in figures else []
    lines += _twins(shelf)
    lines += _power(figures["power"]) if "power" in figures else []
    lines += _single(figures["single"]) if "single" in figures else []
    return "\n".join(lines) + "\n"


def _what() -> Iterator[str]:
    """What every check asks and measures, and the textbook bounds."""
    yield (
        "A check measures a number of statistics and answers with the one farthest beyond its healthy range: a verdict, "
        "that statistic with n, its range, its p-value where it has a test (an effect that chance explains never counts), "
        "the worst offenders, what was compared, and one sentence. Bounds below are textbook floors; healthy runs of "
        "the same kind of task and size made them wider where they had to (`src/mlops_debugger/checks/bands.json`)."
    )
    yield ""
    for check in SANITY_CHECKS:
        asks, _, evidence = docstring(f"mlops_debugger.checks.{check}").partition("\n\n")
        yield f"**{check}**: {' '.join(asks.split())} {' '.join(evidence.split())}"
        yield ""
        bounds = [f"`{name}` {_bound(limits)}" for name, limits in floors(check).items()]
        yield f"Warns, fails beyond: {'; '.join(bounds)}."
        yield ""


def _bound(limits: Band) -> str:
    if limits.scale == "exact":
        return "0"
    fail = "never fails" if limits.reach is not None and limits.fail >= limits.reach else f"{limits.fail:g}"
    return f"{'>' if limits.upward else '<'} {limits.warn:g}, {fail}"


def _audit(audit: Mapping[str, Any]) -> Iterator[str]:
    """False alarms on runs that no band was fitted to, with 95 % intervals, and by project."""
    runs = audit["runs"]
    yield "## False alarms"
    yield ""
    yield (
        f"On {runs} healthy runs of all projects that no band was fitted to (`python benchmarks/calibrate_checks.py --count "
        f"{runs // len(audit['by_project'])} --seed-base {audit['seed_base']} --audit`), with exact 95 % intervals. Asked for: at most "
        f"{BOUNDS['fail']:.0%} `fail` and {BOUNDS['warn']:.0%} `warn` a check."
    )
    yield ""
    rows, above = [], []
    for check in SANITY_CHECKS:
        counts = audit["verdicts"][check]
        rows.append([check, *(_rate(counts.get(word, 0), runs) for word in ("fail", "warn"))])
        above += [f"{check} ({word})" for word, bound in BOUNDS.items() if counts.get(word, 0) > bound * runs]
    yield from table(["check", "fail", "warn"], rows)
    yield ""
    yield f"Above the bound: {', '.join(above)}." if above else "No check is above its bound."
    yield ""
    yield f"By project, `fail` and `warn` in {runs // len(audit['by_project'])} runs (nothing: none)."
    yield ""
    rows, above = [], []
    for project, counted in audit["by_project"].items():
        rows.append([project, *(_both(*counted[check]) for check in SANITY_CHECKS)])
        above += [
            f"{check} on {project}"
            for check in SANITY_CHECKS
            if counted[check][0] > BOUND_OF_A_PROJECT * counted["runs"][0]
        ]
    yield from table(["project", *SANITY_CHECKS], rows)
    yield ""
    yield (
        f"More than {BOUND_OF_A_PROJECT:.0%} `fail` on one project: {', '.join(above)}."
        if above
        else f"No check fails on more than {BOUND_OF_A_PROJECT:.0%} of any project's runs."
    )
    yield ""
    yield f"Checking one run takes {audit['seconds']['median']:.2f} CPU s in the median, {audit['seconds']['most']:.2f} at most."
    yield ""


def _twins(shelf: Shelf) -> Iterator[str]:
    """The same on the healthy runs of the bank."""
    healthy = shelf.healthy()
    yield f"On the {len(healthy)} healthy runs of the bank (twins and controls; no band was fitted to them either):"
    yield ""
    words = ("fail", "warn", "pass", "not_applicable")
    rows = []
    for check in SANITY_CHECKS:
        found = alarms(healthy, check)
        rows.append([check, *(share(found[word], len(healthy)) for word in words)])
    yield from table(["check", *(word.replace("_", " ") for word in words)], rows)
    yield ""


def _power(power: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Faults by checks."""
    runs = [item["runs"] for item in power.values()]
    yield "## Power"
    yield ""
    yield (
        "Share of a fault's broken runs on which a check fails (w: warns), on the bank's and on further ones "
        f"(`python benchmarks/check_power.py`); {min(runs)} runs of a fault or more, {sum(runs)} in all."
    )
    yield ""
    rows = []
    unseen = []
    for name in faults():
        item = power.get(name)
        if item is None:
            continue
        rows.append([name, item["runs"], *(_power_cell(*item[check], item["runs"]) for check in SANITY_CHECKS)])
        if all(item[check][0] < item["runs"] / 2 for check in SANITY_CHECKS):
            unseen.append(name)
    yield from table(["fault", "runs", *SANITY_CHECKS], rows)
    yield ""
    yield f"No check fails on half of the runs of {len(unseen)} faults: {', '.join(unseen) or NOTHING}."
    yield ""


def _single(single: Mapping[str, Any]) -> Iterator[str]:
    """What a classifier that sees one finding alone names."""
    yield "## What one check gives away"
    yield ""
    yield (
        f"Share of scenarios whose fault a classifier names from one finding and the project ({single['command']}; learnt on "
        f"{single['seen']} scenarios of train, the best of three classifiers in every cell, which flatters small tiers). "
        f"Asked for: at most {IDENTIFIED['medium']:.0%} of the medium and {IDENTIFIED['hard']:.0%} of the hard ones."
    )
    yield ""
    tiers = ("easy", "medium", "hard")
    rows, above = [], []
    for check in SANITY_CHECKS:
        shares = single["checks"][check]
        rows.append([check, *(f"{shares[tier]:.2f}" for tier in tiers)])
        above += [f"{check} ({tier}, {shares[tier]:.2f})" for tier, bound in IDENTIFIED.items() if shares[tier] > bound]
    yield from table(["check", *(f"{tier} ({single['sizes'][tier]})" for tier in tiers)], rows)
    yield ""
    yield f"Above the bound: {', '.join(above)}." if above else "No check is above its bound."


def _rate(count: int, runs: int) -> str:
    found = binomtest(count, runs).proportion_ci()
    return f"{count}/{runs}: {count / runs:.1%} ({found.low:.1%}–{found.high:.1%})"


def _both(fails: int, warns: int) -> str:
    return " ".join([f"{fails} fail"] * bool(fails) + [f"{warns} warn"] * bool(warns))


def _power_cell(fails: int, warns: int, runs: int) -> str:
    parts = [f"{100 * fails / runs:.0f} %"] * bool(fails) + [f"w {100 * warns / runs:.0f} %"] * bool(warns)
    return " ".join(parts)
