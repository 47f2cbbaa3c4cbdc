"""show, bank and catalog: what there is."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.syntax import Syntax
from rich.table import Table

from mlops_debugger.cli._app import BankOption, app, chosen_bank, console, examples

if TYPE_CHECKING:
    from mlops_debugger.bank import Bank, Figures, Scenario

_VERDICTS = {"pass": "green", "warn": "yellow", "fail": "red"}


@app.command(
    epilog=examples("mlops-debugger show s-0123456789ab", "mlops-debugger show s-0123456789ab --bank bank.sqlite")
)
def show(
    scenario: Annotated[str, typer.Argument(help="A scenario's id; a beginning that only one id has is enough.")],
    bank: BankOption = None,
) -> None:
    """Show a scenario to a maintainer: the planted edit, the harm, and both twins' findings side by side."""
    from mlops_debugger.bank import Bank

    opened = Bank(chosen_bank(bank))
    found = opened.get(_full_id(opened, scenario))
    what = found.fault or "healthy control"
    console.print(f"[bold]{found.scenario_id}[/bold]  {what} on {found.project}", highlight=False)
    console.print(
        f"run {found.run_id}, split {found.split}, tier {found.tier}, difficulty {found.difficulty}"
        f"{', silent' if found.silent else ''}",
        highlight=False,
    )
    if not found.is_control:
        _show_edit(found)
        console.print(_harm_table(found))
    console.print(_findings_table(found))


def _full_id(bank: Bank, start: str) -> str:
    """The only id that begins like this, else the text itself (the bank will say what is wrong)."""
    ids = [entry.scenario_id for entry in bank.entries if entry.scenario_id.startswith(start)]
    return ids[0] if len(ids) == 1 else start


def _show_edit(scenario: Scenario) -> None:
    answer = scenario.answers[0]
    console.print(f"{scenario.sentence}  ({', '.join(answer.categories)}; {answer.field})", highlight=False)
    if others := ", ".join(other.field for other in scenario.answers[1:]):
        console.print(f"Also accepted: {others}", highlight=False)
    console.print("\nFrom the healthy twin to the broken run:")
    for name in ("config.yaml", "preprocessing.py"):
        before, after = scenario.twin_artifacts[name], scenario.artifacts[name]
        lines = difflib.unified_diff(
            before.splitlines(), after.splitlines(), f"healthy/{name}", f"broken/{name}", lineterm=""
        )
        if text := "\n".join(lines):
            console.print(Syntax(text, "diff", background_color="default", word_wrap=True))


def _harm_table(scenario: Scenario) -> Table:
    table = Table(title="Figures (skill: 0 naive, 1 perfect)", title_justify="left", box=None, header_style="bold")
    for heading in (
        "seed",
        "twin",
        "harm",
        "actual",
        "live",
        "reported validation",
        "reported test",
        "epochs",
        "seconds",
    ):
        table.add_column(heading, justify="left" if heading == "twin" else "right")
    for number, proof in enumerate(scenario.proofs):
        table.add_row(str(number), "healthy", "", *_figures(proof.healthy))
        table.add_row("", "broken", f"{proof.harm:.3f}", *_figures(proof.broken))
    return table


def _figures(run: Figures) -> list[str]:
    if run.crashed:
        return ["crashed", "", "", "", "", f"{run.seconds:.2f}"]
    reported = [f"{run.reported.get(split, float('nan')):.3f}" for split in ("validation", "test")]
    return [f"{run.actual:.3f}", f"{run.live:.3f}", *reported, str(run.epochs), f"{run.seconds:.2f}"]


def _findings_table(scenario: Scenario) -> Table:
    table = Table(title="Findings", title_justify="left", box=None, header_style="bold")
    table.add_column("check")
    if not scenario.is_control:
        table.add_column("healthy twin")
    table.add_column("this run")
    for name, finding in scenario.findings.items():
        twin = [] if scenario.is_control else [_finding(scenario.twin_findings.get(name, {}))]
        table.add_row(name, *twin, f"{_finding(finding)}\n[dim]{finding.get('summary', '')}[/dim]")
    return table


def _finding(finding: Mapping[str, Any]) -> str:
    verdict = str(finding.get("verdict", "–"))
    colour = _VERDICTS.get(verdict, "dim")
    return f"[{colour}]{verdict}[/{colour}] {finding.get('statistic', '')} {finding.get('value', '')}"


