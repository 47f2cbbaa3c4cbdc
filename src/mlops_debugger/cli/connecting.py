"""mcp: the environment for a chat client."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mlops_debugger.cli._app import BankOption, app, chosen_bank, examples


@app.command(
    epilog=examples(
        "mlops-debugger mcp                              what a chat client starts; it speaks first",
        "mlops-debugger mcp --task hard --split test     what start_episode opens unless the model says otherwise",
        "mlops-debugger mcp --reveal --transcripts DIR   tell the answer after a diagnosis, keep finished episodes",
    )
)
def mcp(
    bank: BankOption = None,
    task: Annotated[str, typer.Option(help="easy, medium, hard or mixed, where start_episode names none.")] = "mixed",
    split: Annotated[str, typer.Option(help="train, validation or test, where start_episode names none.")] = "train",
    max_steps: Annotated[int, typer.Option(min=1, help="Steps of an episode.")] = 30,
    trial_workers: Annotated[int, typer.Option(min=1, help="How many seeds of a fix may be trained at once.")] = 1,
    allow_code: Annotated[
        bool,
        typer.Option(
            help="Where this machine has no complete sandbox (see doctor), run code patches all the same, unprotected, "
            "as your own user. Elsewhere it changes nothing."
        ),
    ] = False,
    hide_rows: Annotated[bool, typer.Option(help="Answer a diagnosis by its score alone, without row scores.")] = False,
    reveal: Annotated[bool, typer.Option(help="Tell the answer, too, once a diagnosis was accepted.")] = False,
    transcripts: Annotated[Path | None, typer.Option(help="Folder in which every finished episode is kept.")] = None,
) -> None:
    """Play in a chat client: an MCP server on standard input and output, started by the client.

    A tool for each action, and start_episode, which opens an episode. Standard output carries the protocol and nothing
    else; what there is to say to you goes to standard error. Many clients at once connect to the command serve instead,
    which speaks MCP over HTTP at /mcp.
    """
    from mlops_debugger.adapters.mcp_server import Start, serve_stdio
    from mlops_debugger.environment.driver import Settings
    from mlops_debugger.environment.tasks import check_split, check_task

    serve_stdio(
        chosen_bank(bank),
        start=Start(check_task(task), check_split(split)),
        settings=Settings(max_steps=max_steps, show_rows=not hide_rows, reveal=reveal),
        trial_workers=trial_workers,
        allow_code=allow_code,
        transcripts=transcripts,
        tell=lambda text: print(text, file=sys.stderr, flush=True),
    )
