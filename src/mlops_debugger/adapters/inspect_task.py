"""Inspect AI: a task with the eight actions as tools, and a scorer with the rubric's rows.

    inspect eval src/mlops_debugger/adapters/inspect_task.py --model openai/MODEL -T split=test -T task_id=hard

In a checkout by this file, elsewhere by the name `mlops_debugger/mlops_debugger`: Inspect AI asks for a distribution of
the package's name, which an editable install of ours does not have.

Samples are the scenarios of a split of the bank; they hold what reset shows and no answer. Another solver may be given:
the setup opens the episode and hands out the tools either way. A reply without a tool call costs a step, as any other
bad input. `score` is excluded from the metrics (NaN) where a row could not be scored; `faults` and `controls` tell the
scores on broken and on healthy runs apart.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import anyio.to_thread
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser, GenerateConfig
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, mean, metric, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import Tool, ToolDef
from inspect_ai.util import StoreModel
from pydantic import Field

from mlops_debugger.adapters._play import BankLike, Play, open_bank, shared_trials
from mlops_debugger.adapters._tools import Tools
from mlops_debugger.contract import ACTION_TYPES
from mlops_debugger.environment import Selector
from mlops_debugger.grading import WEIGHTS

NO_TOOL = "a reply without a tool call: call a tool, submit_diagnosis to end"
MAX_TOOL_OUTPUT = 64 * 1024
"""Bytes; more than any answer has."""

_PLAYS: dict[str, Play] = {}
"""The running episodes by sample: a session is no data, so the store has its outcome alone."""


class Outcome(StoreModel):
    """What the store, and so the log, keeps of an episode. The score is told once it is over."""

    run_id: str = Field(default="")
    steps: int = Field(default=0)
    done: bool = Field(default=False)
    score: float = Field(default=0.0)
    rows: dict[str, float | None] = Field(default_factory=dict)
    unscored: list[str] = Field(default_factory=list)
    control: bool = Field(default=False)


@task
def mlops_debugger(
    split: str = "test",
    task_id: str = "mixed",
    controls: bool | None = None,
    bank: str | None = None,
    max_steps: int | None = None,
    trial_workers: int = 1,
) -> Task:
    """Investigate broken training runs: every scenario of a split, in the bank's order."""
    return Task(
        dataset=scenarios(bank, split, task_id, controls),
        setup=open_episode(bank, max_steps, trial_workers),
        solver=investigate(),
        cleanup=close_episode,
        scorer=rubric(),
        config=GenerateConfig(max_tool_output=MAX_TOOL_OUTPUT),
    )


def scenarios(
    bank: BankLike = None, split: str = "test", task_id: str = "mixed", controls: bool | None = None
) -> MemoryDataset:
    """A sample for each scenario; raises `EpisodeError` where the bank has none. Whether it is healthy is not told."""
    opened = open_bank(bank)
    count = len(Selector(opened).pool(split=split, task_id=task_id, controls=controls))
    play = Play(opened)
    samples = []
    for index in range(count):
        chosen = {"split": split, "task_id": task_id, "index": index, "controls": controls}
        samples.append(Sample(input=play.reset(**chosen), id=f"{split}-{task_id}-{index}", metadata=chosen))
    return MemoryDataset(samples, name=f"mlops_debugger_{split}_{task_id}")


@solver
def open_episode(bank: str | None = None, max_steps: int | None = None, trial_workers: int = 1) -> Solver:
    """Open the sample's episode and hand out its tools."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        play = Play(bank, shared_trials(workers=trial_workers).run, max_steps)
        play.reset(**{name: state.metadata[name] for name in ("split", "task_id", "index", "controls")})
        _PLAYS[state.uuid] = play
        state.store_as(Outcome).run_id = play.observation.run_id
        state.tools = [_tool(play, name, state.store_as(Outcome)) for name in ACTION_TYPES]
        return state

    return solve


@solver
def investigate() -> Solver:
    """Let the model call tools until its episode is over."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        play, outcome = _PLAYS[state.uuid], state.store_as(Outcome)
        while not play.done and not state.completed:
            state = await generate(state, tool_calls="single")
            if not state.output.message.tool_calls:
                state.messages.append(ChatMessageUser(content=play.reject(NO_TOOL)))
                _note(outcome, play)
        return state

    return solve


async def close_episode(state: TaskState) -> None:
    """Forget the sample's episode."""
    if (play := _PLAYS.pop(state.uuid, None)) is not None:
        play.close()


def _tool(play: Play, name: str, outcome: Outcome) -> Tool:
    method: Callable[..., str] = getattr(Tools(play), name)

    @functools.wraps(method)
    async def execute(**arguments: str) -> str:
        if name == "submit_diagnosis":
            # A fix trial takes seconds: other samples go on meanwhile.
            told = await anyio.to_thread.run_sync(functools.partial(method, **arguments))
        else:
            told = method(**arguments)
        _note(outcome, play)
        return told

    return ToolDef(execute, name=name, parallel=False).as_tool()


def _note(outcome: Outcome, play: Play) -> None:
    outcome.steps = play.observation.step_count
    outcome.done, outcome.score = play.done, play.score
    outcome.rows, outcome.unscored = play.rows, play.unscored
    if play.done:
        outcome.control = not play.state().bug_type


@metric
def faults() -> Metric:
    """The mean over broken runs."""
    return _mean_where(control=False)


@metric
def healthy() -> Metric:
    """The mean over healthy runs: the share that was recognised as such."""
    return _mean_where(control=True)


def _mean_where(*, control: bool) -> Callable[[list[SampleScore]], float]:
    def measure(scores: list[SampleScore]) -> float:
        values = [value.score.as_float() for value in scores if (value.score.metadata or {}).get("control") is control]
        return sum(values) / len(values) if values else math.nan

    return measure


_METRICS: dict[str, Any] = {"score": [mean(), stderr(), faults(), healthy()], **{row: [mean()] for row in WEIGHTS}}


@scorer(metrics=_METRICS)
def rubric() -> Scorer:
    """The score and its rows; NaN for what could not be scored, and then for the score too."""

    async def score(state: TaskState, target: Target) -> Score:
        outcome = state.store_as(Outcome)
        rows = {name: outcome.rows.get(name, 0.0) for name in WEIGHTS}
        value: dict[str, Any] = {name: math.nan if given is None else given for name, given in rows.items()}
        value["score"] = math.nan if outcome.unscored else outcome.score
        return Score(
            value=value,
            explanation=", ".join(f"{name} {given}" for name, given in rows.items()),
            metadata={"unscored": outcome.unscored, "steps": outcome.steps, "control": outcome.control},
        )

    return score
