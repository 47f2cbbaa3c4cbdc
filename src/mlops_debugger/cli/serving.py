"""serve: the OpenEnv server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlops_debugger.cli._app import BankOption, HarnessKeyOption, TokenOption, app, chosen_bank, console, examples


@app.command(
    epilog=examples(
        "mlops-debugger serve --port 8000",
        "mlops-debugger serve --harness-key-file key      whoever presents the key sees the answer in `state`",
        "mlops-debugger serve --host 0.0.0.0 --token-file token --workers 2 --transcripts episodes",
    )
)
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    bank: BankOption = None,
    harness_key_file: HarnessKeyOption = None,
    token_file: TokenOption = None,
    workers: Annotated[int, typer.Option(min=1, help="Server processes.")] = 1,
    max_sessions: Annotated[int, typer.Option(min=1, help="How many may play at once, in each process.")] = 512,
    idle_timeout: Annotated[float, typer.Option(min=1, help="Seconds after which an idle session is ended.")] = 3600.0,
    trial_workers: Annotated[int, typer.Option(min=1, help="How many fixes may be trained at once, by each.")] = 1,
    trial_nice: Annotated[
        int | None,
        typer.Option(
            min=0, max=19, help="How far trainers stand back behind everything else on this machine; 10 if omitted."
        ),
    ] = None,
    allow_code: Annotated[
        bool,
        typer.Option(
            help="Where this machine has no complete sandbox (see doctor), run code patches all the same, unprotected, "
            "as your own user: a stranger's code, so only where all clients are yours. Elsewhere it changes nothing."
        ),
    ] = False,
    hide_rows: Annotated[bool, typer.Option(help="Answer a diagnosis by its score alone, without row scores.")] = False,
    reveal: Annotated[bool, typer.Option(help="Tell the answer, too, once a diagnosis was accepted.")] = False,
    max_steps: Annotated[int, typer.Option(min=1, help="Steps of an episode.")] = 30,
    transcripts: Annotated[Path | None, typer.Option(help="Folder in which every finished episode is kept.")] = None,
    shutdown_grace: Annotated[
        float, typer.Option(min=0, help="Seconds that fix trials in flight have to finish when the server is stopped.")
    ] = 30.0,
) -> None:
    """Serve episodes over OpenEnv: a WebSocket session for every client.

    Fixes are graded by training again, in a sandbox. Where this machine cannot isolate them completely, config edits
    run with limits and code patches stay unscored; which of the two it is, is printed at the start.

    Key and token may also stand in MLOPS_DEBUGGER_HARNESS_KEY and MLOPS_DEBUGGER_TOKEN. /health tells how the server
    is doing, /metrics counts for Prometheus.
    """
    from mlops_debugger.environment.driver import Settings
    from mlops_debugger.openenv.keys import HARNESS_KEY_VARIABLE, TOKEN_VARIABLE, read_secret
    from mlops_debugger.openenv.serving import Serving
    from mlops_debugger.openenv.serving import serve as listen
    from mlops_debugger.openenv.trials import TRIAL_NICE

    serving = Serving(
        bank_path=chosen_bank(bank),
        harness_key=read_secret("harness key", harness_key_file, HARNESS_KEY_VARIABLE),
        token=read_secret("token", token_file, TOKEN_VARIABLE),
        max_sessions=max_sessions,
        idle_timeout_s=idle_timeout,
        trial_workers=trial_workers,
        trial_nice=TRIAL_NICE if trial_nice is None else trial_nice,
        allow_code=allow_code,
        settings=Settings(max_steps=max_steps, show_rows=not hide_rows, reveal=reveal),
        transcripts=transcripts,
        grace_s=shutdown_grace,
    )
    console.print(f"Serving on http://{host}:{port}; stop with Ctrl-C.", highlight=False)
    listen(serving, host, port, workers=workers, tell=console.print)
