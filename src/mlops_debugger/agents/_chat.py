"""A chat endpoint that speaks OpenAI's protocol: what is asked of it, how often again, and what it costs.

Over httpx, and not over a vendor's client: one request is all there is, and how it is repeated has to be counted.
"""

from __future__ import annotations

import email.utils
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mlops_debugger.errors import AgentError, EvaluationError
from mlops_debugger.seeds import derive

if TYPE_CHECKING:
    import httpx

OPENAI_URL = "https://api.openai.com/v1"
_AGAIN = frozenset({408, 409, 425, 429})
"""Statuses, besides 500 and above, that may be gone the next time."""
_LONGEST_WAIT_S = 300.0
_LONGEST_BACKOFF_S = 60.0
_FIXED = ("model", "messages", "tools", "stream", "n")
_MILLION = 1_000_000
_TOO_LONG = ("context_length", "context length", "maximum context", "context window", "too many tokens", "too long")


@dataclass(frozen=True)
class Prices:
    """What a million tokens cost, in whatever currency; `cached` are prompt tokens that the endpoint found cached."""

    prompt: float
    completion: float
    cached: float | None = None

    def cost(self, usage: Usage) -> float:
        fresh = usage.prompt_tokens - usage.cached_tokens
        cached = self.prompt if self.cached is None else self.cached
        total = fresh * self.prompt + usage.cached_tokens * cached + usage.completion_tokens * self.completion
        return total / _MILLION


@dataclass(frozen=True)
class Model:
    """A language model and how it is asked. The key is not here: it stays in the environment variable `key_variable`.

    `options` go into every request as they are; `send_seed` adds a seed for each episode; `context_tokens` is how long
    a prompt may become; a request is given up after `timeout_s` without a byte, and made again up to `retries` times.
    """

    name: str
    base_url: str = OPENAI_URL
    key_variable: str = "OPENAI_API_KEY"
    options: Mapping[str, Any] = field(default_factory=dict)
    send_seed: bool = False
    context_tokens: int = 32_000
    timeout_s: float = 120.0
    retries: int = 6
    prices: Prices | None = None

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise EvaluationError(f"expected an endpoint's address, http://… or https://…, found {self.base_url!r:.80}")
        if clash := [name for name in self.options if name in _FIXED]:
            raise EvaluationError(f"model options: {', '.join(clash)} is set by the agent: leave it out")


@dataclass(frozen=True)
class Usage:
    """What a player used in one episode. `uncounted` requests were answered without a word on tokens.

    `cached_tokens` are part of `prompt_tokens`; `cost` is None where no prices were given. Requests that failed are
    `retries`; whether an endpoint charged for them is not known.
    """

    model: str
    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0
    cost: float | None = None


@dataclass(frozen=True)
class Reply:
    """The model's message as it came, why it ended, and how long the prompt was (0: not told)."""

    message: Mapping[str, Any]
    finish: str
    prompt_tokens: int


class TooLong(AgentError):
    """The endpoint says that the conversation does not fit into the model's context."""


