"""Where episodes are played: in this process on a bank, or on a server. The harness knows nothing else of the two."""

from __future__ import annotations

import functools
import json
import urllib.error
import urllib.request
from typing import Any, Protocol

from mlops_debugger.agents import Example, Template
from mlops_debugger.bank import Bank
from mlops_debugger.contract import MLOpsAction, MLOpsObservation, MLOpsState
from mlops_debugger.edits import CODE, CONFIG
from mlops_debugger.environment import Selector, Session
from mlops_debugger.environment.driver import Trainer
from mlops_debugger.errors import EvaluationError
from mlops_debugger.projects import projects
from mlops_debugger.runs.workspace import render
from mlops_debugger.seeds import generator

_NAME = "mlops_pipeline_debugger"
SEALED = "sealed"


class Table(Protocol):
    """A place at which one episode after the other is played."""

    def reset(self, *, split: str, task: str, index: int, controls: bool | None) -> MLOpsObservation:
        """Open the episode at this index."""

    def step(self, action: MLOpsAction) -> MLOpsObservation:
        """Carry an action out."""

    def state(self) -> MLOpsState:
        """The state; a server may keep the answer in it sealed."""

    def close(self) -> None:
        """Leave."""


class LocalTable:
    """A session in this process. Every table opens the bank itself: a reader's decompressor is not shared."""

    def __init__(self, bank: Bank, trainer: Trainer | None) -> None:
        self._bank = Bank(bank.path)
        self._session = Session(self._bank, trainer)

    def reset(self, *, split: str, task: str, index: int, controls: bool | None) -> MLOpsObservation:
        return self._session.reset(split=split, task_id=task, index=index, controls=controls)

    def step(self, action: MLOpsAction) -> MLOpsObservation:
        return self._session.step(action)

    def state(self) -> MLOpsState:
        return self._session.state()

    def close(self) -> None:
        self._session.close()
        self._bank.close()


class RemoteTable:
    """A WebSocket session on a server, through the OpenEnv client."""

    def __init__(self, url: str, harness_key: str | None, token: str | None = None) -> None:
        from mlops_debugger.openenv.client import MLOpsClient

        self._url = url
        self._client = MLOpsClient(url, harness_key=harness_key, token=token).sync()
        try:
            self._client.connect()
        except (OSError, RuntimeError, TimeoutError) as error:
            raise EvaluationError(f"expected a server at {url}, found none ({error}): is it running?") from None

    def reset(self, *, split: str, task: str, index: int, controls: bool | None) -> MLOpsObservation:
        chosen: dict[str, Any] = {"split": split, "task_id": task, "index": index}
        if controls is not None:
            chosen["controls"] = controls
        observation: MLOpsObservation = self._told(self._client.reset, **chosen).observation
        return observation

    def step(self, action: MLOpsAction) -> MLOpsObservation:
        observation: MLOpsObservation = self._told(self._client.step, action).observation
        return observation

    def state(self) -> MLOpsState:
        state: MLOpsState = self._told(self._client.state)
        return state

    def close(self) -> None:
        self._client.close()

    def _told(self, call: Any, *arguments: Any, **options: Any) -> Any:
        """OpenEnv's client raises whatever its transport raises; a server's error frame is a RuntimeError."""
        try:
            return call(*arguments, **options)
        except (OSError, RuntimeError, TimeoutError) as error:
            raise EvaluationError(f"{self._url}: {error}") from None


_RENDERINGS = 64
"""Healthy renderings of each project that `public_templates` gives: enough to see every spelling of a line."""


@functools.cache
def public_templates() -> tuple[Template, ...]:
    """What anybody can make from this repository: healthy renderings of every project's template."""
    found = []
    for name, project in projects().items():
        for number in range(_RENDERINGS):
            sources = render(project, project.vary(generator("public template", name, number)))
            found.append(Template(project.dataset, sources[CONFIG], sources[CODE]))
    return tuple(found)


class Room:
    """Opens tables. `size` is the number of episodes of a split and task, None where the server does not tell."""

    def __init__(
        self,
        *,
        bank: Bank | None = None,
        trainer: Trainer | None = None,
        url: str = "",
        harness_key: str | None = None,
        token: str | None = None,
    ) -> None:
        if (bank is None) == (not url):
            raise EvaluationError("expected a bank or the address of a server, found both or neither: name one")
        self._bank, self._trainer, self._url = bank, trainer, url.rstrip("/")
        self._key, self._token = harness_key, token

    @property
    def place(self) -> str:
        """Where episodes are played, in words."""
        return self._url or (str(self._bank.path) if self._bank else "")

    def table(self) -> Table:
        if self._bank is not None:
            return LocalTable(self._bank, self._trainer)
        return RemoteTable(self._url, self._key, self._token)

    def train_examples(self) -> tuple[Example, ...]:
        """The train split with its answers; raises `EvaluationError` on a server, which does not hand them out."""
        if self._bank is None:
            raise EvaluationError(
                f"expected a bank to learn its train split by heart, found the server at {self._url}: "
                "play this agent in process, without --url"
            )
        session, examples = Session(self._bank), []
        for entry in self._bank.select(split="train"):
            shown = session.reset(scenario_id=entry.scenario_id)
            examples.append(Example(shown, session.state(), session.episode.scenario.findings))
        return tuple(examples)

    def size(self, split: str, task: str, controls: bool | None) -> int | None:
        """How many episodes there are; raises `EvaluationError` where nobody answers."""
        if self._bank is not None:
            return len(Selector(self._bank).pool(task_id=task, split=split, controls=controls))
        if controls is not None:
            return None
        name = split if task == "mixed" else f"{split}/{task}"
        request = urllib.request.Request(  # noqa: S310 - the operator's own server
            f"{self._url}/{_NAME}/num_tasks",
            data=json.dumps({"split": name}).encode(),
            headers={
                "Content-Type": "application/json",
                **({"Authorization": f"Bearer {self._token}"} if self._token else {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return int(json.load(answer)["num_tasks"])
        except urllib.error.HTTPError as error:
            detail = error.read(400).decode("utf-8", "replace")
            raise EvaluationError(f"{self._url} does not know split {name}: {detail}") from None
        except (OSError, ValueError, KeyError) as error:
            raise EvaluationError(f"expected a server at {self._url}, found none ({error}): is it running?") from None
