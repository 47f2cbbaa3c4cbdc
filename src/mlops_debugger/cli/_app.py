"""The Typer app, its two consoles, and what becomes of errors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from typer.core import TyperGroup

from mlops_debugger.errors import DebuggerError

FAILED = 2
INTERRUPTED = 130
console = Console()
_errors = Console(stderr=True)


def say_error(message: object) -> None:
    """One plain line on standard error."""
    _errors.print(f"error: {message}", style="red", markup=False, highlight=False, soft_wrap=True)


class _Commands(TyperGroup):
    """Errors that this package raises on purpose end a command in one line and exit code 2, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DebuggerError as error:
            say_error(error)
            raise typer.Exit(FAILED) from None


app = typer.Typer(
    cls=_Commands,
    name="mlops-debugger",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="rich",
    help="Investigate training runs that went wrong: real runs, proven faults, fixes that are run.\n\n"
    "Start with [bold]run[/bold] to watch an agent at work, or [bold]play[/bold] to try it yourself.",
    epilog="A first look:  mlops-debugger run\n\nYour own agent:  mlops-debugger serve, then connect with OpenEnv\n\n"
    "Each command has its own --help with examples.",
)


def examples(*lines: str) -> str:
    """An epilog: Typer keeps a line break where there is an empty line."""
    return "\n\n".join(["Examples:", *(f"  {line}" for line in lines)])


def progress() -> Progress:
    """A progress bar with a count and the time it took."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


def chosen_bank(path: Path | None) -> Path:
    """The bank that was named, else the one that ships with the package."""
    from mlops_debugger.bank import starter_bank_path

    return path or starter_bank_path()


BankOption = Annotated[
    Path | None, typer.Option("--bank", help="A bank of scenarios; the one that ships with the package if omitted.")
]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, help="How much runs at once; one per core.")]
HarnessKeyOption = Annotated[
    Path | None,
    typer.Option("--harness-key-file", help="File with the key that unseals the answer in `state`; else nobody can."),
]
TokenOption = Annotated[
    Path | None, typer.Option("--token-file", help="File with the bearer token that the server asks everybody for.")
]
