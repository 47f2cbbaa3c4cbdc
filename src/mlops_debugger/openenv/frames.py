"""What reaches OpenEnv's message loop: whole, well-formed messages of a bounded size, and time that only goes forward.

OpenEnv's loop ends a session at a binary frame, a JSON array, a number of 5,000 digits or JSON that is nested deeply,
and answers others with the words of the library that failed. `FrameMiddleware` answers those itself, in OpenEnv's own
form of an error and with its codes, and the session goes on. Over HTTP a body too large is refused before it is read.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from openenv.core.env_server import http_server
from openenv.core.env_server.types import SessionInfo, WSErrorCode
from starlette.datastructures import Headers

from mlops_debugger.adapters.mcp_server import is_mcp
from mlops_debugger.environment.plain import shown

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1 << 17
"""Of an HTTP request, as of a WebSocket message: the largest that a client has reason to send is a diagnosis, 19,000
characters at most, six bytes each where all are escaped. Reading a megabyte of JSON can take 200 ms."""
MAX_BRACKETS = 20_000
"""Opening ones in a message. Making lists and objects costs more than anything else that a byte of JSON can ask for."""
# A client may send thousands of small messages at once, and a loop over what has arrived already never lets go. Letting
# go costs as much as a step, so it is done for those alone whose messages come faster than answers can be read.
_TURN = 16
_TURN_S = 0.008
_SHOWN_PROBLEMS = 5
# For each type whether it must, may (or, left out, must not) have data.
_TYPES = {"reset": False, "step": True, "state": None, "close": None, "mcp": True}
_TOO_MANY = f"expected a message with at most {MAX_BRACKETS} opening brackets, found more: send a smaller one"
_SHORT = 4_000
is_plain_step = re.compile(rf'\{{"type": ?"step", ?"data": ?\{{[^][{{}}]{{0,{_SHORT}}}\}}\}}').fullmatch
"""Whether this is what clients nearly always send: a step whose data is flat. Seen without parsing it a first time.

The two braces that open are those of the beginning. If it is JSON, both that close are no part of a text, and they
stand side by side at the end, so nothing follows the data; and a short text holds no number that is too long.
"""
Problem = tuple[WSErrorCode, str]
_CALL = 'a JSON-RPC request such as {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}'


def problem_of(text: str | None) -> Problem | None:
    """What is wrong with a frame's text (None for a binary frame), or None where OpenEnv can read it."""
    if text is None:
        return WSErrorCode.INVALID_JSON, "expected a text frame with a JSON object, found a binary frame: send text"
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        return WSErrorCode.INVALID_JSON, _TOO_MANY
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = (
            error.msg
            if isinstance(error, json.JSONDecodeError)
            else "it is nested too deeply, or a number of it is too long"
        )
        return WSErrorCode.INVALID_JSON, f'expected a JSON object such as {{"type": "state"}}, found other text ({why})'
    if not isinstance(message, dict):
        found = type(message).__name__
        return WSErrorCode.VALIDATION_ERROR, f"expected a JSON object with type and data, found {found}"
    return _envelope(message)


def _envelope(message: dict[str, Any]) -> Problem | None:
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in _TYPES:
        what = shown(kind) if isinstance(kind, str) else "none" if kind is None else type(kind).__name__
        return WSErrorCode.UNKNOWN_TYPE, f"expected type to be one of {', '.join(_TYPES)}, found {what}"
    needed = _TYPES[kind]
    for key in message:
        if key != "type" and (key != "data" or needed is None):
            return WSErrorCode.VALIDATION_ERROR, f"a {kind} message has no field {shown(key)}: leave it out"
    if (needed or "data" in message) and not isinstance(message.get("data"), dict):
        found = type(message["data"]).__name__ if "data" in message else "none"
        return WSErrorCode.VALIDATION_ERROR, f"expected data of a {kind} message to be an object, found {found}"
    if kind == "mcp" and not _is_call(message["data"]):
        return (
            WSErrorCode.VALIDATION_ERROR,
            f"expected data of an mcp message to be {_CALL}, found something else",
        )
    return None


def _is_call(data: dict[str, Any]) -> bool:
    identity, method = data.get("id"), data.get("method")
    return (
        set(data) <= {"jsonrpc", "method", "params", "id"}
        and data.get("jsonrpc") == "2.0"
        and isinstance(method, str)
        and len(method) <= 100
        and isinstance(data.get("params", {}), dict)
        and (identity is None or (isinstance(identity, str | int) and not isinstance(identity, bool)))
        # The answer repeats both: text that UTF-8 cannot hold would end the session instead.
        and _is_text(method + str(identity))
        and len(str(identity)) <= 100
    )


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


