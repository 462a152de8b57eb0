"""S05, S06: whatever comes, with a key, a token or neither: as described, never 5xx, never more."""

import re

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from serving.openapi import OPERATIONS
from serving.service import Service
from serving.settings import LimitSettings
from tests.security.conftest import filled, keyed_in
from tests.serving.test_malformed import BODIES
from tests.serving.test_openapi import CHECKS

# Words that only the inside knows: identities of the platform, keys, positions, traces.
LEAK = re.compile(
    r"openid|unionid|session_key|app_?secret|user_idx|person_idx|item_idx|body_hash|event_key"
    r"|Traceback|File \\?\"|\.py\b|sqlite3?\.|sqlalchemy|pydantic|dpk_|dpt1|digest",
    re.IGNORECASE,
)
QUIET = [HealthCheck.function_scoped_fixture, *HealthCheck]
PHASES = [Phase.explicit, Phase.generate, Phase.target]
SENDERS = ("server", "user", "none")
EACH, MANY = 2, 90


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The described routes over a shop with keys, and a header for each sort of sender."""
    # Without limits, or most of a night's answers would be 429.
    free = LimitSettings(user_requests=0, user_events=0, address_refusals=0, key_requests=0)
    for keyed in keyed_in(tmp_path_factory.mktemp("fuzz"), limits=free):
        headers = {"server": keyed.as_server(), "user": keyed.as_user(), "none": {}}
        yield schemathesis.openapi.from_asgi("/openapi.json", keyed.client.app), headers, keyed


def leaks(answer, sent: str) -> list[str]:
    """What it tells that it should not; what the caller said themselves may come back to them."""
    return [found for found in LEAK.findall(answer) if found.lower() not in sent.lower()]


def walk(world, one, sender, data) -> None:
    api, headers, _ = world
    mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
    case = data.draw(api[one.path][one.method].as_strategy(generation_mode=mode))
    # Schemathesis invents credentials as well; those of this walk are the sender's.
    case.headers = {
        name: value
        for name, value in (case.headers or {}).items()
        if name.lower() != "authorization"
    } | headers[sender]
    answer = case.call()
    case.validate_response(answer, checks=CHECKS)
    assert leaks(answer.text, repr((case.body, case.query, case.path_parameters))) == []


# An export is made by a process of its own, which takes seconds.
WALKED = [one for one in OPERATIONS if not one.path.endswith("/export")]
EVERY = pytest.mark.parametrize("one", WALKED, ids=lambda one: one.example)


@EVERY
@pytest.mark.parametrize("sender", SENDERS)
@settings(
    max_examples=EACH, deadline=None, derandomize=True, suppress_health_check=QUIET, phases=PHASES
)
@given(data=st.data())
def test_whatever_comes_from_whomever_is_answered_as_described(world, one, sender, data):
    walk(world, one, sender, data)


@pytest.mark.nightly
@EVERY
@pytest.mark.parametrize("sender", SENDERS)
@settings(
    max_examples=MANY, deadline=None, derandomize=True, suppress_health_check=QUIET, phases=PHASES
)
@given(data=st.data())
def test_of_10000_requests_none_is_answered_5xx(world, one, sender, data):
    walk(world, one, sender, data)


def test_10000_are_walked_at_night():
    assert len(WALKED) * len(SENDERS) * MANY >= 10_000


def test_a_leak_would_be_seen():
    assert leaks('{"error":"internal","detail":"Traceback (most recent"}', "") == ["Traceback"]
    assert leaks('{"user_idx":5}', "") == ["user_idx"]
    assert leaks("got 'openid'", "{'user_id': 'openid'}") == []


# Lists and events get the whole corpus as bytes on a socket: tests/serving/test_malformed.py.
WRITTEN = [one for one in WALKED if one.body and one.path not in ("/v1/lists", "/v1/events")]


def answered_5xx(world, one, bodies) -> list:
    _, headers, keyed = world
    path = filled(one.path)
    said = headers["server"] | {"content-type": "application/json"}
    broken = []
    for body in bodies:
        answer = keyed.client.request(one.method.upper(), path, content=body, headers=said)
        if answer.status_code >= 500 or not isinstance(orjson.loads(answer.content), dict):
            broken.append((body[:80], answer.status_code))
    return broken


def test_a_route_that_breaks_would_be_seen(world, monkeypatch):
    """The negative control of S06, on both walks: what nobody expected is answered 500."""

    async def broken(*_args, **_more):
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(Service, "join", broken)
    (one,) = [one for one in OPERATIONS if one.path == "/v1/aliases"]
    good = orjson.dumps({"guest_id": "guest-7", "user_id": "user-5001"})
    assert answered_5xx(world, one, [*BODIES[:3], good]) == [(good, 500)]
    api, headers, _ = world
    case = api[one.path][one.method].Case(
        body=orjson.loads(good), headers=headers["server"], media_type="application/json"
    )
    with pytest.raises(ZeroDivisionError):
        case.call()


@pytest.mark.parametrize("one", WRITTEN, ids=lambda one: one.example)
def test_no_malformed_body_is_answered_5xx_on_any_route(world, one):
    assert answered_5xx(world, one, BODIES[::3]) == []


@pytest.mark.nightly
@pytest.mark.parametrize("one", [one for one in WALKED if one.body], ids=lambda one: one.example)
def test_no_body_of_the_whole_corpus_is_answered_5xx_on_any_route(world, one):
    assert answered_5xx(world, one, BODIES) == []


PARTS = [b"%00", b"%ff%fe", b"%ed%a0%80", b"%0d%0a", b"%2e%2e%2f", b"a" * 5_000, b"%25", b"%", b"*"]
PARTS += [b":", b"%3a", b"%20", b"'", b"%22", b"%e2%80%ae", b"{}", b"%7Bx%7D", b"NaN", b"0", b"-1"]


@pytest.mark.parametrize(
    "one", [one for one in WALKED if "{" in one.path], ids=lambda one: one.example
)
def test_no_malformed_path_is_answered_5xx(world, one):
    _, headers, keyed = world
    said = headers["server"] | {"content-type": "application/json"}
    broken = []
    for part in PARTS:
        path = re.sub(r"\{\w+\}", part.decode("latin-1"), one.path)
        answer = keyed.client.request(
            one.method.upper(), path, content=b'{"available":true}', headers=said
        )
        if answer.status_code >= 500:
            broken.append((part, answer.status_code))
    assert broken == []


QUERIES = ["limit=NaN", "limit=-1", "limit=1e999", "limit=" + "9" * 5_000, "limit=1&limit=2", "&&&"]
QUERIES += [
    "k=9223372036854775808",
    "k=%00",
    "k=%ff",
    "cursor=%ff%fe",
    "user_id=%ed%a0%80",
    "=",
    "?",
]
QUERIES += ["user_id=" + "a" * 5_000, "guest_id=%0d%0a", "k=1;k=2", "k[]=1", "user_id=a%00b"]


@pytest.mark.parametrize(
    "one", [one for one in OPERATIONS if one.query], ids=lambda one: one.example
)
def test_no_malformed_query_is_answered_5xx(world, one):
    _, headers, keyed = world
    path = filled(one.path)
    found = {
        query: keyed.client.get(f"{path}?{query}", headers=headers["server"]).status_code
        for query in QUERIES
    }
    assert {query: status for query, status in found.items() if status >= 500} == {}
