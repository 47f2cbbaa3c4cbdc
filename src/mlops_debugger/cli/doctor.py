"""doctor: what this machine can isolate, and what is therefore allowed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from mlops_debugger.cli._app import app, console, examples

if TYPE_CHECKING:
    from mlops_debugger.runs.sandbox.probe import Machine


@app.command(epilog=examples("mlops-debugger doctor", "mlops-debugger doctor --json"))
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Try every layer of the sandbox on this machine and say what is therefore allowed.

    Ends with 0 where code patches can be isolated completely, with 1 where they are refused.
    """
    from mlops_debugger.runs.sandbox.probe import probe

    machine = probe()
    if as_json:
        typer.echo(json.dumps(_plain(machine), indent=1))
    else:
        _show(machine)
    raise typer.Exit(0 if machine.complete else 1)


def _plain(machine: Machine) -> dict[str, object]:
    layers = [
        {"name": layer.name, "works": layer.works, "needed": layer.needed, "found": layer.found}
        for layer in machine.layers
    ]
    allowed = {"code_patches": machine.code_patches, "config_edits": machine.config_edits}
    return {"complete": machine.complete, "allowed": allowed, "layers": layers}


def _show(machine: Machine) -> None:
    table = Table(box=None, header_style="bold")
    for heading in ("layer", "works", "needed", "found"):
        table.add_column(heading)
    for layer in machine.layers:
        style = "" if layer.works or not layer.needed else "red"
        answers = ("yes" if layer.works else "no", "yes" if layer.needed else "no")
        table.add_row(layer.name, *answers, layer.found, style=style)
    console.print(table)
    console.print(f"\nCode patches: {machine.code_patches}.", highlight=False)
    console.print(f"Config edits: {machine.config_edits}.", highlight=False)
