"""S02, S03, S04, S14: two planes on every route, and what a user may say of themselves."""

from dataclasses import replace
from itertools import product

import orjson
import pytest
from fastapi import APIRouter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict

from recsys.errors import ConfigError
from recsys.events import UNPROVEN
from serving import app, gate
from serving.access import ACCESS, Access, Rules
from serving.app import PARTS
from serving.identity import Scope
from serving.openapi import OPERATIONS
from serving.openapi_examples import EXAMPLES
from serving.routes import me, users
from tests.security.conftest import bearer, filled

PEOPLE = [f"user-{5001 + n}" for n in range(50)]
ROUTES = sorted(ACCESS)
ASKED = {(one.method.upper(), one.path): one for one in OPERATIONS}
# What the guard alone says; everything else is a route's own answer.
REFUSED = {401: "unauthorized", 403: "forbidden"}
# The same as where there is no route at all: nobody learns from it who or what there is.
NOT_FOR_USERS = {"error": "not_found", "detail": "Not Found"}


# Whom the walk through all routes is about: it switches off and erases.
ERASED = "user-6666"


def sent(keyed, way, headers, *, user_id=ERASED, **more):
    """A request as the description shows it."""
    method, path = way
    body = EXAMPLES[f"{method.lower()} {path.replace(':path', '')}"].get("body")
    said = {"content": orjson.dumps(body)} if body is not None else {}
    headers = headers | ({"content-type": "application/json"} if said else {})
    return keyed.client.request(
        method, filled(path, user_id=user_id), headers=headers, **said | more
    )


def refusal(keyed, way, sender) -> str | None:
    """What the guard says to this sender; None if the request came to its route."""
    if sender in ("none", "user"):
        headers = keyed.as_user(ERASED) if sender == "user" else {}
    else:
        headers = keyed.as_server(sender)
    answer = sent(keyed, way, headers)
    if answer.status_code == 404 and answer.json() == NOT_FOR_USERS:
        return "hidden"
    return REFUSED.get(answer.status_code)


# Written out, so that a row that changes is a line of a diff here as well.
MAY = {
    "GET /healthz": "none user " + " ".join(Scope) + " all",
    "GET /readyz": "none user " + " ".join(Scope) + " all",
    "GET /metrics": "metrics all",
    "POST /v1/lists": "user lists all",
    "GET /v1/prefetch/home": "user lists all",
    "POST /v1/events": "user events all",
    "PUT /v1/items": "items all",
    "POST /v1/items/availability": "items all",
    "PATCH /v1/items/{item_id:path}": "items all",
    "GET /v1/items/{item_id:path}": "items all",
    "POST /v1/aliases": "users all",
    "GET /v1/users/{user_id:path}/history": "users all",
    "GET /v1/rules": "rules all",
    "PUT /v1/rules/{rule_id}": "rules all",
    "DELETE /v1/rules/{rule_id}": "rules all",
    "GET /v1/me": "user",
    "GET /v1/me/history": "user",
    "GET /v1/users/{user_id:path}/choices": "privacy all",
}
IN_HAND = [
    "PUT /personalisation", "PUT /consent", "PUT /minors", "GET /tags", "DELETE /tags/{tag:path}",
    "PUT /tags/{tag:path}", "POST /not-interested", "DELETE /not-interested/{item_id:path}",
    "GET /export", "POST /erase", "GET /erase",
]  # fmt: skip
# Only a token has a self; a server names whom it means.
MAY |= {one.replace(" ", " /v1/me"): "user" for one in IN_HAND}
MAY |= {one.replace(" ", " /v1/users/{user_id:path}"): "privacy all" for one in IN_HAND}
SENDERS = ["none", "user", *Scope, "all"]
DESCRIBED = [way for way in ROUTES if way != ("GET", "/openapi.json")]


def passing(keyed, way) -> set[str]:
    return {sender for sender in SENDERS if refusal(keyed, way, sender) is None}


def test_every_route_is_in_the_list_of_who_may():
    assert MAY.keys() == {" ".join(way) for way in DESCRIBED}


