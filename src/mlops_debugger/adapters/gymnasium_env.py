"""Gymnasium: a registered environment whose actions and observations are dictionaries of choices and texts.

    import mlops_debugger.adapters.gymnasium_env as debugger
    env = gymnasium.make(debugger.ENVIRONMENT_ID, split="train", task_id="easy")
    observation, info = env.reset(seed=7)
    observation, reward, terminated, truncated, info = env.step(debugger.encode(MLOpsAction(action_type="read_config")))

The reward is 0 until the episode is over and then the score in [0, 1]. Running out of steps is part of the task, so it
terminates; nothing is truncated. `info["observation"]` is the contract's observation; at the end `info` has `score`,
`rows` (NaN where a row could not be scored) and `unscored`, the names of those rows: such scores are not comparable.

Vectors: `AsyncVectorEnv` needs `shared_memory=False`, since Gymnasium (1.4) reads texts from shared memory only once.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from mlops_debugger.adapters._play import BankLike, Play, shared_trials
from mlops_debugger.contract import ACTION_TYPES, ARTIFACTS, CATEGORIES, SANITY_CHECKS, MLOpsAction, MLOpsObservation
from mlops_debugger.environment.driver import Trainer
from mlops_debugger.environment.investigation import DEFAULT_MAX_STEPS, MAX_FIELD, MAX_PROSE
from mlops_debugger.grading import WEIGHTS
from mlops_debugger.tools import opening, reading

ENVIRONMENT_ID = "mlops_debugger/Debugger-v0"
MAX_TEXT = 32_768
"""The most characters of an observation's text."""
CHARACTERS = frozenset(string.printable) | frozenset(map(chr, range(0xA1, 0x180))) | frozenset("–—‘’“”…→≤≥−€")
"""What texts are made of; anything else is written as an escape."""
_LENGTHS = {
    "log_filter": 200, "field_path": 500, "root_cause_field": MAX_FIELD, "diagnosis": MAX_PROSE, "proposed_fix": 8_000,
}  # fmt: skip
CHOICES: Mapping[str, tuple[str, ...]] = {
    "action_type": ACTION_TYPES,
    "sanity_check_type": ("", *SANITY_CHECKS),
    "artifact_name": ("", *ARTIFACTS),
    "failure_category": ("", *CATEGORIES),
    "root_cause_file": ("", *ARTIFACTS),
}
"""What each discrete part of an action stands for; "" is a part that is left out."""


def action_space() -> spaces.Dict:
    """A choice for every enumerated field of an action, a text for every other; empty is left out."""
    parts: dict[str, spaces.Space[Any]] = {name: spaces.Discrete(len(given)) for name, given in CHOICES.items()}
    parts |= {name: spaces.Text(length, min_length=0, charset=CHARACTERS) for name, length in _LENGTHS.items()}
    return spaces.Dict(parts)


def encode(action: MLOpsAction) -> dict[str, Any]:
    """An action of the contract as an element of the action space; raises `ValueError` for a file it does not have."""
    given: dict[str, Any] = {
        name: np.int64(options.index(getattr(action, name) or "")) for name, options in CHOICES.items()
    }
    return given | {name: _text(getattr(action, name) or "", length) for name, length in _LENGTHS.items()}


def decode(element: Mapping[str, Any]) -> dict[str, object]:
    """An element of the action space as an action's fields, those that are left out left out."""
    fields: dict[str, object] = {name: options[int(element[name])] for name, options in CHOICES.items()}
    fields |= {name: str(element[name]) for name in _LENGTHS}
    return {name: value for name, value in fields.items() if value != ""}


class DebuggerEnv(gymnasium.Env[dict[str, Any], dict[str, Any]]):
    """Plays episodes of a bank in this process.

    `split`, `task_id` and `controls` narrow what is drawn; reset's `options` may name them anew, and an `index`.
    Fix trials are carried out by `trainer`, else by trials that all environments of the process share.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012  (Gymnasium reads it from the class)

    def __init__(
        self,
        bank: BankLike = None,
        split: str = "train",
        task_id: str = "mixed",
        controls: bool | None = None,
        max_steps: int = DEFAULT_MAX_STEPS,
        trainer: Trainer | None = None,
        allow_code: bool = False,
        render_mode: str | None = None,
    ) -> None:
        self.action_space = action_space()
        self.observation_space = spaces.Dict(
            {"text": spaces.Text(MAX_TEXT, min_length=0, charset=CHARACTERS), "step": spaces.Discrete(max_steps + 1)}
        )
        self.render_mode = render_mode
        self._selection = {"split": split, "task_id": task_id, "controls": controls}
        self._play = Play(bank, trainer or shared_trials(allow_code=allow_code).run, max_steps)
        self._shown = ""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Open an episode: equal seeds give equal ones. Raises `EpisodeError` for options that choose none."""
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(2**48))
        self._play.reset(**{"seed": drawn, **self._selection, **(options or {})})
        return self._seen(opening(self._play.observation)), self._info()

    def step(self, action: dict[str, Any]) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        self._play.act(decode(action))
        play = self._play
        return self._seen(reading(play.observation)), play.score, play.done, False, self._info()

    def render(self) -> str | None:
        """The last text, in render mode `ansi`."""
        return self._shown if self.render_mode == "ansi" else None

    def close(self) -> None:
        self._play.close()

    def _seen(self, text: str) -> dict[str, Any]:
        self._shown = _text(text, MAX_TEXT)
        return {"text": self._shown, "step": np.int64(self._play.observation.step_count)}

    def _info(self) -> dict[str, Any]:
        observation: MLOpsObservation = self._play.observation
        info: dict[str, Any] = {"observation": observation, "run_id": observation.run_id}
        if observation.done:
            rows = {name: self._play.rows.get(name, 0.0) for name in WEIGHTS}
            info["score"] = self._play.score
            info["rows"] = {name: math.nan if value is None else float(value) for name, value in rows.items()}
            info["unscored"] = ", ".join(self._play.unscored)
        return info


def _text(text: str, length: int) -> str:
    """The text in the characters and the length of its space."""
    if not CHARACTERS.issuperset(text):
        text = "".join(char if char in CHARACTERS else ascii(char)[1:-1] for char in text)
    return text if len(text) <= length else text[: length - 1] + "…"


gymnasium.register(ENVIRONMENT_ID, entry_point=DebuggerEnv)
