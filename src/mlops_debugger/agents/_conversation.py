"""What is said to a language model in an episode, kept short enough for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_CHARACTERS_A_TOKEN = 3.0
"""A careful guess for configurations, numbers and code; the endpoint's own count replaces it."""
_ROOM = 0.6
"""How much of the budget is used after old answers were left out: a prompt that loses a little each time is never
found in an endpoint's cache."""
_KEPT = 2
"""The latest answers of tools are left out last."""
_SHORTEST = 400

Message = dict[str, Any]


class Conversation:
    """Messages in OpenAI's form. `budget` is the most tokens that a prompt may have."""

    def __init__(self, system: str, opening: str, budget: int) -> None:
        self._messages: list[Message] = [{"role": "system", "content": system}, {"role": "user", "content": opening}]
        self._budget = float(budget)
        self._density = _CHARACTERS_A_TOKEN
        self._sent = 0

    def replied(self, message: Mapping[str, Any], calls: Sequence[Message]) -> None:
        """Keep what the model said, and `calls`, its tool calls in a form that every endpoint reads."""
        content = message.get("content")
        kept: Message = {"role": "assistant", "content": content if isinstance(content, str) else None}
        if calls:
            kept["tool_calls"] = list(calls)
        elif kept["content"] is None:
            kept["content"] = ""
        self._messages.append(kept)

    def answered(self, call_id: str, text: str) -> None:
        """Keep what came of a tool call; no single answer may take more than a quarter of the budget."""
        most = max(_SHORTEST, int(self._budget * self._density / 4))
        self._messages.append({"role": "tool", "tool_call_id": call_id, "content": shortened(text, most)})

    def said(self, text: str) -> None:
        self._messages.append({"role": "user", "content": text})

    def prompt(self) -> list[Message]:
        """The messages to send, within the budget: old answers of tools are left out, then long ones shortened."""
        if self._tokens() > self._budget:
            self._leave_out(self._budget * _ROOM)
        self._sent = self._characters()
        return [dict(message) for message in self._messages]

    def measured(self, tokens: int) -> None:
        """Learn from the endpoint's count of the last prompt. (It holds the tools too, so it is rather too careful.)"""
        if tokens > 0 and self._sent > 0:
            self._density = max(0.5, min(8.0, self._sent / tokens))

    def shrink(self) -> bool:
        """Halve the budget, since the last prompt was too long after all. False: it is as short as can be."""
        before = self._characters()
        self._budget = min(self._budget, self._tokens()) / 2
        self._leave_out(self._budget)
        return self._characters() < before

    def _leave_out(self, target: float) -> None:
        tools = [message for message in self._messages if message["role"] == "tool"]
        for message in tools[:-_KEPT]:
            if self._tokens() <= target:
                return
            if len(message["content"]) > _SHORTEST:
                message["content"] = (
                    f"[{len(message['content'])} characters, left out here to save room: ask again if you need them, "
                    "which costs a step]"
                )
        for message in tools[-_KEPT:]:
            excess = int((self._tokens() - target) * self._density)
            if excess <= 0:
                return
            message["content"] = shortened(message["content"], max(_SHORTEST, len(message["content"]) - excess))

    def _tokens(self) -> float:
        return self._characters() / self._density

    def _characters(self) -> int:
        return sum(len(json.dumps(message, ensure_ascii=False)) for message in self._messages)


def shortened(text: str, most: int) -> str:
    """The text without its middle, cut at whole lines where it has some, and a note that says so."""
    if len(text) <= most:
        return text
    head, tail = text[: most * 2 // 3], text[len(text) - most // 3 :]
    head, tail = head.rpartition("\n")[0] or head, tail.partition("\n")[2] or tail
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[… {left_out} characters left out: ask for a part of it …]\n{tail}"
