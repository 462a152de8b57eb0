"""/v1/aliases: a guest is a person from now on. /v1/users/{user_id}/history: what lists know."""

import orjson
from fastapi import APIRouter, Request, Response

from recsys.errors import InvalidInput
from recsys.events import TEXT_LIMITS, check_text
from serving.bodies import parsed, queried, read
from serving.identity import caller_of
from serving.schemas import AliasBody, HistoryQuery
from serving.service import Service


def router(service: Service) -> APIRouter:
    """The routes over a service."""
    routes = APIRouter()

    @routes.post("/v1/aliases")
    async def join(request: Request) -> Response:
        said = parsed(await read(request), AliasBody)
        is_new = await service.join(said.guest_id, said.user_id, who=caller_of(request).name)
        return Response(orjson.dumps({"joined": is_new}), media_type="application/json")

    @routes.get("/v1/users/{user_id:path}/history")
    async def history(user_id: str, request: Request) -> Response:
        check_text("user_id", user_id, limit=TEXT_LIMITS["user_id"], error=InvalidInput)
        events = await service.hand.history(user_id, queried(request, HistoryQuery).limit)
        body = orjson.dumps({"user_id": user_id, "events": events})
        return Response(body, media_type="application/json")

    return routes
