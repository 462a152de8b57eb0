"""POST /v1/lists: a ranked list for one person in one place; GET /v1/prefetch/home: home's."""

from dataclasses import replace
from time import perf_counter

from fastapi import APIRouter, Request, Response

from serving.bodies import parsed, queried, read
from serving.deadlines import deadline_of
from serving.identity import caller_of
from serving.schemas import ListBody, PrefetchQuery
from serving.service import Service

# What the platform keeps of a prefetched answer; it drops a longer one.
PREFETCH_BYTES = 256 * 1_024


def router(service: Service) -> APIRouter:
    """The routes over a service."""
    routes = APIRouter()

    @routes.post("/v1/lists")
    async def make_list(request: Request) -> Response:
        remaining_ms = deadline_of(request)
        raw = await read(request)
        started_s = perf_counter()
        said = parsed(raw, ListBody)
        user_id = caller_of(request).subject(said.user_id, said.guest_id)
        asked = replace(said.request(), user_id=user_id, remaining_ms=remaining_ms)
        met = await service.meet(asked.user_id)
        body = service.recommend(asked, said.cursor, met=met)
        return _timed(body, started_s)

    @routes.get("/v1/prefetch/home")
    async def prefetch_home(request: Request) -> Response:
        started_s = perf_counter()
        said = queried(request, PrefetchQuery)
        user_id = caller_of(request).subject(said.user_id, said.guest_id)
        asked = replace(said.request(), user_id=user_id)
        met = await service.meet(asked.user_id)
        body = service.recommend(asked, said.cursor, at_most=PREFETCH_BYTES, met=met)
        return _timed(body, started_s)

    return routes


def _timed(body: bytes, started_s: float) -> Response:
    spent_ms = 1_000 * (perf_counter() - started_s)
    headers = {"server-timing": f"list;dur={spent_ms:.3f}"}
    return Response(body, headers=headers, media_type="application/json")
