"""/v1/rules: what the shop wants of its lists, told, set and dropped."""

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from recsys.errors import InvalidInput
from recsys.events import check_text
from serving.bodies import parsed, queried, read
from serving.rule_schemas import DropQuery, RuleBody
from serving.rules import RuleDesk
from serving.service import Service


def router(service: Service) -> APIRouter:
    """The routes over a service."""
    routes = APIRouter()
    desk = RuleDesk(service.record, service.watcher, service.now)

    @routes.get("/v1/rules")
    async def get_rules() -> Response:
        return _answer(await desk.told())

    @routes.put("/v1/rules/{rule_id}")
    async def put_rule(rule_id: str, request: Request) -> Response:
        said = parsed(await read(request), RuleBody)
        _check_id(rule_id)
        version = await desk.put(rule_id, said.values())
        return _answer({"rule_id": rule_id, "version": version})

    @routes.delete("/v1/rules/{rule_id}")
    async def drop_rule(rule_id: str, request: Request) -> Response:
        _check_id(rule_id)
        version = await desk.drop(rule_id, queried(request, DropQuery).why)
        return _answer({"rule_id": rule_id, "version": version})

    return routes


def _check_id(rule_id: str) -> None:
    check_text("rule_id", rule_id, limit=64, error=InvalidInput)


def _answer(said: dict[str, Any]) -> Response:
    return Response(orjson.dumps(said), media_type="application/json")
