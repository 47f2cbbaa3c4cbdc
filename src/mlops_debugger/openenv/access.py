"""Who may come in, and who may see the answer.

*The token.* A server that was started with one answers nothing but `/health` to requests without the header
`Authorization: Bearer TOKEN`: no page, no schema, no WebSocket handshake, no mounted app.

*The harness key.* A connection that presented it, in the `X-Harness-Key` header of the request or of the WebSocket's
opening handshake, sees the answer in `state`. (Not in the URL, which ends in logs, and not in a reset, which agents'
harnesses pass on from data.) The middleware notes the verdict in a context variable; OpenEnv serves a connection within
one task, so the environment finds it there.

Both are compared in constant time.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING

from starlette.websockets import WebSocketDisconnect

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from mlops_debugger.watch import Reject

HARNESS_HEADER = "X-Harness-Key"
TOKEN_HEADER = "Authorization"  # noqa: S105 - the name of a header
OPEN_PATH = "/health"
"""The one route that needs no token, so that a supervisor of containers can look."""
_SESSION_PATHS = ("/ws", "/mcp")
_POLICY_VIOLATION = 1008
_AFTER_CLOSE = "once a close message has been sent"

_trusted: ContextVar[bool] = ContextVar("mlops_debugger_harness", default=False)


def connection_is_trusted() -> bool:
    """Whether the connection that is being served presented the harness key; False outside of one."""
    return _trusted.get()


class AccessMiddleware:
    """Turns away who lacks the token, and notes who has the harness key. Without a key, no connection is trusted.

    `rejected` is told the reason for each that is turned away. `full` says whether OpenEnv will turn the next session
    away, which it does after the handshake, in a frame: that is counted here, too.
    """

    def __init__(
        self,
        app: ASGIApp,
        key: str | None = None,
        token: str | None = None,
        rejected: Callable[[Reject], None] = lambda _: None,
        full: Callable[[], bool] = lambda: False,
    ) -> None:
        self._app = app
        self._key = key.encode() if key else None
        self._token = f"Bearer {token}".encode() if token else None
        self._rejected, self._full = rejected, full

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if not self._may_enter(scope):
            self._rejected("unauthorized")
            await _turn_away(scope, receive, send)
            return
        if scope["type"] == "websocket" and scope["path"] in _SESSION_PATHS and self._full():
            self._rejected("capacity")
        trusted = _trusted.set(_same(_header(scope, HARNESS_HEADER), self._key))
        try:
            await self._app(scope, receive, send)
        except (RuntimeError, WebSocketDisconnect) as error:
            # OpenEnv tells a client that left while its trial ran of the failure to tell it of the verdict: no news.
            if scope["type"] != "websocket" or not (
                isinstance(error, WebSocketDisconnect) or _AFTER_CLOSE in str(error)
            ):
                raise
        finally:
            _trusted.reset(trusted)

    def _may_enter(self, scope: Scope) -> bool:
        if self._token is None or (scope["type"] == "http" and scope["path"] == OPEN_PATH):
            return True
        scheme, _, presented = (_header(scope, TOKEN_HEADER) or b"").partition(b" ")
        return _same(scheme.capitalize() + b" " + presented.strip(), self._token)


def _header(scope: Scope, name: str) -> bytes | None:
    wanted = name.lower().encode()
    found: bytes | None = next((value for header, value in scope["headers"] if header == wanted), None)
    return found


def _same(presented: bytes | None, secret: bytes | None) -> bool:
    return secret is not None and presented is not None and hmac.compare_digest(presented, secret)


async def _turn_away(scope: Scope, receive: Receive, send: Send) -> None:
    """401 in words; a WebSocket is refused before it is accepted, with the same answer where the server can give it."""
    found = "another one" if _header(scope, TOKEN_HEADER) is not None else "none"
    detail = (
        "expected the header 'Authorization: Bearer TOKEN' with the token that this server was started with, "
        f"found {found}: ask its operator for the token"
    )
    kind = "http.response"
    if scope["type"] == "websocket":
        await receive()
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": "no valid bearer token"})
            return
        kind = "websocket.http.response"
    headers = [(b"content-type", b"application/json"), (b"www-authenticate", b"Bearer")]
    await send({"type": f"{kind}.start", "status": 401, "headers": headers})
    await send({"type": f"{kind}.body", "body": json.dumps({"detail": detail}).encode()})
