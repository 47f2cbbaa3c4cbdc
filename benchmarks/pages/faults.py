"""docs/faults.md: what every fault is, how it was proven, what sees it, and its look-alikes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from mlops_debugger.bank import Scenario
from mlops_debugger.faults import CLUSTERS, Cluster, Fault, faults
from pages import GENERATED, NOTHING, Shelf, docstring, power, share, silent, spread, table

BOOSTERS = (
    "`training.epochs` × 2, `optimizer.learning_rate` × 3 and ÷ 3, another `optimizer.name`, wider `model.hidden_dims`"
)


def faults_page(shelf: Shelf) -> str:
    """The page of faults."""
    known = faults()
    broken = [scenario for scenario in shelf.scenarios if not scenario.is_control]
    by_category = Counter(fault.category for fault in known.values())
    lines = [
        "# Faults",
        "",
        GENERATED.format("the fault files"),
        f"{len(known)} faults: " + ", ".join(f"{count} {name}" for name, count in sorted(by_category.items())) + ". "
        f"{len({row.fault for row in broken if row.silent})} of them are silent in at least one scenario of the bank, "
        f"{share(sum(row.silent for row in broken), len(broken))} of its scenarios with a fault. Harm is the least over a "
        "scenario's three seeds, in skill; difficulty lies in [0, 1]; figures are medians with their range.",
        "",
    ]
    rows = []
    for name, fault in known.items():
        found = shelf.broken(name)
        rows.append(
            [f"[{name}](#{name})", fault.category, shelf.proven(name), spread([row.harm for row in found]), silent(found),
             spread([row.difficulty for row in found]), _tiers(found)]
        )  # fmt: skip
    lines += table(["fault", "category", "proven / tried", "harm", "silent", "difficulty", "tiers"], rows)
    lines += ["", *_clusters(shelf)]
    for name, fault in known.items():
        lines += ["", f"## {name}", "", docstring(f"mlops_debugger.faults.{name}"), "", *_measured(shelf, name, fault)]
    return "\n".join(lines) + "\n"


def _tiers(rows: Sequence[Scenario]) -> str:
    counts = Counter(row.tier for row in rows)
    return " ".join(f"{tier} {counts[tier]}" for tier in ("easy", "medium", "hard") if counts[tier])


def _measured(shelf: Shelf, name: str, fault: Fault) -> list[str]:
    """What the forging measured of one fault, by project."""
    found = shelf.broken(name)
    also = f" (also accepted: {', '.join(fault.also)})" if fault.also else ""
    lines = [f"- category: {fault.category}{also}; site: `{fault.site}`; fix: {fault.sentence}"]
    if fault.clusters:
        lines.append("- look-alikes: " + ", ".join(f"[{cluster}](#{_anchor(cluster)})" for cluster in fault.clusters))
    if others := Counter(answer.field for row in found for answer in row.answers[1:]):
        lines.append(
            f"- other sites measured to cure: {', '.join(f'`{key}` ({n})' for key, n in others.most_common())}"
        )
    if found:
        seen = [f"{check} {cell}" for check, cell in power(found).items() if cell]
        lines.append(f"- checks that fail (w: warn) on its {len(found)} scenarios: {', '.join(seen) or 'none'}")
    rows = []
    for project in sorted({row["project"] for row in shelf.rows(name)}):
        here = shelf.broken(name, project)
        rejected: Counter[str] = Counter()
        for row in shelf.rows(name, project):
            rejected.update(row["rejected"])
        why = ", ".join(f"{count} × {reason}" for reason, count in rejected.most_common())
        rows.append(
            [f"[{project}](projects.md#{project})", shelf.proven(name, project), why, spread([row.harm for row in here]),
             silent(here), spread([row.difficulty for row in here])]
        )  # fmt: skip
    if not rows:
        return [*lines, "- not in the bank yet"]
    return [*lines, "", *table(["project", "proven / tried", "rejected", "harm", "silent", "difficulty"], rows)]


def _anchor(cluster: Cluster) -> str:
    """The fragment that Markdown viewers give to a heading."""
    return cluster.replace(",", "").replace(" ", "-")


def _clusters(shelf: Shelf) -> list[str]:
    """Look-alikes: who shares a symptom, what tells them apart, and what edits at the others' sites did."""
    known = faults()
    kept = any("countered" in row for row in shelf.tries)
    lines = [
        "## Clusters of look-alikes",
        "",
        "Faults that share a symptom. Of every fault on every project the first try and every sixth one after it, where "
        "they prove, meet counter edits: the fault's own, at the sites of its look-alikes; boosters that anybody would try "
        f"({BOOSTERS}); and what up to three look-alikes with a site in the code would do there. One that cures makes its site an accepted answer, or rejects the scenario; the other scenarios of that fault on that project then meet the edits at this site, too. "
        + (
            "The tables show how often an edit was tried, how often it cured (where it did), and the share of the "
            "proven harm that it left (median, averaged over projects)."
            if kept
            else "The forging of this bank did not keep what every single edit did: the tables show the fault's own "
            "edits, and the sites that cured."
        ),
    ]
    for cluster, (symptom, evidence) in CLUSTERS.items():
        members = {name: fault for name, fault in known.items() if cluster in fault.clusters}
        lines += ["", f"### {cluster}", "", f"{symptom} What tells the members apart: {evidence}.", ""]
        if not members:
            lines.append("No fault of the catalogue is in it yet.")
            continue
        rows = [
            [f"[{name}](#{name})", f"`{fault.site}`", _outcomes(shelf, name) if kept else _declared(fault), _cured(shelf, name)]
            for name, fault in members.items()
        ]  # fmt: skip
        lines += table(["fault", "site", "counter edits", "cured by"], rows)
    if outside := [name for name, fault in known.items() if not fault.clusters]:
        lines += ["", f"In no cluster: {', '.join(outside)}."]
    return lines


def _declared(fault: Fault) -> str:
    return ", ".join(f"`{move.key}`" for move in fault.look_alikes) or NOTHING


def _cured(shelf: Shelf, name: str) -> str:
    fields = Counter(answer.field for row in shelf.broken(name) for answer in row.answers[1:])
    return ", ".join(f"`{field}` ({count})" for field, count in fields.most_common()) or "none"


def _outcomes(shelf: Shelf, name: str) -> str:
    """Key by key: tries, cures and harm left, over the projects on which the edit was tried."""
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for row in shelf.rows(name):
        for key, outcome in row.get("countered", {}).items():
            found[key].append(outcome)
    parts = []
    for key, outcomes in sorted(found.items()):
        tried, cured = (round(sum(outcome[word] for outcome in outcomes)) for word in ("tried", "cured"))
        left = sum(outcome["left"] * outcome["tried"] for outcome in outcomes) / tried
        parts.append(f"`{key}` {tried} tried" + f", {cured} cured" * bool(cured) + f", {left:.0%} left")
    return "; ".join(parts) or NOTHING
