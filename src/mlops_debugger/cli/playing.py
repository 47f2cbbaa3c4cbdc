"""play: a person investigates a run in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.panel import Panel
from rich.prompt import Confirm, IntPrompt, Prompt
from rich.syntax import Syntax
from rich.table import Table

from mlops_debugger.cli._app import BankOption, app, chosen_bank, console, examples
from mlops_debugger.contract import ACTION_TYPES, ARTIFACTS, CATEGORIES, SANITY_CHECKS, MLOpsAction

if TYPE_CHECKING:
    from mlops_debugger.contract import MLOpsObservation, MLOpsState

_LEXERS = {"yaml": "yaml", "py": "python", "json": "json", "log": "text"}


@app.command(
    epilog=examples(
        "mlops-debugger play", "mlops-debugger play --task hard", "mlops-debugger play --split test --index 3"
    )
)
def play(
    task: Annotated[str, typer.Option(help="easy, medium, hard or mixed.")] = "easy",
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    index: Annotated[int | None, typer.Option(min=0, help="Which one of the split; drawn if omitted.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed gives the same run.")] = None,
    bank: BankOption = None,
) -> None:
    """Investigate a training run yourself: look around, then say what is wrong and how to fix it.

    Your fix is applied and the model is trained again with it, in a sandbox where this machine has one.
    """
    from mlops_debugger.bank import Bank
    from mlops_debugger.environment import Session
    from mlops_debugger.grading import Trials

    opened = Bank(chosen_bank(bank))
    with Trials(allow_code=True) as trials:
        session = Session(opened, trials.run)
        observation = session.reset(seed=seed, task_id=task, split=split, index=index)
        _greet(observation)
        while not observation.done:
            try:
                action = _ask(observation)
            except (KeyboardInterrupt, EOFError):
                console.print("\nGiven up: nothing was scored.")
                return
            if action.proposed_fix:
                console.print("Training again with your fix …", style="dim")
            observation = session.step(action)
            _tell(observation)
        _reveal(observation, session.state())


def _greet(observation: MLOpsObservation) -> None:
    console.print(Panel(observation.task_description.rstrip(), title="The task", border_style="dim"))
    run = ", ".join(f"{name} {value}" for name, value in observation.run_summary.items())
    console.print(f"[bold]Run {observation.run_id}[/bold]: {run}", highlight=False)
    table = Table(box=None, header_style="bold")
    for heading in ("artifact", "size", "modified", ""):
        table.add_column(heading)
    for meta in observation.available_artifacts:
        table.add_row(meta.name, meta.size_hint, meta.last_modified, meta.description)
    console.print(table)


def _ask(observation: MLOpsObservation) -> MLOpsAction:
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
        given |= _ask_diagnosis()
    return MLOpsAction.model_validate(given)


def _ask_diagnosis() -> dict[str, str]:
    if not Confirm.ask("Did you find a fault?", default=True):
        return {"diagnosis": "No fault found."}
    answer = {
        "failure_category": _choose("Which category?", CATEGORIES),
        "root_cause_file": _choose("Which file holds the cause?", ("config.yaml", "preprocessing.py")),
        "root_cause_field": Prompt.ask("Which key, function, call or variable"),
    }
    console.print("The fix, as the task describes it; a line with a single full stop ends it:")
    lines: list[str] = []
    while (line := console.input("")) != ".":
        lines.append(line)
    return {**answer, "proposed_fix": "\n".join(lines), "diagnosis": Prompt.ask("In your words", default="–")}


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
        console.print(str(result["error"]), style="red", markup=False)
    elif "sanity_check" in result:
        console.print(f"[bold]{result.get('verdict')}[/bold]")
        console.print(str(result.get("summary", "")), markup=False)
        console.print_json(data={key: value for key, value in result.items() if key != "summary"})
    elif isinstance(result.get("value"), str):
        console.print(str(result["value"]), markup=False)
    else:
        console.print_json(data=result)
    for message in observation.messages:
        console.print(message, style="yellow", markup=False)


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
