"""serve: the OpenEnv server."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops_debugger.cli._app import BankOption, app, chosen_bank, console, examples


@app.command(
    epilog=examples(
        "mlops-debugger serve --port 8000",
        "mlops-debugger serve --harness-key KEY      whoever presents KEY sees the answer in `state`",
    )
)
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    bank: BankOption = None,
    harness_key: Annotated[
        str | None,
        typer.Option(envvar="MLOPS_DEBUGGER_HARNESS_KEY", help="Unseals the answer for who presents it; else nobody."),
    ] = None,
    max_sessions: Annotated[int, typer.Option(min=1, help="How many connections may play at once.")] = 64,
    trial_workers: Annotated[int, typer.Option(min=1, help="How many fixes may be trained at once.")] = 1,
    allow_code: Annotated[
        bool,
        typer.Option(
            help="Where this machine has no complete sandbox (see doctor), run code patches all the same, unprotected, "
            "as your own user: a stranger's code, so only where all clients are yours. Elsewhere it changes nothing."
        ),
    ] = False,
    hide_rows: Annotated[bool, typer.Option(help="Answer a diagnosis by its score alone, without row scores.")] = False,
    max_steps: Annotated[int, typer.Option(min=1, help="Steps of an episode.")] = 30,
) -> None:
    """Serve episodes over OpenEnv: a WebSocket session for every client.

    Fixes are graded by training again, in a sandbox. Where this machine cannot isolate them completely, config edits
    run with limits and code patches stay unscored; which of the two it is, is printed at the start.
    """
    from mlops_debugger.environment.driver import Settings
    from mlops_debugger.openenv.app import serve as listen

    console.print(f"Serving on http://{host}:{port}; stop with Ctrl-C.", highlight=False)
    listen(
        host,
        port,
        bank_path=chosen_bank(bank),
        harness_key=harness_key,
        max_sessions=max_sessions,
        trial_workers=trial_workers,
        allow_code=allow_code,
        settings=Settings(max_steps=max_steps, show_rows=not hide_rows),
        tell=console.print,
    )
