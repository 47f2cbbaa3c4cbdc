"""evaluate and audit: agents × scenarios → a report."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from mlops_debugger.cli._app import (
    INTERRUPTED,
    BankOption,
    HarnessKeyOption,
    TokenOption,
    WorkersOption,
    app,
    chosen_bank,
    console,
    examples,
    progress,
)
from mlops_debugger.cli._model import (
    BaseUrlOption,
    ContextOption,
    KeyVariableOption,
    ModelOption,
    PriceCachedOption,
    PriceInOption,
    PriceOutOption,
    RequestOption,
    SendSeedOption,
    TemperatureOption,
    TimeoutOption,
    chosen_model,
    chosen_prices,
)

if TYPE_CHECKING:
    from mlops_debugger.evaluation import Plan, Room, Transcript


@app.command(
    epilog=examples(
        "mlops-debugger evaluate --agent rules --split test --episodes 60 --workers 2 --out reports/rules",
        "mlops-debugger evaluate --agent oracle --split train --out reports/oracle",
        "mlops-debugger evaluate --agent rules --url http://127.0.0.1:8000 --harness-key-file key --out reports/remote",
        "mlops-debugger evaluate --agent llm --model NAME --base-url http://127.0.0.1:8080/v1 --out reports/llm",
    )
)
def evaluate(
    agent: Annotated[str, typer.Option(help="Which agent plays; see the command catalog.")],
    out: Annotated[Path, typer.Option(help="Folder of transcripts and report; the same folder resumes.")],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    task: Annotated[str, typer.Option(help="easy, medium, hard or mixed.")] = "mixed",
    episodes: Annotated[int | None, typer.Option(min=1, help="How many; all of the split if omitted.")] = None,
    workers: WorkersOption = 1,
    bank: BankOption = None,
    url: Annotated[str, typer.Option(help="Play on this OpenEnv server instead of in this process.")] = "",
    harness_key_file: HarnessKeyOption = None,
    token_file: TokenOption = None,
    controls: Annotated[
        bool | None, typer.Option("--controls/--no-controls", help="Healthy controls alone, or none of them.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of agents that draw.")] = 0,
    show: Annotated[int, typer.Option(min=0, help="Print this many episodes as readable transcripts.")] = 0,
    model: ModelOption = None,
    base_url: BaseUrlOption = None,
    key_variable: KeyVariableOption = "OPENAI_API_KEY",
    temperature: TemperatureOption = None,
    model_options: RequestOption = "{}",
    send_seed: SendSeedOption = False,
    context_tokens: ContextOption = 32_000,
    request_timeout: TimeoutOption = 120.0,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    price_cached: PriceCachedOption = None,
) -> None:
    """Let an agent play a split and report its scores, with 95 % intervals.

    Scores on faults and on healthy controls are always shown apart. Every finished episode is kept at once as a line of
    transcripts.jsonl; what is there already is not played again. Fixes are run on this machine, code patches too:
    in a sandbox, or, where the machine has none (see doctor), as your own user.
    """
    from mlops_debugger.bank import Bank
    from mlops_debugger.evaluation import Plan, Room
    from mlops_debugger.evaluation.terminal import transcript_view
    from mlops_debugger.grading import Trials

    asked = chosen_model(
        model,
        base_url,
        key_variable=key_variable,
        temperature=temperature,
        request=model_options,
        send_seed=send_seed,
        context_tokens=context_tokens,
        timeout_s=request_timeout,
        prices=chosen_prices(price_in, price_out, price_cached),
    )
    plan = Plan(agent, split, task, episodes, controls, seed, workers, asked)
    with ExitStack() as open_things:
        if url:
            from mlops_debugger.openenv.keys import HARNESS_KEY_VARIABLE, TOKEN_VARIABLE, read_secret

            key = read_secret("harness key", harness_key_file, HARNESS_KEY_VARIABLE)
            room = Room(url=url, harness_key=key, token=read_secret("token", token_file, TOKEN_VARIABLE))
        else:
            trials = open_things.enter_context(Trials(workers=workers, allow_code=True))
            room = Room(bank=Bank(chosen_bank(bank)), trainer=trials.run)
            console.print(trials.policy)
        transcripts = play_all(plan, room, out)
    for transcript in transcripts[:show]:
        console.print(transcript_view(transcript))
    finish(plan, room.place, transcripts, out)


@app.command(
    epilog=examples(
        "mlops-debugger audit --split test --episodes 24 --out reports/audit",
        "mlops-debugger audit --split test --player nothing --player never_blame",
    )
)
def audit(
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    episodes: Annotated[
        int | None, typer.Option(min=1, help="How many faults, and how many controls at most; all if omitted.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of transcripts and audit.json; the same folder resumes.")] = Path(
        "reports/audit"
    ),
    player: Annotated[list[str] | None, typer.Option(help="Only this player; may be given several times.")] = None,
    workers: WorkersOption = 1,
    bank: BankOption = None,
) -> None:
    """Play every exploit beside rules, oracle and chance, and say which of them earns too much.

    Ends with code 1 when an exploit comes within 0.05 of the rules on faults; those that know public data by heart
    (nearest_neighbour, template_diff) are reported for seen and held-out faults instead. Fixes are run on this machine.
    """
    from mlops_debugger.bank import Bank
    from mlops_debugger.evaluation import Room
    from mlops_debugger.evaluation.audit import Audit, entrants, offenders
    from mlops_debugger.evaluation.audit import audit as play_audit
    from mlops_debugger.evaluation.terminal import audit_table
    from mlops_debugger.grading import Trials

    opened = Bank(chosen_bank(bank))
    names = tuple(player or entrants())
    with Trials(workers=workers, allow_code=True) as trials, progress() as bar:
        task = bar.add_task("audit", total=None, note="")

        def told(name: str, _: Transcript, __: int) -> None:
            bar.update(task, advance=1, note=name)

        try:
            held = play_audit(
                Audit(split, episodes, workers, names),
                Room(bank=opened, trainer=trials.run),
                out,
                told,
                opened.held_out_faults(),
            )
        except KeyboardInterrupt:
            bar.stop()
            console.print(f"Stopped. Finished episodes are kept in {out}; the same command goes on from there.")
            raise typer.Exit(INTERRUPTED) from None
    console.print(audit_table(held))
    if found := offenders(held):
        listed = ", ".join(f"{name} ({score:.2f})" for name, score in found.items())
        console.print(f"Too close to the rules: {listed}", style="red")
        raise typer.Exit(1)


def play_all(plan: Plan, room: Room, out: Path) -> list[Transcript]:
    """Play with a progress bar; Ctrl-C leaves what is finished."""
    from mlops_debugger.evaluation import evaluate as play
    from mlops_debugger.evaluation.runner import planned

    done: list[float] = []

    def report(transcript: Transcript, _: int) -> None:
        if not transcript.unscored:
            done.append(transcript.score)
        note = f"mean score {sum(done) / len(done):.2f}" if done else ""
        bar.update(task, advance=1, note=note)

    with progress() as bar:
        task = bar.add_task(escape(f"{plan.player} on {plan.split}"), total=planned(plan, room), note="")
        try:
            return play(plan, room, out, report)
        except KeyboardInterrupt:
            bar.stop()
            console.print(f"Stopped. Finished episodes are kept in {out}; the same command goes on from there.")
            raise typer.Exit(INTERRUPTED) from None


def finish(plan: Plan, place: str, transcripts: Sequence[Transcript], out: Path) -> None:
    """Write the report and print its tables."""
    from mlops_debugger.evaluation import summarise, write_report
    from mlops_debugger.evaluation.terminal import summary_table

    summary = summarise(transcripts, agent=plan.player, split=plan.split, task=plan.task, place=place)
    files = write_report(summary, out)
    console.print()
    console.print(summary_table(summary))
    console.print()
    if summary.unscored:
        console.print(f"{summary.unscored} episodes could not be scored in full and are in none of the means.")
    console.print(f"Report: {', '.join(str(path) for path in files)}", highlight=False, soft_wrap=True)
