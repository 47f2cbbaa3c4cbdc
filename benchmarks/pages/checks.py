"""docs/checks.md: false alarms on healthy runs, and power per fault."""

from __future__ import annotations

from mlops_debugger.contract import SANITY_CHECKS
from mlops_debugger.faults import faults
from pages import GENERATED, Shelf, alarms, power, share, table

VERDICTS = ("fail", "warn", "pass", "not_applicable")


def checks_page(shelf: Shelf) -> str:
    """The page of checks."""
    healthy = shelf.healthy()
    lines = [
        "# Checks",
        "",
        GENERATED.format("the fault files"),
        f"False alarms on {len(healthy)} healthy runs (the twins and controls of the bank, none of them used for the bands):",
        "",
    ]
    rows = []
    for check in SANITY_CHECKS:
        found = alarms(healthy, check)
        rows.append([check, *(share(found[word], len(healthy)) for word in VERDICTS)])
    lines += table(["check", *(word.replace("_", " ") for word in VERDICTS)], rows)
    lines += ["", "Power: share of a fault's scenarios on which a check fails (w: warns).", ""]
    known = {name: shelf.broken(name) for name in faults()}
    lines += table(
        ["fault", "n", *SANITY_CHECKS],
        [[name, len(found), *power(found).values()] for name, found in known.items() if found],
    )
    return "\n".join(lines) + "\n"
