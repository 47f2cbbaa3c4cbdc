"""OpenEnv's harness rollouts: whole episodes played by a model or an agent, written for supervised fine-tuning.

    factory = EpisodeFactory()
    collect(factory, agent_model(factory, "rules"), episodes(20), Path("rollouts"))

`results.jsonl` has a line for every episode, as OpenEnv's `CollectRunner` writes it (a second call resumes).
`sft.jsonl` has those good enough to learn from: `messages` in the format of OpenAI-compatible endpoints, `tools`,
`reward`. The verdict is left out of the messages. `tools` is JSON text, as TRL takes it: as a nested value, tables of
Arrow would fill every schema with the fields of all others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlops_debugger.openenv  # noqa: F401  isort: skip  (before openenv: it keeps the web stack out)
from openenv.core.env_server.mcp_types import Tool
from openenv.core.harness.collect import CollectRunner, RolloutSerializer, build_model_step
from openenv.core.harness.rollout import (
    HarnessRunLimits,
    MCPHarnessAdapter,
    ModelStep,
    ModelStepResult,
    ResourceSession,
    ResourceSessionFactory,
    ToolResult,
    VerifyResult,
)
from openenv.core.llm_client import LLMResponse, OpenAIClient, ToolCall

from mlops_debugger.adapters._play import BankLike, Play
from mlops_debugger.adapters._tools import chat_tools, tool_schemas
from mlops_debugger.agents import Player, agents
from mlops_debugger.environment.driver import Trainer
from mlops_debugger.errors import EvaluationError

SFT = "sft.jsonl"
SYSTEM = "You are an ML engineer. Investigate the training run with the tools, then submit a diagnosis."
# Every turn costs a step, so the environment's own limit ends an episode first.
_LIMITS = HarnessRunLimits(max_turns=1_000)
Task = Mapping[str, Any]
"""What chooses an episode: `split`, `index`, `task_id`, `seed`, `controls`, as `Session.reset` takes them."""


class EpisodeSession(ResourceSession):
    """An episode as OpenEnv's harnesses drive it. The reward is 0 until the end, then the score."""

    def __init__(self, play: Play, opening: str) -> None:
        self.play = play
        self._opening = opening

    def initial_messages(self) -> list[dict[str, Any]]:
        return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": self._opening}]

    def list_tools(self) -> list[Tool]:
        return [
            Tool(name=tool["name"], description=tool["description"], input_schema=tool["parameters"])
            for tool in tool_schemas()
        ]

    def call_tool(self, name: str, arguments: dict[str, Any]) -> ToolResult:
        """Carry an action out. An unknown tool or a bad argument costs a step and is answered in words."""
        told = self.play.call(name, arguments)
        return ToolResult(data=told, done=self.play.done, metadata={"reward": self.play.score})

    def verify(self, transcript: list[dict[str, Any]], final_state: Any | None = None) -> VerifyResult:
        """The score that the environment gave; `unscored` names rows that could not be scored."""
        metrics = {
            "rows": self.play.rows,
            "unscored": self.play.unscored,
            "steps": self.play.observation.step_count,
            "run_id": self.play.observation.run_id,
        }
        return VerifyResult(env_reward=self.play.score, done=self.play.done, metrics=metrics)

    def close(self) -> None:
        self.play.close()


class EpisodeFactory(ResourceSessionFactory[EpisodeSession]):
    """Opens episodes; `current` is the one opened last."""

    def __init__(self, bank: BankLike = None, trainer: Trainer | None = None, max_steps: int | None = None) -> None:
        self._bank, self._trainer, self._max_steps = bank, trainer, max_steps
        self.current: EpisodeSession | None = None

    def create(self, task: Task | None, seed: int | None = None, episode_id: str | None = None) -> EpisodeSession:
        """Open the episode of `task`; by `seed` where it names none. Raises `EpisodeError` for what chooses nothing."""
        play = Play(self._bank, self._trainer, self._max_steps)
        chosen = {**({} if seed is None else {"seed": seed}), **(task or {})}
        self.current = EpisodeSession(play, play.reset(**chosen, episode_id=episode_id))
        return self.current