@pytest.mark.parametrize("way", DESCRIBED, ids=" ".join)
def test_only_who_may_passes(still_keyed, way):
    assert passing(still_keyed, way) == set(MAY[" ".join(way)].split())


def test_without_the_check_of_scopes_everybody_with_a_key_would_pass(still_keyed, monkeypatch):
    monkeypatch.setattr(gate, "_check_access", lambda _caller, _access: None)
    assert passing(still_keyed, ("GET", "/metrics")) == set(SENDERS) - {"none"}


@pytest.mark.parametrize("sender", ["none", "user", "items"])
def test_a_refusal_says_what_it_is(still_keyed, sender):
    said = {"none": "unauthorized", "user": "hidden", "items": "forbidden"}
    assert refusal(still_keyed, ("POST", "/v1/aliases"), sender) == said[sender]


def test_a_route_without_a_row_stops_the_application(shop, monkeypatch):
    class Part:
        @staticmethod
        def router(_service):
            routes = APIRouter()
            routes.add_api_route("/v1/forgotten", lambda: None, methods=["POST"])
            return routes

    monkeypatch.setattr(app, "PARTS", (*PARTS, Part))
    service = shop.service()
    with pytest.raises(ConfigError, match="no row: POST /v1/forgotten"):
        app.create_app(service)
    service.close()


def test_a_row_without_a_route_stops_the_application():
    with pytest.raises(ConfigError, match="no route: GET /v1/gone"):
        Rules([], {("GET", "/v1/gone"): Access(Scope.ADMIN)})


@pytest.mark.parametrize(
    "path",
    [
        "/v1/lists/",
        "//v1/lists",
        "/v1//lists",
        "/V1/lists",
        "/v1/lists%2f",
        "/v1/./lists",
        "/v1/items/../lists",
        "/v1/users//history",
        "/v1/users/a/b/history",
        "/v1/lists;x=1",
        "/v1/lists%00",
        "/v1/../metrics",
        "/metrics%20",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "PATCH", "CONNECT"])
def test_no_other_spelling_of_a_path_goes_round_the_guard(still_keyed, path, method):
    answer = still_keyed.client.request(method, path)
    assert answer.status_code in (401, 404, 405)


# A body that could name somebody, or an answer that could be somebody else's.
USERS = [
    way
    for way in ROUTES
    if ACCESS[way].is_users and (way[0] == "GET" or ASKED[way[0], way[1].replace(":path", "")].body)
]
NAMING = ["user_id", "guest_id"]


@pytest.mark.parametrize("way", USERS, ids=" ".join)
@pytest.mark.parametrize("name", NAMING)
def test_of_50_people_none_gets_at_another_through_body_or_query(still_keyed, way, name):
    """Each of them names themselves, the next one, and nobody there is, everywhere one can."""
    # An export is made by a process of its own, which takes seconds, and so many a minute.
    people = PEOPLE[:1] if way[1].endswith("/export") else PEOPLE
    assert foreign_to(still_keyed, way, name, people) == []


def test_a_name_in_the_query_that_is_believed_would_be_seen(still_keyed, monkeypatch):
    """The negative control of S02: whoever is named is who it is about."""
    real = me._act

    def trusting(request):
        act = real(request)
        return replace(act, user_id=request.query_params.get("user_id", act.user_id))

    monkeypatch.setattr(me, "_act", trusting)
    monkeypatch.setattr(me, "queried", lambda _request, shape: shape())
    assert foreign_to(still_keyed, ("GET", "/v1/me/history"), "user_id", PEOPLE[:3]) != []


