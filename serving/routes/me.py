"""/v1/me: what is known of a person and what they choose; the same for the shop's backend."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from recsys.controls import Age, Controls, Purpose
from recsys.errors import InvalidInput
from recsys.events import TEXT_LIMITS, check_text
from serving.bodies import parsed, queried, read
from serving.errors import Forbidden, NotThere
from serving.gate import count_export
from serving.hand import Act
from serving.hand_schemas import ConsentBody, MinorsBody, OnBody, RefusalBody
from serving.identity import Plane, caller_of
from serving.lines import Lines
from serving.schemas import HistoryQuery
from serving.service import Service

REASON_CHARACTERS = 200
ME, USERS = "/v1/me", "/v1/users/{user_id:path}"
Answering = Callable[[Request], Awaitable[Response]]


def router(service: Service) -> APIRouter:
    """The routes over a service, for the person and for the shop's backend."""
    routes = APIRouter()
    ways = {**_choices(service), **_tags(service), **_refusals(service), **_copies(service)}
    for (method, path), answering in ways.items():
        routes.add_api_route(ME + path, answering, methods=[method])
        if path != "/history":
            # An id may hold a slash, so what is asked of it always has a name behind it.
            routes.add_api_route(USERS + (path or "/choices"), answering, methods=[method])
    return routes


def _choices(service: Service) -> dict[tuple[str, str], Answering]:
    hand = service.hand

    async def told(request: Request) -> Response:
        return _answer(await hand.told(_act(request)))

    async def switch(request: Request) -> Response:
        said = parsed(await read(request), OnBody)
        now = await hand.switch(_act(request), is_on=said.on)
        return _answer({"on": now.is_on, "personalised": now.is_personal})

    async def consent(request: Request) -> Response:
        said = parsed(await read(request), ConsentBody).model_dump(exclude_none=True)
        agreed = {Purpose(purpose): yes for purpose, yes in said.items()}
        return _answer(_agreed(await hand.consent(_act(request), agreed)))

    async def minors(request: Request) -> Response:
        said = parsed(await read(request), MinorsBody)
        if said.age not in list(Age):
            raise InvalidInput(f"age is unknown, got {said.age!r:.40}; allowed: {', '.join(Age)}")
        now = await hand.set_age(_act(request), Age(said.age), has_guardian=said.guardian)
        return _answer({"age": now.age, "guardian": now.has_guardian})

    return {
        ("GET", ""): told,
        ("PUT", "/personalisation"): switch,
        ("PUT", "/consent"): consent,
        ("PUT", "/minors"): minors,
    }


def _tags(service: Service) -> dict[tuple[str, str], Answering]:
    hand = service.hand

    async def tags(request: Request) -> Response:
        in_use, removed = await hand.tags(_act(request))
        return _answer({"tags": [one._asdict() for one in in_use], "removed": removed})

    async def remove(request: Request) -> Response:
        tag = _named(request, "tag")
        await hand.remove_tag(_act(request), tag)
        return _answer({"tag": tag, "removed": True})

    async def restore(request: Request) -> Response:
        tag = _named(request, "tag")
        await hand.restore_tag(_act(request), tag)
        return _answer({"tag": tag, "removed": False})

    return {
        ("GET", "/tags"): tags,
        ("DELETE", "/tags/{tag:path}"): remove,
        ("PUT", "/tags/{tag:path}"): restore,
    }


def _refusals(service: Service) -> dict[tuple[str, str], Answering]:
    hand = service.hand

    async def refuse(request: Request) -> Response:
        said = parsed(await read(request), RefusalBody)
        await hand.refuse(_act(request), said.item_id)
        return _answer({"item_id": said.item_id, "not_interested": True})

    async def take_back(request: Request) -> Response:
        item_id = _named(request, "item_id")
        await hand.take_back(_act(request), item_id)
        return _answer({"item_id": item_id, "not_interested": False})

    return {
        ("POST", "/not-interested"): refuse,
        ("DELETE", "/not-interested/{item_id:path}"): take_back,
    }


def _copies(service: Service) -> dict[tuple[str, str], Answering]:
    hand, keeper = service.hand, service.keeper()

    async def history(request: Request) -> Response:
        act = _act(request)
        events = await hand.history(act.user_id, queried(request, HistoryQuery).limit)
        return _answer({"user_id": act.user_id, "events": events})

    async def export(request: Request) -> Response:
        act = _act(request)
        await count_export(request)
        # Who is refused took nothing, and leaves no deed; while it is written others may come.
        keeper.check_room()
        await hand.note(act, "export")
        return Lines(keeper.export(act.user_id))

    async def erase(request: Request) -> Response:
        return _answer(await hand.erase(_act(request)), HTTPStatus.ACCEPTED)

    async def erasure(request: Request) -> Response:
        found = (await hand.told(_act(request)))["erasure"]
        if found is None:
            raise NotThere("nobody asked for this person to be erased; allowed: POST first")
        return _answer(found)

    return {
        ("GET", "/history"): history,
        ("GET", "/export"): export,
        ("POST", "/erase"): erase,
        ("GET", "/erase"): erasure,
    }


def _act(request: Request) -> Act:
    """Whom a request is about, and who asks why."""
    caller = caller_of(request)
    user_id = request.path_params.get("user_id")
    if user_id is None:
        user_id = caller.user_id
    if user_id is None or (caller.plane is not Plane.USER and request.url.path.startswith(ME)):
        raise Forbidden("only a user token has a self; allowed to others: /v1/users/{user_id}/…")
    check_text("user_id", user_id, limit=TEXT_LIMITS["user_id"], error=InvalidInput)
    why = request.headers.get("x-reason", "")
    if why:
        check_text("x-reason", why, limit=REASON_CHARACTERS, error=InvalidInput)
    return Act(user_id, caller, why)


def _named(request: Request, name: str) -> str:
    said: str = request.path_params[name]
    check_text(name, said, limit=TEXT_LIMITS["item_id"], error=InvalidInput)
    return said


def _agreed(now: Controls) -> dict[str, Any]:
    consents = {one.value: now.consents.get(one) for one in Purpose}
    return {"consents": consents, "personalised": now.is_personal}


def _answer(said: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(orjson.dumps(said), status, media_type="application/json")