def episodes(
    count: int, split: str = "train", task_id: str = "mixed", controls: bool | None = None
) -> list[dict[str, Any]]:
    """The tasks of the first `count` scenarios of a split."""
    return [{"split": split, "task_id": task_id, "index": index, "controls": controls} for index in range(count)]


def agent_model(factory: EpisodeFactory, name: str, seed: int = 0) -> ModelStep:
    """An agent of this package in the place of a model: it sees the observation, its action becomes a tool call.

    An agent that is `privileged` to the state is handed it; raises `EvaluationError` for other privileges.
    """
    known = agents()
    if name not in known or known[name].privileged not in (None, "state"):
        usable = [key for key, agent in known.items() if agent.privileged in (None, "state")]
        raise EvaluationError(f"expected agent to be one of {', '.join(usable)}, found {name!r}")
    playing: tuple[EpisodeSession, Player] | None = None

    def step(messages: Sequence[dict[str, Any]], tools: Sequence[Tool], sampling: dict[str, Any]) -> ModelStepResult:
        nonlocal playing
        session = factory.current
        if session is None:
            raise EvaluationError("expected an open episode, found none: let the factory create it")
        if playing is None or playing[0] is not session:
            state = session.play.state() if known[name].privileged else None
            playing = session, known[name].start(seed, state=state)
        action = playing[1].act(session.play.observation)
        arguments = action.model_dump(exclude={"action_type", "metadata"}, exclude_none=True)
        call = ToolCall(id=f"call_{len(messages)}", name=action.action_type, args=arguments)
        return ModelStepResult(response=LLMResponse(content="", tool_calls=[call]))

    return step


def endpoint_model(
    endpoint: str, name: str, api_key: str = "none", *, temperature: float = 0.7, max_tokens: int = 4_096
) -> ModelStep:
    """A model behind an OpenAI-compatible endpoint, such as http://127.0.0.1:8001/v1; `max_tokens` bounds a reply."""
    client = OpenAIClient(endpoint, None, model=name, api_key=api_key, temperature=temperature, max_tokens=max_tokens)
    return build_model_step(client)


@dataclass(frozen=True)
class Collected:
    """How many episodes were played now, were there already, failed; and how many lines sft.jsonl has."""

    played: int
    skipped: int
    failed: int
    learnable: int
    mean_reward: float


def collect(
    factory: EpisodeFactory, model: ModelStep, tasks: Iterable[Task], out: Path, min_reward: float = 0.5
) -> Collected:
    """Play an episode for each task, one after the other, and write both files below `out`.

    sft.jsonl has the episodes whose reward is at least `min_reward` and whose rows were all scored.
    """
    tasks = list(tasks)
    serializer = RolloutSerializer(out)
    runner = CollectRunner(
        session_factory=factory,
        harness_adapter=MCPHarnessAdapter(),
        serializer=serializer,
        tasks=tasks,
        limits=_LIMITS,
    )
    result = runner.run(model_step=model, num_episodes=len(tasks))
    kept = write_sft(serializer.results_path, out / SFT, lambda record: record["reward"] >= min_reward)
    return Collected(result.num_collected, result.num_skipped, result.num_failed, kept, result.avg_reward)


def write_sft(results: Path, out: Path, keep: Callable[[dict[str, Any]], bool]) -> int:
    """Write the fully scored episodes that `keep` keeps, a JSON line each; returns how many. Replaces the file."""
    lines = []
    for text in results.read_text("utf-8").splitlines() if results.is_file() else ():
        record = json.loads(text)
        if record["done"] and not record["verify_metrics"]["unscored"] and keep(record):
            lines.append(json.dumps(_example(record), ensure_ascii=False))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return len(lines)


def _example(record: dict[str, Any]) -> dict[str, Any]:
    messages = list(record["messages"])
    while messages and messages[-1]["role"] == "tool":
        messages.pop()  # the verdict
    return {
        "messages": messages,
        "tools": json.dumps(chat_tools()),
        "reward": record["reward"],
        "episode_id": record["episode_id"],
    }
