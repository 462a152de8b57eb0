"""POST /v1/events: what people did; answered once it is durable."""

from dataclasses import asdict
from http import HTTPStatus

import orjson
from fastapi import APIRouter, Request, Response

from recsys.errors import InvalidInput
from serving.bodies import parsed, read
from serving.gate import count_events
from serving.identity import caller_of
from serving.intake import QUARANTINE_BYTES
from serving.schemas import BatchBody
from serving.service import Service


def router(service: Service) -> APIRouter:
    """The route over a service."""
    routes = APIRouter()

    @routes.post("/v1/events")
    async def take_events(request: Request) -> Response:
        raw = await read(request)
        try:
            batch = parsed(raw, BatchBody)
        except InvalidInput as error:
            await service.set_aside([(raw[:QUARANTINE_BYTES], error.code, str(error))])
            raise
        await count_events(request, len(batch.events))
        receipt = await service.take(batch.events, caller_of(request))
        return Response(
            orjson.dumps(asdict(receipt)), HTTPStatus.ACCEPTED, media_type="application/json"
        )

    return routes