class Chat:
    """Requests to one endpoint, for one episode. `seed` spreads the waits of episodes that run at once."""

    def __init__(self, model: Model, seed: int, sleep: Callable[[float], None] = time.sleep) -> None:
        import httpx

        self._model, self._seed, self._sleep = model, seed, sleep
        self._key = os.environ.get(model.key_variable, "")
        if not self._key and model.base_url.startswith(OPENAI_URL):
            raise EvaluationError(f"expected the key of {OPENAI_URL} in the environment variable {model.key_variable}")
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        self._http = httpx.Client(headers=headers, timeout=httpx.Timeout(model.timeout_s, connect=30.0))
        self._usage = Usage(model.name)

    @property
    def usage(self) -> Usage:
        prices = self._model.prices
        return self._usage if prices is None else replace(self._usage, cost=prices.cost(self._usage))

    def close(self) -> None:
        self._http.close()

    def ask(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> Reply:
        """The model's next message.

        Raises `EvaluationError` where the endpoint does not do its work (no other episode would fare better),
        `TooLong`, and `AgentError` where it refuses this conversation.
        """
        body = {
            "model": self._model.name,
            "messages": messages,
            "tools": tools,
            "tool_choice": "auto",
            **({"seed": self._seed % 2**31} if self._model.send_seed else {}),
            **self._model.options,
        }
        answer = self._post(json.dumps(body).encode())
        choice = answer["choices"][0]
        told = answer.get("usage")
        self._count(told if isinstance(told, Mapping) else {})
        return Reply(choice["message"], str(choice.get("finish_reason")), _number(told, "prompt_tokens"))

    def _post(self, body: bytes) -> dict[str, Any]:
        import httpx

        address, reason = f"{self._model.base_url.rstrip('/')}/chat/completions", ""
        for attempt in range(self._model.retries + 1):
            wait: float | None = None
            try:
                response = self._http.post(address, content=body, headers={"Content-Type": "application/json"})
            except httpx.HTTPError as error:
                reason = self._safe(f"{type(error).__name__} {error}")
            else:
                if response.is_success and (answer := _answer(response)) is not None:
                    return answer
                reason = self._safe(f"status {response.status_code}: {response.text}")
                if not (response.is_success or response.status_code in _AGAIN or response.status_code >= 500):
                    self._refused(response.status_code, reason)
                if "insufficient_quota" in response.text:
                    break
                wait = _asked_wait(response.headers)
            if attempt < self._model.retries:
                self._usage = replace(self._usage, retries=self._usage.retries + 1)
                self._sleep(self._backoff(attempt) if wait is None else wait)
        raise EvaluationError(
            f"{self._model.base_url} did not answer after {self._usage.retries} retries ({reason}): "
            "what is finished is kept, start again when it works"
        )

    def _refused(self, status: int, reason: str) -> None:
        """What was refused at once, the first request of an episode, is refused in every episode."""
        if status in (400, 413, 422) and any(words in reason.lower() for words in _TOO_LONG):
            raise TooLong(f"the conversation is too long for the model ({reason})")
        if status in (400, 413, 422) and self._usage.requests:
            raise AgentError(f"the endpoint refused the conversation ({reason})")
        raise EvaluationError(
            f"{self._model.base_url} refuses requests ({reason}): check the address, the model's name, its options, "
            f"and the key in {self._model.key_variable}"
        )

    def _backoff(self, attempt: int) -> float:
        spread = 0.75 + 0.5 * (derive("backoff", self._seed, self._usage.retries) % 1000) / 1000
        return min(_LONGEST_BACKOFF_S, 0.5 * 2.0**attempt) * spread

    def _count(self, told: Mapping[str, Any]) -> None:
        details = told.get("prompt_tokens_details")
        used, prompt = self._usage, _number(told, "prompt_tokens")
        self._usage = replace(
            used,
            requests=used.requests + 1,
            prompt_tokens=used.prompt_tokens + prompt,
            cached_tokens=used.cached_tokens + min(prompt, _number(details, "cached_tokens")),
            completion_tokens=used.completion_tokens + _number(told, "completion_tokens"),
            uncounted=used.uncounted + (prompt == 0),
        )

    def _safe(self, text: str) -> str:
        """What somebody may read: short, and without the key, which some endpoints repeat."""
        text = " ".join(text.split())
        return (text.replace(self._key, "[key]") if self._key else text)[:300]


def _answer(response: httpx.Response) -> dict[str, Any] | None:
    """The body, if it holds a message; some gateways answer their own failures with status 200."""
    try:
        answer = json.loads(response.content)
        usable = isinstance(answer["choices"][0]["message"], dict)
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return None
    return answer if usable else None


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    """The seconds that the endpoint asks to wait: Retry-After as seconds or as a date; None where it does not."""
    told, scale = headers.get("retry-after-ms"), 1e-3
    if told is None:
        told, scale = headers.get("retry-after"), 1.0
    if told is None:
        return None
    try:
        seconds = float(told) * scale
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(told).timestamp() - time.time()
        except ValueError:
            return None
    return min(seconds, _LONGEST_WAIT_S) if seconds >= 0 else None


def _number(told: object, name: str) -> int:
    value = told.get(name) if isinstance(told, Mapping) else None
    return value if isinstance(value, int) and value > 0 else 0
