"""/healthz, /readyz, /metrics: for who keeps it running. /openapi.json: for who calls it."""

import asyncio
from functools import cache
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import APIRouter, Response

from serving.openapi import document
from serving.service import Service

# The text format that every version of Prometheus reads.
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def router(service: Service) -> APIRouter:
    """The routes over a service."""
    routes = APIRouter()

    @routes.get("/healthz")
    async def healthz() -> Response:
        return _answer(HTTPStatus.OK, {"status": "ok"})

    @routes.get("/readyz")
    async def readyz() -> Response:
        watcher = service.watcher
        is_ready = watcher.has_looked
        return _answer(
            HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE,
            {
                "ready": is_ready,
                "bundle": watcher.bundle_id,
                "refused_bundles": watcher.refused,
                "lost_lists": service.writer.lost_lists,
            },
        )

    @routes.get("/metrics")
    async def metrics() -> Response:
        return Response(await service.numbers(), media_type=METRICS_TYPE)

    @routes.get("/openapi.json")
    async def openapi() -> Response:
        return Response(await asyncio.to_thread(_described), media_type="application/json")

    return routes


@cache
def _described() -> bytes:
    # Made for who asks first: it takes as long as making all routes, and every start would wait.
    return orjson.dumps(document())


def _answer(status: HTTPStatus, said: dict[str, Any]) -> Response:
    return Response(orjson.dumps(said), status, media_type="application/json")
