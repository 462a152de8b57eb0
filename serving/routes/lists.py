"""POST /v1/lists: a ranked list for one person in one place."""

from time import perf_counter

from fastapi import APIRouter, Request, Response

from serving.bodies import parsed, read
from serving.schemas import ListBody
from serving.service import Service


def router(service: Service) -> APIRouter:
    """The route over a service."""
    routes = APIRouter()

    @routes.post("/v1/lists")
    async def make_list(request: Request) -> Response:
        raw = await read(request)
        started_at = perf_counter()
        body = service.recommend(parsed(raw, ListBody).request())
        spent_ms = 1_000 * (perf_counter() - started_at)
        headers = {"server-timing": f"list;dur={spent_ms:.3f}"}
        return Response(body, headers=headers, media_type="application/json")

    return routes
