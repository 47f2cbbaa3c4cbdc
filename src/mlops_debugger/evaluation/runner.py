"""Agents × scenarios → transcripts, several at once, resumable."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from mlops_debugger import catalog
from mlops_debugger.agents import Agent, Closable, Handed, Model, Player, agents, exploit_agents
from mlops_debugger.contract import MLOpsObservation
from mlops_debugger.errors import EvaluationError
from mlops_debugger.evaluation.play import play
from mlops_debugger.evaluation.records import Journal, Transcript
from mlops_debugger.evaluation.tables import Room, Table, public_templates
from mlops_debugger.seeds import derive

TRANSCRIPTS = "transcripts.jsonl"


@dataclass(frozen=True)
class Plan:
    """What to play: the first `episodes` scenarios of a split and task (None: all of them), in the bank's order.

    `controls` keeps healthy controls alone, or drops them; `seed` feeds agents that draw; `model` those that ask one.
    """

    agent: str
    split: str = "test"
    task: str = "mixed"
    episodes: int | None = None
    controls: bool | None = None
    seed: int = 0
    workers: int = 1
    model: Model | None = None

    @property
    def player(self) -> str:
        """Under which name episodes are kept: the agent's, and its model's."""
        return f"{self.agent}:{self.model.name}" if self.model else self.agent


def evaluate(plan: Plan, room: Room, out: Path, report: Callable[[Transcript, int], None]) -> list[Transcript]:
    """Play what `out` does not have yet; returns the transcripts of the whole plan, in its order.

    `report` hears of every episode, those found finished included, with the number planned. Raises `EvaluationError`
    where agent, split or server are not there.
    """
    agent = catalog.get({**exploit_agents(), **agents()}, plan.agent, "agent")
    count = planned(plan, room)
    handed = Handed(
        train_examples=room.train_examples() if agent.privileged == "train_examples" else (),
        templates=public_templates() if agent.privileged == "templates" else (),
        model=plan.model,
    )
    if agent.asks_model == (plan.model is None):
        raise EvaluationError(
            f"agent {plan.agent} needs a model: give --model NAME, and --base-url URL"
            if agent.asks_model
            else f"agent {plan.agent} asks no model: leave --model out"
        )
    journal = Journal(out / TRANSCRIPTS)
    try:
        found = _Evening(plan, agent, room, journal, handed).play(count, report)
    finally:
        journal.close()
    return [found[index] for index in sorted(found)]


def planned(plan: Plan, room: Room) -> int:
    """How many episodes the plan comes to."""
    size = room.size(plan.split, plan.task, plan.controls)
    if plan.episodes is None and size is None:
        raise EvaluationError("a server does not tell how many controls it has: say how many --episodes to play")
    if plan.episodes is not None and plan.episodes < 1:
        raise EvaluationError(f"expected at least one episode, found {plan.episodes}")
    known = [number for number in (plan.episodes, size) if number is not None]
    return min(known)


class _Place(TypedDict):
    split: str
    task: str
    index: int


class _Evening:
    """One evaluation under way: its tables, and what is finished."""

    def __init__(self, plan: Plan, agent: Agent, room: Room, journal: Journal, handed: Handed) -> None:
        self._plan, self._agent, self._room, self._journal, self._handed = plan, agent, room, journal, handed
        self._finished = {item.key: item for item in journal.done}
        self._tables: list[Table] = []
        self._mine = threading.local()
        self._stopped = threading.Event()

    def play(self, count: int, report: Callable[[Transcript, int], None]) -> dict[int, Transcript]:
        found: dict[int, Transcript] = {}
        threads = ThreadPoolExecutor(max(1, self._plan.workers), thread_name_prefix="episode")
        try:
            waiting = {threads.submit(self._episode, index): index for index in range(count)}
            for future in as_completed(waiting):
                transcript = future.result()
                if transcript is not None:
                    found[waiting[future]] = transcript
                    report(transcript, count)
        finally:
            self._stopped.set()
            threads.shutdown(wait=True, cancel_futures=True)
            for table in self._tables:
                table.close()
        return found

    def _episode(self, index: int) -> Transcript | None:
        if self._stopped.is_set():
            return None
        plan, table = self._plan, self._table()
        first = table.reset(split=plan.split, task=plan.task, index=index, controls=plan.controls)
        earlier = self._finished.get((plan.player, first.run_id))
        if earlier is not None:
            return earlier
        agent = self._agent
        state = table.state() if agent.privileged == "state" else None
        seed = derive("evaluation", plan.seed, plan.agent, first.run_id)
        handed = self._handed
        player = agent.start(seed, state, handed.train_examples, handed.templates, handed.model)
        with contextlib.closing(player) if isinstance(player, Closable) else contextlib.nullcontext():
            transcript = self._attempts(table, player, first, {"split": plan.split, "task": plan.task, "index": index})
        self._journal.add(transcript)
        return transcript

    def _attempts(self, table: Table, player: Player, first: MLOpsObservation, place: _Place) -> Transcript:
        """The first attempt, with the scores of later ones where the agent wants them."""
        plan = self._plan
        transcript, later = play(table, plan.player, player, first, **place), []
        for _ in range(self._agent.attempts - 1):
            again = table.reset(**place, controls=plan.controls)
            later.append(play(table, plan.player, player, again, **place))
        usage = later[-1].usage if later else transcript.usage
        return transcript.model_copy(update={"later_scores": [item.score for item in later], "usage": usage})

    def _table(self) -> Table:
        """A table of this thread's own."""
        table: Table | None = getattr(self._mine, "table", None)
        if table is None:
            table = self._mine.table = self._room.table()
            self._tables.append(table)
        return table
