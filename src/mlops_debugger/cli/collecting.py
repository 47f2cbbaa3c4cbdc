"""rollouts: whole episodes as JSON lines, for supervised fine-tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlops_debugger.cli._app import BankOption, WorkersOption, app, chosen_bank, console, examples


@app.command(
    epilog=examples(
        "mlops-debugger rollouts --agent rules --episodes 40 --out rollouts",
        "mlops-debugger rollouts --endpoint http://127.0.0.1:8001/v1 --model NAME --episodes 40 --out rollouts",
    )
)
def rollouts(
    out: Annotated[Path, typer.Option(help="Folder of results.jsonl and sft.jsonl; the same folder resumes.")],
    agent: Annotated[
        str, typer.Option(help="Which agent plays, unless a model does; see the command catalog.")
    ] = "rules",
    endpoint: Annotated[str, typer.Option(help="An OpenAI-compatible endpoint whose model plays.")] = "",
    model: Annotated[str, typer.Option(help="The model's name at the endpoint.")] = "",
    api_key: Annotated[str, typer.Option(envvar="OPENAI_API_KEY", help="The endpoint's key.")] = "none",
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    task: Annotated[str, typer.Option(help="easy, medium, hard or mixed.")] = "mixed",
    episodes: Annotated[int, typer.Option(min=1, help="How many scenarios of the split, from the first.")] = 20,
    min_reward: Annotated[float, typer.Option(min=0, max=1, help="What sft.jsonl takes.")] = 0.5,
    bank: BankOption = None,
    workers: WorkersOption = 1,
) -> None:
    """Play whole episodes through OpenEnv's harness and write them as JSON lines.

    results.jsonl has every episode, sft.jsonl those worth learning from: messages, tools, reward. Nothing in them comes
    from the answer, but for the oracle's own actions. Fixes are trained again, in the sandbox where there is one.
    """
    from mlops_debugger.adapters import rollouts as rolling
    from mlops_debugger.grading import Trials

    if bool(endpoint) != bool(model):
        raise typer.BadParameter("--endpoint and --model go together: give both, or neither")
    with Trials(workers=workers) as trials:
        factory = rolling.EpisodeFactory(chosen_bank(bank), trials.run)
        step = rolling.endpoint_model(endpoint, model, api_key) if model else rolling.agent_model(factory, agent)
        done = rolling.collect(factory, step, rolling.episodes(episodes, split, task), out, min_reward)
    console.print(
        f"{done.played} episodes played, {done.skipped} were there, {done.failed} failed; mean reward of those played "
        f"{done.mean_reward:.3f}; {done.learnable} lines in {out / rolling.SFT}",
        highlight=False,
        soft_wrap=True,
    )
    raise typer.Exit(1 if done.failed else 0)
