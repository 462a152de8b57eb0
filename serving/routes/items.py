"""/v1/items: what the shop has, put in batches, switched off and on, and read back."""

from dataclasses import asdict
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from recsys.errors import InvalidInput
from recsys.events import TEXT_LIMITS, check_text
from serving.bodies import parsed, read
from serving.errors import NotThere
from serving.items import told
from serving.schemas import ItemsBody, SwitchBody, SwitchManyBody
from serving.service import Service


def router(service: Service) -> APIRouter:
    """The routes over a service."""
    routes = APIRouter()

    @routes.put("/v1/items")
    async def put_items(request: Request) -> Response:
        batch = parsed(await read(request), ItemsBody)
        return _answer(asdict(await service.put_items(batch.items)))

    @routes.post("/v1/items/availability")
    async def switch_items(request: Request) -> Response:
        said = parsed(await read(request), SwitchManyBody)
        unknown = await service.switch_items(said.item_ids, available=said.available)
        n_switched = len(set(said.item_ids)) - len(set(unknown))
        return _answer({"switched": n_switched, "unknown": unknown})

    # An id may hold a slash, so it is all the rest of the path.
    @routes.patch("/v1/items/{item_id:path}")
    async def switch_item(item_id: str, request: Request) -> Response:
        said = parsed(await read(request), SwitchBody)
        _check_id(item_id)
        if await service.switch_items([item_id], available=said.available):
            raise NotThere(f"there is no item {item_id!r}; allowed: one that was put before")
        return _answer({"item_id": item_id, "available": said.available})

    @routes.get("/v1/items/{item_id:path}")
    async def get_item(item_id: str) -> Response:
        _check_id(item_id)
        return _answer(told(await service.item(item_id)))

    return routes


def _check_id(item_id: str) -> None:
    check_text("item_id", item_id, limit=TEXT_LIMITS["item_id"], error=InvalidInput)


def _answer(said: dict[str, Any]) -> Response:
    return Response(orjson.dumps(said), media_type="application/json")
