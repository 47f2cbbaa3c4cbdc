"""`/health` and `/metrics`: how a server is doing, for those who run it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from mlops_debugger.errors import ServingError
from mlops_debugger.openenv.service import Service

_HEALTH = "/health"


def add_status(app: FastAPI, service: Service) -> None:
    """Put this package's `/health` in the place of OpenEnv's, which says nothing, and add `/metrics`."""
    before = len(app.router.routes)
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", "") != _HEALTH]
    if len(app.router.routes) != before - 1:
        raise ServingError(f"expected one route {_HEALTH} of OpenEnv's, found {before - len(app.router.routes)}")

    @app.get(_HEALTH, tags=["Health"], summary="Status, version, sessions and fix trials of the process that answers")
    async def health() -> JSONResponse:
        told = service.health()
        # A process that ends takes no new sessions: whoever spreads them must know.
        return JSONResponse(told, status_code=503 if told["status"] == "draining" else 200)

    documented: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}}}

    @app.get(
        "/metrics", tags=["Health"], summary="Counts for Prometheus", response_class=Response, responses=documented
    )
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