class FrameMiddleware:
    """Answers frames that OpenEnv's loop cannot take, yields between those of one client, and bounds HTTP bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._app(scope, _Frames(receive, send, checked=scope["path"] == "/ws").receive, send)
        elif scope["type"] == "http":
            await self._bounded(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or len(declared) > 20 or int(declared) > MAX_BODY_BYTES:
            await _too_large(scope, receive, send)
            return
        if int(declared) == 0 and b"transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        held = await _whole(receive)
        body = b"".join(message.get("body", b"") for message in held)
        if len(body) > MAX_BODY_BYTES:
            await _too_large(scope, receive, send)
        elif body.count(b"[") + body.count(b"{") > MAX_BRACKETS:
            await JSONResponse({"detail": _TOO_MANY}, 400)(scope, receive, send)
        elif scope["path"] == "/mcp" and not is_mcp(Headers(scope=scope)) and (refusal := _no_call(body)) is not None:
            # With status 200, as OpenEnv answers and its validator asks: the error is JSON-RPC's, not HTTP's.
            await JSONResponse({"jsonrpc": "2.0", "id": None, "error": refusal})(scope, receive, send)
        else:
            held.reverse()

            async def again() -> Message:
                return held.pop() if held else await receive()

            await self._app(scope, again, send)


async def _whole(receive: Receive) -> list[Message]:
    """The messages that a body comes in, up to the first that makes it too large."""
    held: list[Message] = []
    read, more = 0, True
    while more and read <= MAX_BODY_BYTES:
        held.append(await receive())
        read += len(held[-1].get("body", b""))
        more = held[-1].get("more_body", False)
    return held


def _no_call(body: bytes) -> dict[str, Any] | None:
    """JSON-RPC's error for a body that is none of its messages, or None. Answers are somebody else's."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return {"code": -32700, "message": "expected a JSON-RPC request, found no JSON"}
    answer = isinstance(message, dict) and "method" not in message and bool({"result", "error"} & set(message))
    if answer or (isinstance(message, dict) and _is_call(message)):
        return None
    return {"code": -32600, "message": f"expected {_CALL}, found something else"}


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    detail = f"expected a body of at most {MAX_BODY_BYTES} bytes, found more: send less"
    # What is left of the body stays unread, so the connection cannot be used again.
    await JSONResponse({"detail": detail}, 413, {"connection": "close"})(scope, receive, send)


class _Frames:
    """The frames of a connection. `checked` ones are those of OpenEnv's own protocol; others are only text or not."""

    def __init__(self, receive: Receive, send: Send, *, checked: bool) -> None:
        self._receive, self._send, self._checked = receive, send, checked
        self._count, self._since = 0, 0.0

    async def receive(self) -> Message:
        """The next message that may pass."""
        while True:
            message = await self._receive()
            if message["type"] != "websocket.receive":
                return message
            self._count += 1
            if self._count % _TURN == 0:
                before, self._since = self._since, time.monotonic()
                if self._since - before < _TURN_S:
                    await asyncio.sleep(0)
            text = message.get("text")
            if text is not None and (not self._checked or is_plain_step(text)):
                return message
            problem = problem_of(text)
            if problem is None:
                return message
            code, words = problem
            answer = json.dumps({"type": "error", "data": {"message": words, "code": code.value}})
            await self._send({"type": "websocket.send", "text": answer})


async def bad_request_body(_: Request, error: Exception) -> JSONResponse:
    """A body that does not fit the route: where and why, without repeating it. (NaN, for one, no answer can hold.)"""
    problems: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    told = [
        {
            "type": item["type"],
            "loc": [shown(str(part), 60).strip("'") for part in item["loc"]],
            "msg": item["msg"][:200],
        }
        for item in problems[:_SHOWN_PROBLEMS]
    ]
    return JSONResponse({"detail": told}, 422)


class _SteadyTime:
    """What OpenEnv's server takes for the module `time`: Unix time when this was made, and monotonic since.

    OpenEnv measures how long a session was idle with the wall clock: when that is set forward by an hour, every session
    is over, and set back it keeps forgotten ones.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def time(self) -> float:
        return self._offset + time.monotonic()


class _PlainSessionInfo(SessionInfo):
    """OpenEnv notes the time of every step and the number of steps, its own figures, and validates both each time.

    That takes 2 µs, a tenth of what a step may cost beyond OpenEnv's own work.
    """

    __setattr__ = object.__setattr__


def prepare_openenv() -> None:
    """Let OpenEnv's server measure idle times with a clock that nobody can set, and note them without validation."""
    if not isinstance(http_server.time, _SteadyTime):
        http_server.time = _SteadyTime()
        http_server.SessionInfo = _PlainSessionInfo