def foreign_to(still_keyed, way, name, people) -> list:
    """Who got at somebody else, and whom they named."""
    method, path = way
    example = EXAMPLES[f"{method.lower()} {path}"].get("body", {})
    plain = {key: value for key, value in example.items() if key != "user_id"}
    foreign = []
    # So that each of them has something that could come to another.
    planted = [
        still_keyed.shop.body(f"bola-{one}", user_id=one, item_id="item-1003") for one in PEOPLE
    ]
    told(still_keyed, planted, still_keyed.as_server())
    for at, sub in enumerate(people):
        for others in tried(plain, (sub, PEOPLE[at - 1], "user-0")):
            said = {"json": named(plain, name, others)} if method != "GET" else {}
            answer = still_keyed.client.request(
                method, path, headers=still_keyed.as_user(sub), params={name: others[0]}, **said
            )
            is_own = path.startswith("/v1/me") and others[0] not in answer.text.replace(sub, "")
            if not (is_refused(answer, len(others)) or is_own and method == "GET"):
                foreign.append((sub, others))
    return foreign


def tried(plain: dict, others: tuple[str, ...]) -> list[tuple[str, ...]]:
    """All in one batch where one can, else one by one."""
    return [others] if "events" in plain else [(one,) for one in others]


def named(plain: dict, name: str, others: tuple[str, ...]) -> dict:
    """The body, naming them wherever a body can."""
    if "events" in plain:
        (event,) = plain["events"]
        event = {key: value for key, value in event.items() if key != "user_id"}
        return {"events": [event | {name: one} for one in others]}
    return plain | {name: others[0]}


def is_refused(answer, n: int) -> bool:
    if answer.status_code == 202:
        return answer.json()["accepted"] == 0 and len(answer.json()["rejected"]) == n
    return answer.status_code in (404, 422)


def test_of_50_people_none_gets_at_another_through_a_path(still_keyed):
    ways = [way for way in ROUTES if "{user_id" in way[1]]
    assert ways
    bodies = {
        sent(still_keyed, way, still_keyed.as_user(sub), user_id=other).content
        for way, (at, sub) in product(ways, enumerate(PEOPLE))
        for other in (sub, PEOPLE[at - 1], "user-0", "../user-5001", "user-5001/history")
    }
    assert bodies == {orjson.dumps(NOT_FOR_USERS)}


HEADERS = ["x-user-id", "x-openid", "x-wx-openid", "user_id", "x-forwarded-user", "x-guest-id"]


def test_no_header_makes_a_list_anothers(still_keyed, wait_for):
    record, given = still_keyed.service.record, {}
    for at, sub in enumerate(PEOPLE):
        headers = dict.fromkeys(HEADERS, PEOPLE[at - 1]) | still_keyed.as_user(sub)
        answer = still_keyed.client.post("/v1/lists", json={"scene": "home"}, headers=headers)
        given[sub] = answer.json()["list_id"]
    wait_for(lambda: record.served(given[PEOPLE[-1]]))
    assert {sub: record.served(given[sub]).user_id for sub in PEOPLE} == {p: p for p in PEOPLE}


def test_a_server_names_whom_it_means(keyed):
    body = {"scene": "home", "user_id": "user-5009"}
    answer = keyed.client.post("/v1/lists", json=body, headers=keyed.as_server("lists"))
    assert answer.status_code == 200
    event = {"events": [keyed.shop.body(user_id="user-5009")]}
    assert keyed.client.post("/v1/events", json=event, headers=keyed.as_server()).json() == {
        "accepted": 1,
        "duplicates": 0,
        "rejected": [],
    }
    assert [one["user_id"] for one in keyed.events_of("user-5009")] == ["user-5009"]


def test_what_a_server_joins_is_told_under_its_keys_name(keyed):
    body = {"guest_id": "guest-1", "user_id": "user-5001"}
    keyed.client.post("/v1/aliases", json=body, headers=keyed.as_server("users"))
    assert keyed.service.record.audit.after(0, limit=99)[-1].deed.who == "users"


