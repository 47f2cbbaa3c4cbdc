"""run: an agent plays over a real OpenEnv connection, from server to report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlops_debugger.cli._app import BankOption, WorkersOption, app, chosen_bank, console, examples


@app.command(epilog=examples("mlops-debugger run", "mlops-debugger run --episodes 60 --agent rules --out reports/long"))
def run(
    bank: BankOption = None,
    agent: Annotated[str, typer.Option(help="Which agent plays; see the command catalog.")] = "rules",
    episodes: Annotated[int, typer.Option(min=1, help="How many episodes.")] = 30,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("reports/run"),
    workers: WorkersOption = 2,
) -> None:
    """Watch an agent investigate broken training runs.

    Starts the OpenEnv server on a free port of 127.0.0.1, lets the agent play through the client over the WebSocket,
    trains with every fix that it proposes, in a sandbox where this machine has one, and prints scores and one episode.
    Code patches are run either way, since the only client is the built-in agent.
    """
    import secrets

    from mlops_debugger.cli.evaluating import finish, play_all
    from mlops_debugger.evaluation import TRANSCRIPTS, Plan, Room
    from mlops_debugger.evaluation.terminal import transcript_view
    from mlops_debugger.openenv.app import create_server_app, local_server
    from mlops_debugger.openenv.trials import AsyncTrials

    # What an earlier demonstration played is not what somebody wants to watch.
    (out / TRANSCRIPTS).unlink(missing_ok=True)
    key = secrets.token_hex(16)
    plan = Plan(agent, split=split, episodes=episodes, workers=workers)
    with AsyncTrials(workers=workers, allow_code=True) as trials:
        server = create_server_app(chosen_bank(bank), trials, harness_key=key, max_sessions=2 * workers + 2)
        with local_server(server) as url:
            console.print(trials.policy)
            console.print(f"Server at {url}; agent [bold]{agent}[/bold] plays over the WebSocket.", highlight=False)
            room = Room(url=url, harness_key=key)
            transcripts = play_all(plan, room, out)
    told = [item for item in transcripts if item.truth and not item.truth.is_control]
    if shown := sorted(told, key=lambda item: -item.score)[:1]:
        console.print("\nOne episode, from the first look to the verdict:")
        console.print(transcript_view(shown[0]))
    finish(plan, room.place, transcripts, out)
