"""Who may see the answer: a connection that presented the harness key which the server was started with.

The key travels in the `X-Harness-Key` header of the request, or of the WebSocket's opening handshake. (Not in the URL,
which ends in logs, and not in a reset, which agents' harnesses pass on from data.) The middleware notes the verdict in
a context variable; OpenEnv serves a connection within one task, so the environment finds it there.
"""

from __future__ import annotations

import hmac
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

HARNESS_HEADER = "X-Harness-Key"

_trusted: ContextVar[bool] = ContextVar("mlops_debugger_harness", default=False)


def connection_is_trusted() -> bool:
    """Whether the connection that is being served presented the harness key; False outside of one."""
    return _trusted.get()


class HarnessKeyMiddleware:
    """Compares the header with the key in constant time. Without a key, no connection is trusted."""

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self._app = app
        self._key = key.encode() if key else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        token = _trusted.set(self._matches(scope))
        try:
            await self._app(scope, receive, send)
        finally:
            _trusted.reset(token)

    def _matches(self, scope: Scope) -> bool:
        name = HARNESS_HEADER.lower().encode()
        presented = next((value for header, value in scope["headers"] if header == name), None)
        return self._key is not None and presented is not None and hmac.compare_digest(presented, self._key)