PRIVILEGED = [
    "trust", "weight", "is_sponsored", "sponsored", "score", "admin", "scopes", "role", "plane",
    "arms", "experiment", "bundle", "pipeline", "personalised", "seed", "user_idx", "person_idx",
    "seq", "received_at", "received_ms", "controls", "blocked", "tier", "minors", "now", "at_ms",
    "__proto__", "constructor", "is_proven", UNPROVEN, "verified", "sub", "aud", "features",
]  # fmt: skip
WORDS = st.sampled_from(PRIVILEGED) | st.text(min_size=1, max_size=12)
VALUES = st.sampled_from([True, 1, 0, None, "x", [], {}, ["admin"], 1e9, {"a": 1}])
WRITTEN = [way for way in ROUTES if ASKED.get((way[0], way[1].replace(":path", ""))) is not None]
WRITTEN = [way for way in WRITTEN if ASKED[way[0], way[1].replace(":path", "")].body]


@pytest.mark.parametrize("way", WRITTEN, ids=" ".join)
@settings(
    max_examples=85,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(extra=st.dictionaries(WORDS, VALUES, min_size=1, max_size=3))
def test_a_field_too_many_is_refused_and_does_nothing(still_keyed, way, extra):
    method, path = way
    operation = ASKED[method, path.replace(":path", "")]
    extra = {
        name: value for name, value in extra.items() if name not in operation.body.model_fields
    }
    if not extra:
        return
    body = EXAMPLES[operation.example]["body"] | extra
    before = still_keyed.service.record.last_seq(), still_keyed.service.record.item_version()
    answer = still_keyed.client.request(
        method, filled(path), json=body, headers=still_keyed.as_server()
    )
    assert answer.status_code == 422
    after = still_keyed.service.record.last_seq(), still_keyed.service.record.item_version()
    assert after == before


@settings(
    max_examples=75,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(name=st.sampled_from(PRIVILEGED), value=VALUES)
def test_an_event_with_a_field_too_many_is_not_kept(still_keyed, name, value):
    body = {"events": [still_keyed.shop.body() | {name: value}]}
    headers = still_keyed.as_server()
    answer = still_keyed.client.post("/v1/events", json=body, headers=headers)
    assert answer.json()["accepted"] == 0


def test_a_body_that_ignores_what_it_does_not_know_would_be_seen(keyed, monkeypatch):
    """The negative control of S04."""
    body = {"guest_id": "guest-1", "user_id": "user-5001", "admin": True}
    said = {"json": body, "headers": keyed.as_server()}
    assert keyed.client.post("/v1/aliases", **said).status_code == 422

    class Lax(users.AliasBody):
        model_config = ConfigDict(extra="ignore")

    monkeypatch.setattr(users, "AliasBody", Lax)
    assert keyed.client.post("/v1/aliases", **said).status_code == 200


def told(keyed, events, headers) -> dict:
    return keyed.client.post("/v1/events", json={"events": events}, headers=headers).json()


def own(keyed, number=1, **more) -> dict:
    """An event as a mini-program tells it: of nobody, as the token says who."""
    body = keyed.shop.body(number, **more)
    del body["user_id"]
    return body


def test_a_users_event_is_theirs(keyed):
    assert told(keyed, [own(keyed)], keyed.as_user("user-5003"))["accepted"] == 1
    (event,) = keyed.events_of("user-5003")
    assert event["item_id"] == "item-1002"


@pytest.mark.parametrize("kind", ["order", "refund"])
def test_purchases_come_from_servers_alone(keyed, kind):
    said = told(keyed, [own(keyed, type=kind, order_id="o-1", quantity=1)], keyed.as_user())
    assert said["accepted"] == 0
    assert "which only a server key tells" in said["rejected"][0]["detail"]
    assert keyed.events_of("user-5001") == []
    named_too = [keyed.shop.body(type=kind, order_id="o-1", quantity=1)]
    assert told(keyed, named_too, keyed.as_server("events"))["accepted"] == 1


def test_a_credential_that_does_not_hold_is_refused_also_where_none_is_asked_for(shop):
    with shop.client() as client:
        assert client.post("/v1/lists", json={"scene": "home"}).status_code == 200
        for wrong in ("dpk_00000000_" + "A" * 43, "dpt1.x"):
            answer = client.post("/v1/lists", json={"scene": "home"}, headers=bearer(wrong))
            assert answer.status_code == 401
