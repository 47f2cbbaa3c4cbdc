"""MCP over streamable HTTP at /mcp of a running server.

OpenEnv's app answers POST and WebSocket at /mcp too, with a JSON-RPC of its own that knows no `initialize`. Both are
served: a request is MCP's where it says so, by a session id, by a protocol version, or by accepting
`text/event-stream`, which the MCP specification demands of every POST. Whatever else comes to /mcp goes to OpenEnv.

Answers are plain JSON, not streams, so a server that stops waits for trials in flight as for any request. The server
never speaks first: GET, which would open a stream for that, is answered by 405, as the specification provides.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from mlops_debugger.adapters.mcp_server.seats import Hall, Start
from mlops_debugger.adapters.mcp_server.server import create_mcp_server
from mlops_debugger.bank import Bank
from mlops_debugger.environment.driver import AsyncTrainer, Settings
from mlops_debugger.watch import Watch

PATH = "/mcp"
IDLE_S = 3600.0
"""An agent may think for long between calls, but a forgotten episode must not hold its place for ever."""
MAX_BODY_BYTES = 1 << 20
ORIGINS_VARIABLE = "MLOPS_DEBUGGER_MCP_ORIGINS"
"""Web pages that may connect, as origins separated by commas; those of this machine always may."""
_LEAST_SESSIONS, _SESSIONS_A_PLACE = 256, 16
_METHODS = ("POST", "GET", "DELETE")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def mount_mcp(
    app: Starlette,
    bank: Bank,
    trainer: AsyncTrainer | None = None,
    settings: Settings | None = None,
    *,
    max_sessions: int,
    idle_s: float = IDLE_S,
    start: Start | None = None,
    watch: Watch | None = None,
) -> Hall:
    """Serve MCP at `PATH` of `app`, beside what is there. Returns the hall, in which the running episodes sit.

    At most `max_sessions` episodes run at once; another start_episode is refused in words. An episode without a call
    for `idle_s` seconds is ended, an MCP session after twice that. Sessions live as long as the app's lifespan. `watch`
    counts what they do and keeps finished episodes; it is shared with whatever else the app serves.
    """
    hall = Hall(bank, trainer, settings, capacity=max_sessions, idle_s=idle_s, watch=watch)
    route = _McpRoute(hall, start)
    # First of all routes, since OpenEnv's at the same path would take every POST.
    app.router.routes.insert(0, route)
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: Starlette) -> AsyncIterator[object]:
        async with route.running(), inner(running) as state:
            yield state

    app.router.lifespan_context = lifespan  # type: ignore[assignment]
    return hall


class _McpRoute(BaseRoute):
    def __init__(self, hall: Hall, start: Start | None) -> None:
        self.path, self.methods = PATH, _METHODS
        self._hall, self._start = hall, start
        self._sessions: StreamableHTTPSessionManager | None = None
        listed = os.environ.get(ORIGINS_VARIABLE, "").split(",")
        self._origins = {origin.strip().rstrip("/") for origin in listed if origin.strip()}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve meanwhile. A manager of sessions runs only once, so every lifespan has its own."""
        sessions = StreamableHTTPSessionManager(
            create_mcp_server(self._hall, self._start),
            json_response=True,
            session_idle_timeout=2 * self._hall.idle_s,
            max_request_body_size=MAX_BODY_BYTES,
            # Sessions without an episode are cheap, and a full hall is to be told by a tool, not by a status.
            max_sessions=max(_LEAST_SESSIONS, _SESSIONS_A_PLACE * self._hall.capacity),
        )
        async with sessions.run():
            self._sessions = sessions
            try:
                yield
            finally:
                self._sessions = None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or scope["method"] not in self.methods:
            return Match.NONE, {}
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path.rstrip("/") != PATH or not (scope["method"] != "POST" or is_mcp(Headers(scope=scope))):
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
        elif self._sessions is not None:
            await self._sessions.handle_request(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        origin = Headers(scope=scope).get("origin")
        # A page of somebody else's that a browser on this machine shows must not play (DNS rebinding included).
        if origin is not None and not self._allows(origin):
            return JSONResponse(
                {"detail": f"pages of this origin may not connect: the operator can allow it in {ORIGINS_VARIABLE}"},
                403,
            )
        if scope["method"] == "GET":
            told = {"detail": "this server never speaks first: POST to call, DELETE to end the session"}
            return JSONResponse(told, 405, {"Allow": "POST, DELETE"})
        if self._sessions is None:
            return JSONResponse({"detail": "the server is starting or stopping: try again later"}, 503)
        return None

    def _allows(self, origin: str) -> bool:
        try:
            host = urlsplit(origin).hostname
        except ValueError:
            return False
        return host in _LOOPBACK or origin in self._origins


def is_mcp(headers: Headers) -> bool:
    return (
        "text/event-stream" in headers.get("accept", "")
        or "mcp-session-id" in headers
        or "mcp-protocol-version" in headers
    )
