"""Every route of an app, so that a new one cannot be forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.routing import Mount, Route, WebSocketRoute


def walk(routes: list[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(method, path) of every route there is, those of mounted apps too; a kind that is not known fails."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from walk(list(included.routes), prefix + route.include_context.prefix)
            continue
        path = prefix + route.path
        if isinstance(route, Mount):
            yield from walk(list(getattr(route.app, "routes", ())), path)
        elif isinstance(route, WebSocketRoute):
            yield "WS", path
        else:
            known = isinstance(route, Route) or getattr(route, "path", "") == "/mcp"
            assert known, f"a route of a kind that this test does not know: {route!r}"
            for method in route.methods or ("GET",):
                yield method, path