@app.command(
    epilog=examples(
        "mlops-debugger bank",
        "mlops-debugger bank bank.sqlite --json",
        "mlops-debugger bank old.sqlite --rate new.sqlite",
    )
)
def bank(
    file: Annotated[Path | None, typer.Argument(help="A bank; the one that ships with the package if omitted.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone.")] = False,
    rate: Annotated[
        Path | None,
        typer.Option(
            help="Compute accepted names, difficulty and tiers anew, without training, and write the bank here."
        ),
    ] = None,
) -> None:
    """Count what a bank holds, and tell how it was forged."""
    from mlops_debugger.bank import Bank

    opened = Bank(chosen_bank(file))
    if rate is not None:
        from mlops_debugger.forge.finish import rate_anew

        rate_anew(opened, rate)
        opened = Bank(rate)
    counts = bank_counts(opened)
    if as_json:
        print(json.dumps(counts, indent=1))
        return
    console.print(
        f"{counts['path']}: {counts['scenarios']} scenarios, {counts['controls']} of them healthy controls, "
        f"{counts['bytes']:,} bytes",
        highlight=False,
        soft_wrap=True,
    )
    for name in ("by_split", "by_difficulty", "by_category", "by_project", "by_fault"):
        console.print(f"[bold]{name.replace('_', ' ')}[/bold]")
        for key, count in counts[name].items():
            console.print(f"  {count:>5}  {key}", highlight=False)
    forged = {key: value for key, value in counts["forged"].items() if key != "tries"}
    console.print(f"forged: {json.dumps(forged)}", highlight=False, markup=False, soft_wrap=True)


def bank_counts(opened: Bank) -> dict[str, Any]:
    """What `bank --json` prints. The bank's secret stays out: hidden seeds derive from it."""
    entries = opened.entries

    def by(values: list[str]) -> dict[str, int]:
        return dict(sorted(Counter(values).items()))

    broken = [entry for entry in entries if entry.fault is not None]
    return {
        "path": str(opened.path),
        "bytes": opened.path.stat().st_size,
        "scenarios": len(entries),
        "faults": len(broken),
        "controls": len(entries) - len(broken),
        "silent": sum(entry.silent for entry in broken),
        "by_fault": by([str(entry.fault) for entry in broken]),
        "by_category": by([str(entry.category) for entry in broken]),
        "by_project": by([entry.project for entry in entries]),
        "by_difficulty": by([entry.tier for entry in entries]),
        "by_split": by([entry.split for entry in entries]),
        "controls_by_difficulty": by([entry.tier for entry in entries if entry.fault is None]),
        "controls_by_split": by([entry.split for entry in entries if entry.fault is None]),
        "ids": {entry.scenario_id: f"{entry.fault or '(control)'} on {entry.project}" for entry in entries},
        "forged": {key: value for key, value in opened.manifest.items() if key != "secret"},
    }


@app.command(epilog=examples("mlops-debugger catalog", "mlops-debugger catalog --json"))
def catalog(as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone.")] = False) -> None:
    """List the projects, faults, checks, agents and exploits that there are."""
    from mlops_debugger.agents import agents, exploit_agents
    from mlops_debugger.checks import checks
    from mlops_debugger.faults import faults
    from mlops_debugger.projects import projects

    listed: dict[str, dict[str, str]] = {
        "projects": {name: f"{item.model} on {item.dataset}, {item.metric.name}" for name, item in projects().items()},
        "faults": {
            name: f"{item.category} on {', '.join(p.id for p in projects().values() if item.plants_for(p))}"
            for name, item in faults().items()
        },
        "checks": {name: _first_line(check.run.__module__) for name, check in checks().items()},
        "agents": {name: item.summary for name, item in agents().items()},
        "exploits": {name: item.summary for name, item in exploit_agents().items()},
    }
    if as_json:
        print(json.dumps(listed, indent=1))
        return
    for title, items in listed.items():
        console.print(f"[bold]{len(items)} {title}[/bold]")
        table = Table(box=None, show_header=False)
        for name, text in items.items():
            table.add_row(name, text)
        console.print(table)


def _first_line(module: str) -> str:
    import sys

    return (sys.modules[module].__doc__ or "").strip().split("\n")[0]
