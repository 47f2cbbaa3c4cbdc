"""play: a person investigates a run in the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.panel import Panel
from rich.prompt import Confirm, IntPrompt, Prompt
from rich.syntax import Syntax
from rich.table import Table

from mlops_debugger.cli._app import BankOption, app, chosen_bank, console, examples
from mlops_debugger.contract import ACTION_TYPES, ARTIFACTS, CATEGORIES, SANITY_CHECKS, MLOpsAction

if TYPE_CHECKING:
    from mlops_debugger.contract import MLOpsObservation, MLOpsState
    from mlops_debugger.environment import OwnSession, Session

_LEXERS = {"yaml": "yaml", "py": "python", "json": "json", "log": "text"}


@app.command(
    epilog=examples(
        "mlops-debugger play",
        "mlops-debugger play --task hard",
        "mlops-debugger play --split test --index 3",
        "mlops-debugger play --run lightning_logs",
        "mlops-debugger play --run . --which 57548ad0",
    )
)
def play(
    context: typer.Context,
    task: Annotated[str, typer.Option(help="easy, medium, hard or mixed.")] = "easy",
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    index: Annotated[int | None, typer.Option(min=0, help="Which one of the split; drawn if omitted.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed gives the same run.")] = None,
    bank: BankOption = None,
    run: Annotated[Path | None, typer.Option(help="A run of your own: its folder. Ungraded.")] = None,
    which: Annotated[
        str | None, typer.Option(help="With --run: which one, where the folder holds several; the newest if omitted.")
    ] = None,
) -> None:
    """Investigate a training run yourself: look around, then say what is wrong and how to fix it.

    Your fix is applied and the model is trained again with it, in a sandbox where this machine has one. A run of your
    own (--run) is looked at in the same way, but nobody knows its fault: it is not graded, and nothing is executed.
    """
    _refuse(context, ("task", "split", "index", "seed", "bank") if run is not None else ("which",), run is not None)
    if run is not None:
        from mlops_debugger.intake import open_episode

        own = open_episode(run, which, option="--which")
        if (ended := _play(own, own.reset())) is not None:
            _close(ended)
        return
    from mlops_debugger.bank import Bank
    from mlops_debugger.environment import Session
    from mlops_debugger.grading import Trials

    opened = Bank(chosen_bank(bank))
    with Trials(allow_code=True) as trials:
        session = Session(opened, trials.run)
        observation = _play(session, session.reset(seed=seed, task_id=task, split=split, index=index))
        if observation is not None:
            _reveal(observation, session.state())


def _refuse(context: typer.Context, names: tuple[str, ...], own: bool) -> None:
    """A mistake is better told than ignored: options that choose a run of the bank, or of a folder, and not both."""
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            why = "chooses a run of the bank, --run opens your own" if own else "needs --run"
            raise typer.BadParameter(f"--{name} {why}: leave one of them out" if own else f"--{name} {why}")


def _play(session: Session | OwnSession, observation: MLOpsObservation) -> MLOpsObservation | None:
    """Ask and answer until the episode is over; None where the player gave up."""
    own = bool(observation.metadata.get("ungraded"))
    _greet(observation)
    while not observation.done:
        try:
            action = _ask(observation, own)
        except (KeyboardInterrupt, EOFError):
            console.print("\nGiven up: nothing was scored.")
            return None
        if action.proposed_fix and not own:
            console.print("Training again with your fix …", style="dim")
        observation = session.step(action)
        _tell(observation)
    return observation


def _greet(observation: MLOpsObservation) -> None:
    console.print(Panel(observation.task_description.rstrip(), title="The task", border_style="dim"))
    told = observation.run_summary.items()
    run = ", ".join(f"{name} {', '.join(v) if isinstance(v, list) else v}" for name, v in told if v is not None)
    console.print(f"[bold]Run {escape(observation.run_id)}[/bold]: {escape(run)}", highlight=False)
    table = Table(box=None, header_style="bold")
    for heading in ("artifact", "size", "modified", ""):
        table.add_column(heading)
    for meta in observation.available_artifacts:
        table.add_row(meta.name, meta.size_hint, meta.last_modified, escape(meta.description))
    console.print(table)
    for message in observation.messages:
        console.print(f"note: {message}", style="dim", markup=False, highlight=False)


def _ask(observation: MLOpsObservation, own: bool) -> MLOpsAction:
    console.print(f"\n[bold]Step {observation.step_count + 1} of {observation.max_steps}[/bold]")
    kind = _choose("What do you do?", ACTION_TYPES)
    given: dict[str, Any] = {"action_type": kind}
    if kind == "read_logs":
        given["log_filter"] = Prompt.ask("Keyword or epoch:1-5 (empty: everything)", default="") or None
    elif kind == "run_sanity_check":
        given["sanity_check_type"] = _choose("Which check?", SANITY_CHECKS)
    elif kind == "query_artifact":
        given["artifact_name"] = _choose("Which artifact?", ARTIFACTS)
        given["field_path"] = Prompt.ask("Dotted path (empty: all of it)", default="") or None
    elif kind == "submit_diagnosis":
        given |= _ask_own_diagnosis() if own else _ask_diagnosis()
    return MLOpsAction.model_validate(given)


def _ask_diagnosis() -> dict[str, str]:
    if not Confirm.ask("Did you find a fault?", default=True):
        return {"diagnosis": "No fault found."}
    answer = {
        "failure_category": _choose("Which category?", CATEGORIES),
        "root_cause_file": _choose("Which file holds the cause?", ("config.yaml", "preprocessing.py")),
        "root_cause_field": Prompt.ask("Which key, function, call or variable"),
        "proposed_fix": _ask_lines("The fix, as the task describes it; a line with a single full stop ends it:"),
    }
    return {**answer, "diagnosis": Prompt.ask("In your words", default="–")}


def _ask_own_diagnosis() -> dict[str, str]:
    """The cause may sit in whichever file, and the fix may be words."""
    if not Confirm.ask("Did you find a fault?", default=True):
        return {"diagnosis": "No fault found."}
    return {
        "failure_category": _choose("Which category?", CATEGORIES),
        "root_cause_file": Prompt.ask("Which file holds the cause", default=""),
        "root_cause_field": Prompt.ask("Which key, function, call or variable", default=""),
        "proposed_fix": _ask_lines("What would fix it; a line with a single full stop ends it:"),
        "diagnosis": Prompt.ask("In your words", default="–"),
    }


def _ask_lines(question: str) -> str:
    console.print(question)
    lines: list[str] = []
    while (line := console.input("")) != ".":
        lines.append(line)
    return "\n".join(lines)


def _choose(question: str, options: tuple[str, ...]) -> str:
    console.print(question)
    for number, option in enumerate(options, start=1):
        console.print(f"  {number}  {option}", highlight=False)
    numbers = [str(number) for number in range(1, len(options) + 1)]
    return options[IntPrompt.ask("Number", choices=numbers, show_choices=False) - 1]


def _tell(observation: MLOpsObservation) -> None:
    result = observation.last_action_result
    content, name = result.get("content"), str(result.get("artifact", ""))
    if isinstance(content, str) and content:
        lexer = _LEXERS.get(name.rpartition(".")[2], "text")
        console.print(Syntax(content, lexer, background_color="default", word_wrap=True))
    elif "error" in result:
        console.print(_clean(str(result["error"])), style="red", markup=False)
    elif "sanity_check" in result:
        console.print(f"[bold]{result.get('verdict')}[/bold]")
        console.print(str(result.get("summary", "")), markup=False)
        _tell_data({key: value for key, value in result.items() if key != "summary"})
    elif "note" in result:
        console.print(str(result["note"]), style="dim", markup=False)
    elif isinstance(result.get("value"), str):
        console.print(_clean(str(result["value"])), markup=False)
    else:
        _tell_data(result)
    for message in observation.messages:
        console.print(message, style="yellow", markup=False)


def _tell_data(data: dict[str, Any]) -> None:
    console.print_json(_clean(json.dumps(data, ensure_ascii=False)))


def _clean(text: str) -> str:
    """Values of somebody's files as any terminal can take them: lines and tabs, and no other control character."""
    whole = text.encode("utf-8", "replace").decode()
    shown = (letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in whole)
    return "".join(shown)


def _close(observation: MLOpsObservation) -> None:
    """The end of an own run: what was submitted, and no score."""
    steps = "1 step" if observation.step_count == 1 else f"{observation.step_count} steps"
    console.print(f"\n[bold]Ungraded[/bold]: {steps}, no score.")


def _reveal(observation: MLOpsObservation, state: MLOpsState) -> None:
    console.print(f"\n[bold]Score {state.current_score:g}[/bold] after {observation.step_count} steps")
    if not state.bug_type:
        console.print("It was a healthy run.")
        return
    console.print(
        f"It was {state.bug_type} ({state.bug_category}) in {state.bug_file}: {state.bug_field}", highlight=False
    )
    console.print("A fix that is known to be right:")
    console.print(state.gold_fix, markup=False, highlight=False)
