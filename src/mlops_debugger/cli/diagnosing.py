"""diagnose: the eight checks on a run folder of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from typer.core import TyperCommand

from mlops_debugger.cli._app import app, console, examples, say_error

if TYPE_CHECKING:
    from mlops_debugger.intake import Diagnosis

BAD_INPUT = 3
_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "not_applicable": "dim"}


# What Typer raises for a command that it cannot read: Click's, or that of its own copy of Click.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


class _Diagnose(TyperCommand):
    """A mistake in the command itself is bad input too: it must not be taken for the verdict fail, which is 2."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except _UsageError as error:
            error.exit_code = BAD_INPUT  # type: ignore[attr-defined]
            raise


@app.command(
    cls=_Diagnose,
    epilog=examples(
        "mlops-debugger diagnose lightning_logs",
        "mlops-debugger diagnose my-run --html report.html",
        "mlops-debugger diagnose . --run 57548ad0 --json > findings.json",
        "mlops-debugger diagnose my-run || echo 'look at it before it ships'",
    ),
)
def diagnose(
    path: Annotated[Path, typer.Argument(help="The folder of a run, or a single file of one.")],
    run: Annotated[
        str | None, typer.Option(help="Which run, where the folder holds several; the newest if omitted.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a report with curves into this one file.")] = None,
) -> None:
    """Hold a run of your own against the eight sanity checks.

    Reads what your tools wrote: Hugging Face trainer_state.json, Lightning, MLflow, Weights & Biases (offline),
    TensorBoard, DVCLive, tables of metrics, and beside them train.csv, test.csv and predictions.csv. Nothing is
    unpickled, nothing is executed, nothing leaves the machine; docs/own-runs.md says what each check needs.

    Exit codes: 0 when every check passes or has nothing to look at, 1 when the worst verdict is warn, 2 when it is
    fail, 3 when the folder or the command cannot be read.
    """
    from mlops_debugger.errors import IntakeError
    from mlops_debugger.intake import diagnose as look
    from mlops_debugger.intake import read_run

    try:
        found = look(read_run(path, run))
        if html is not None:
            from mlops_debugger.intake.html import write_html

            write_html(found, html)
    except IntakeError as error:
        say_error(error)
        raise typer.Exit(BAD_INPUT) from None
    if as_json:
        print(json.dumps(found.as_dict(), indent=1))
    else:
        _show(found, html)
    raise typer.Exit(found.exit_code)


def _show(found: Diagnosis, html: Path | None) -> None:
    for source in found.run.sources:
        run = f" of run {source.run}" if source.run else ""
        console.print(f"Read {source.reader}{run}: {', '.join(source.files)}", markup=False, highlight=False)
    console.print(f"Held against healthy runs of the kind {found.band}.", markup=False, highlight=False)
    table = Table(box=None, header_style="bold")
    for heading in ("check", "verdict", "evidence"):
        table.add_column(heading)
    for name, finding in found.findings.items():
        colour = _COLOURS[finding.verdict]
        evidence = escape(finding.evidence)
        if finding.verdict in ("warn", "fail") and finding.value is not None and finding.threshold is not None:
            evidence += f"\n[dim]{finding.statistic} {finding.value:.4g}, healthy: {finding.healthy}; "
            evidence += f"compared: {escape(finding.compared)}[/dim]"
        table.add_row(name, f"[{colour}]{finding.verdict.replace('_', ' ')}[/{colour}]", evidence)
    console.print(table)
    if lacking := [(name, need) for name, needs in found.needs.items() for need in needs]:
        table = Table(title="Not looked at, and what would allow it", title_justify="left", box=None)
        for heading in ("check", "what", "give"):
            table.add_column(heading)
        for name, need in lacking:
            table.add_row(name, escape(need.allows), escape(need.file))
        console.print(table)
    for note in found.run.notes:
        console.print(f"note: {note}", markup=False, highlight=False, style="dim")
    colour = _COLOURS[found.verdict]
    console.print(f"Worst verdict: [{colour}]{found.verdict.replace('_', ' ')}[/{colour}]")
    if html is not None:
        console.print(f"Report: {html}", markup=False, highlight=False)


__all__ = ["diagnose"]
