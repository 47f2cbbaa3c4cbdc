"""Bad input for a server, made from a seed: WebSocket frames, actions, resets, fixes, HTTP bodies."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from mlops_debugger.contract import ACTION_TYPES, ARTIFACTS, CATEGORIES, SANITY_CHECKS, MLOpsAction

FIELDS = tuple(MLOpsAction.model_fields)
CHOICES = {
    "action_type": ACTION_TYPES,
    "artifact_name": ARTIFACTS,
    "failure_category": CATEGORIES,
    "sanity_check_type": SANITY_CHECKS,
    "root_cause_file": ARTIFACTS,
}
ODD_TEXTS = (
    "", " ", "\x00", "\n", "\ud800", "\udfff\ud800", "é" * 300, "💥", "\u202e", "None", "null", "NaN", "epoch:", "epoch:-1",
    "epoch:1-", "epoch:9-1", "epoch:0-999999", "epoch:1-5-9", "epoch:٣", "epoch:1e9", "EPOCH: 1 - 2", ".*", "(a+)+$", "[", "\\",
    "%s%n", "{}", "../../etc/passwd", "$.a", "a..b", "...", "a[", "a[0", "a[-1]", "a[99999999999]", "['x']", "a.b.c.d.e.f.g",
    "__class__.__init__.__globals__", "train.log", "sealed", "'; DROP TABLE scenario; --", "<script>", "\r\n\r\n",
)  # fmt: skip
FIXES = (
    "config.yaml: a = *x", "config.yaml: a = &x [*x]", "config.yaml: a = !!python/object:os.system x", "config.yaml:",
    "config.yaml: optimizer = {a: [{b: [{c: [1]}]}]}", "preprocessing.py:", "preprocessing.py:\n-\n+", "preprocessing.py:\n+x",
    "--- a/preprocessing.py\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b", "--- a/x\n+++ b/x\n@@", "@@ -1 +1 @@\n-a\n+b", "- a\n+ b",
    "config.yaml: a = 1e999", "config.yaml: a = .nan", "config.yaml: a = 0x" + "f" * 300, "config.yaml: remove a", "prose",
    "config.yaml: " + ".".join("a" * 60) + " = 1", "config.yaml: a = '", "config.yaml: a = [", "config.yaml: seed = \x07",
    "preprocessing.py:\n- import numpy as np\n+ import os; os.abort()", "config.yaml: add a.b.c = 1", "```\n```\n```",
    "config.yaml: a: b: c: d", "config.yaml: a = ? x", "config.yaml: a = |\n  x", "config.yaml: a = %TAG ! x",
)  # fmt: skip


class BadInput:
    """`frame()` gives what to send over the WebSocket, `body()` what to post; equal seeds give equal input."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._kinds: tuple[tuple[Callable[[], str | bytes], int], ...] = (
            (self._bad_action, 40),
            (self._bad_diagnosis, 14),
            (self._bad_reset, 12),
            (self._bad_envelope, 12),
            (self._broken_json, 10),
            (self._deep, 3),
            (self._huge, 2),
            (self._binary, 4),
            (self._bad_call, 3),
        )

    def frame(self) -> str | bytes:
        kinds, weights = zip(*self._kinds, strict=True)
        make: Callable[[], str | bytes] = self._random.choices(kinds, weights)[0]
        return make()

    def body(self) -> bytes:
        """An HTTP body: the same, with what HTTP asks for around it."""
        draw = self._random
        kind = draw.randrange(4)
        if kind == 0:
            frame = self.frame()
            return frame if isinstance(frame, bytes) else frame.encode("utf-8", "surrogatepass")
        inner = {1: self._action, 2: self._reset, 3: self.value}[kind]()
        outer = {"action": inner} if draw.random() < 0.5 else inner
        if draw.random() < 0.3:
            outer = {"split": self.value(), "index": self.value(), "start": self.value(), "stop": self.value()}
        return json.dumps(outer).encode()

    def value(self, depth: int = 0) -> Any:
        """Any JSON value, odd ones preferred."""
        draw = self._random
        kind = draw.randrange(10 if depth < 3 else 8)
        if kind == 8:
            return [self.value(depth + 1) for _ in range(draw.randrange(4))]
        if kind == 9:
            return {self.text(): self.value(depth + 1) for _ in range(draw.randrange(4))}
        return (
            None, True, draw.choice((0, -1, 2**63, -(2**63), 10**30, 7)), draw.choice((1e308, -0.0, 1e-320, 0.5)),
            draw.choice((float("nan"), float("inf"), -float("inf"))), self.text(), draw.choice(ODD_TEXTS), "7",
        )[kind]  # fmt: skip

    def text(self) -> str:
        draw = self._random
        kind = draw.randrange(6)
        if kind == 0:
            return draw.choice(ODD_TEXTS)
        if kind == 1:
            return "".join(
                chr(draw.choice((draw.randrange(128), draw.randrange(0x11000)))) for _ in range(draw.randrange(20))
            )
        if kind == 2:
            return draw.choice("a.[e(-") * draw.choice((1, 199, 200, 201, 3000))
        if kind == 3:
            return ".".join(
                draw.choice(("a", "0", "epoch", "metrics", "train", "x" * 30)) for _ in range(draw.randrange(9))
            )
        return draw.choice(
            ("read_config", "config.yaml", "optimizer.learning_rate", "epoch:1-5", "val_loss", "warning")
        )

    def _action(self) -> dict[str, Any]:
        draw = self._random
        action: dict[str, Any] = {}
        for name in draw.sample(FIELDS, draw.randrange(1, 5)):
            action[name] = draw.choice(CHOICES[name]) if name in CHOICES and draw.random() < 0.5 else self.value()
        if draw.random() < 0.8:
            action["action_type"] = draw.choice(ACTION_TYPES[:-1])
        if draw.random() < 0.1:
            action[self.text()] = self.value()
        return action

    def _reset(self) -> dict[str, Any]:
        draw = self._random
        names = ("seed", "episode_id", "task_id", "split", "index", "controls", "self", "kwargs", self.text())
        return {name: self.value() for name in draw.sample(names, draw.randrange(1, 5))}

    def _bad_action(self) -> str:
        draw = self._random
        if draw.random() < 0.5:
            return json.dumps({"type": "step", "data": self._action()})
        name, field = draw.choice((("read_logs", "log_filter"), ("query_artifact", "field_path")))
        data = {"action_type": name, field: self.text(), "artifact_name": draw.choice(ARTIFACTS)}
        return json.dumps({"type": "step", "data": data})

    def _bad_diagnosis(self) -> str:
        draw = self._random
        fix = draw.choice(FIXES) if draw.random() < 0.6 else self._random_fix()
        data: dict[str, Any] = {
            "action_type": "submit_diagnosis",
            "failure_category": draw.choice((*CATEGORIES, self.value())),
            "root_cause_file": draw.choice((*ARTIFACTS, self.text())),
            "root_cause_field": self.text(),
            "proposed_fix": fix,
            "diagnosis": draw.choice((None, self.text(), "x" * 10_001)),
        }
        del data[draw.choice(("failure_category", "diagnosis", "root_cause_field"))]
        return json.dumps({"type": "step", "data": data})

    def _random_fix(self) -> str:
        draw = self._random
        parts = (
            "config.yaml:",
            "preprocessing.py:",
            "- ",
            "+ ",
            " ",
            "\n",
            "@@ -1,2 +1,2 @@",
            "--- a/preprocessing.py",
            "=",
        )
        return "".join(draw.choice((*parts, "\n", self.text())) for _ in range(draw.randrange(30)))

    def _bad_reset(self) -> str:
        return json.dumps({"type": "reset", "data": self._reset()})

    def _bad_envelope(self) -> str:
        draw = self._random
        message: Any = {"type": draw.choice(("reset", "step", "state", "mcp", "dance", self.value()))}
        if draw.random() < 0.6:
            message["data"] = self.value()
        if draw.random() < 0.4:
            message[self.text()] = self.value()
        return json.dumps(draw.choice((message, [message], self.value())))

    def _broken_json(self) -> str:
        """A good message with a piece missing, doubled or exchanged."""
        draw = self._random
        text = json.dumps({"type": "step", "data": {"action_type": "read_logs", "log_filter": "epoch:1-2"}})
        for _ in range(draw.randrange(1, 4)):
            place = draw.randrange(len(text))
            text = (
                text[:place]
                + draw.choice(("", '"', "{", "\\", "\x00", "é", text[:5]))
                + text[place + draw.randrange(3) :]
            )
        return text

    def _deep(self) -> str:
        draw = self._random
        levels = draw.choice((50, 500, 900, 990, 1100, 20_000))
        inner = draw.choice(("[" * levels + "]" * levels, '{"a":' * levels + "1" + "}" * levels, "[" * levels))
        return draw.choice((inner, f'{{"type": "step", "data": {{"action_type": {inner}}}}}', f'{{"type": {inner}}}'))

    def _huge(self) -> str:
        draw = self._random
        text = draw.choice(("x", "\ud800", "9", "a.", "\n+ x = 1", "config.yaml: a = 1\n")) * draw.choice(
            (4_000, 20_000)
        )
        field = draw.choice(
            ("log_filter", "field_path", "proposed_fix", "diagnosis", "action_type", "root_cause_field")
        )
        if draw.random() < 0.2:
            return f'{{"type": "reset", "data": {{"seed": {"9" * 5_000}}}}}'
        kind = {"log_filter": "read_logs", "field_path": "query_artifact"}.get(field, "submit_diagnosis")
        return json.dumps({"type": "step", "data": {"action_type": kind, "artifact_name": "train.log", field: text}})[
            :120_000
        ]

    def _binary(self) -> bytes:
        draw = self._random
        return draw.choice((draw.randbytes(draw.randrange(50)), b'{"type": "state"}', b""))

    def _bad_call(self) -> str:
        draw = self._random
        data = {
            "jsonrpc": "2.0",
            "method": draw.choice(("tools/list", "tools/call", "initialize", self.text())),
            "id": 1,
        }
        data[draw.choice(("params", "id", "jsonrpc", "x"))] = self.value()
        return json.dumps({"type": "mcp", "data": data})
