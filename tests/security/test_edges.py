"""S12, S21: what is too large is refused before it costs, and nothing is told that need not be."""

import gzip
import re
import socket
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from data.home import Home
from data.record import Record
from serving import bodies
from serving.bench_faults_shop import serving
from serving.bodies import MAX_BODY_BYTES, parsed
from serving.draining import MAX_HEAD_BYTES
from serving.errors import MalformedBody
from serving.schemas import BatchBody
from tests.faults.defects import with_defect
from tests.planted import NOW
from tests.serving.running import running, until

RSS_MB = 20
DEEP = 33
JSON = "content-type: application/json"
ROUTES = {
    "/v1/lists": "POST",
    "/v1/events": "POST",
    "/v1/items": "PUT",
    "/v1/items/availability": "POST",
    "/v1/items/item-1": "PATCH",
    "/v1/aliases": "POST",
}
EVENT = {"event_id": "e", "user_id": "user-5001", "item_id": "item-1", "type": "view", "at": 1}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    home = tmp_path_factory.mktemp("edges") / "home"
    record = Record.of(Home(home))
    scopes = ["lists", "events", "items", "users"]
    key = record.server_keys.new("backend", scopes, at=NOW, who="test")
    record.close()
    with running(home, told="1 keys hold") as served:
        yield served, key


def sent(served, method, path, body=b"", *headers: str, key=True) -> tuple[int, str, bytes]:
    """Status, head and body of an answer to bytes on a socket."""
    at, secret = served
    head = [f"{method} {path} HTTP/1.1", "host: localhost", "connection: close", *headers]
    if key and secret:
        head.append(f"authorization: Bearer {secret}")
    if body:
        head += ["content-type: application/json", f"content-length: {len(body)}"]
    answer = exchanged(at.port, "\r\n".join(head).encode() + b"\r\n\r\n" + body)
    head, _, rest = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode(), rest


def exchanged(port: int, request: bytes) -> bytes:
    """What comes back; the other side may have enough before all is sent."""
    parts = []
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        with suppress(OSError):
            connection.sendall(request)
        with suppress(ConnectionError):
            while part := connection.recv(65_536):
                parts.append(part)
    return b"".join(parts)


def nested(depth: int) -> bytes:
    return b'{"scene":"home","context":' + b'{"a":' * (depth - 2) + b"{}" + b"}" * (depth - 1)


def large(served, path) -> dict[str, tuple[bytes, list[str]]]:
    """Bodies and headers that are over a limit."""
    bomb = gzip.compress(b" " * 1_000_000, 9)
    return {
        # Only said to be: who sends it all hears nothing but that the connection is gone.
        "over a megabyte": (b"", [f"content-length: {MAX_BODY_BYTES + 1}", JSON]),
        "too deep": (nested(DEEP), []),
        "far too deep": (b"[" * 500_000, []),
        "a bomb": (bomb, ["content-encoding: gzip"]),
        "long headers": (b"{}", ["x-long: " + "y" * (MAX_HEAD_BYTES + 1)]),
        "many headers": (b"{}", [f"x-{n}: {'y' * 1_000}" for n in range(70)]),
        "a long address": (b"{}", []),
    }


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("name", large(None, ""))
def test_what_is_too_large_is_refused(served, path, name):
    body, headers = large(served, path)[name]
    target = path + "?" + "q" * MAX_HEAD_BYTES if name == "a long address" else path
    status, _, said = sent(served, ROUTES[path], target, body, *headers)
    assert 400 <= status < 500
    assert set(orjson.loads(said)) == {"error", "detail"}
    expected = {"over a megabyte": 413, "a bomb": 415, "too deep": 400, "far too deep": 400}
    assert status == expected.get(name, 431)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/events", {"events": [EVENT] * 1_001}),
        ("/v1/items", {"items": [{"item_id": "i", "kind": "product"}] * 1_001}),
        ("/v1/items/availability", {"item_ids": ["i"] * 1_001, "available": True}),
        ("/v1/lists", {"scene": "home", "k": 101}),
        ("/v1/lists", {"scene": "home", "k": 10**9}),
        ("/v1/lists", {"scene": "home", "exclude": ["i"] * 1_001}),
        ("/v1/lists", {"scene": "cart", "context": {"cart": ["i"] * 101}}),
        ("/v1/lists", {"scene": "home", "cursor": "A" * 100_000}),
    ],
)
def test_what_is_too_many_is_refused(served, path, body):
    status, _, _ = sent(served, ROUTES[path], path, orjson.dumps(body))
    assert 400 <= status < 500


def test_a_header_that_never_ends_is_cut(served):
    at, _ = served
    endless = b"GET /healthz HTTP/1.1\r\nx: " + b"y" * (80 * MAX_HEAD_BYTES)
    answer = exchanged(at.port, endless)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


def rss_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1_024


def test_none_of_it_stays_in_memory(served):
    at, _ = served
    (worker,) = at.workers()
    batch = orjson.dumps({"events": [EVENT] * 1_001})
    for _ in range(2):
        # The first round fills what is kept for everybody: buffers, caches.
        before = rss_mb(worker)
        for path, method in ROUTES.items():
            for body, headers in large(served, path).values():
                sent(served, method, path, body, *headers)
            sent(served, method, path, batch)
        exchanged(at.port, b"POST /v1/lists HTTP/1.1\r\nx: " + b"y" * 30_000_000)
    assert rss_mb(worker) - before <= RSS_MB


@pytest.mark.parametrize(("depth", "is_taken"), [(32, True), (33, False), (1_000, False)])
def test_32_levels_are_read_and_no_more(depth, is_taken):
    props = b'{"a":' * (depth - 3) + b"[]" + b"}" * (depth - 3)
    raw = b'{"events":[' + b'{"props":' + props + b"}" + b"]}"
    raw = b'{"events":[' + props + b"]}"
    if is_taken:
        assert parsed(raw, BatchBody).events
    else:
        with pytest.raises(MalformedBody, match="allowed: 32 levels|no JSON"):
            parsed(raw, BatchBody)


def test_without_the_check_1000_levels_would_be_read(monkeypatch):
    monkeypatch.setattr(bodies, "_check_depth", lambda _raw, _said: None)
    raw = b'{"events":[' + b"[" * 900 + b"]" * 900 + b"]}"
    assert parsed(raw, BatchBody).events


HIDDEN = [
    "/docs",
    "/redoc",
    "/openapi",
    "/debug",
    "/admin",
    "/.env",
    "/.git/config",
    "/console/../",
]
HIDDEN += ["/v1", "/v2/lists", "/static/app.js", "/server-status", "/metrics/", "/actuator/health"]


@pytest.mark.parametrize("path", HIDDEN)
def test_there_is_nothing_but_the_api(served, path):
    status, _, said = sent(served, "GET", path)
    assert (status, orjson.loads(said)["error"]) == (404, "not_found")


VERBS = ["TRACE", "OPTIONS", "HEAD", "PROPFIND", "DELETE", "LINK", "MKCOL", "PURGE"]


@pytest.mark.parametrize("path", [*ROUTES, "/healthz", "/metrics"])
@pytest.mark.parametrize("verb", VERBS)
def test_unknown_verbs_are_refused(served, path, verb):
    status, head, said = sent(served, verb, path, b"", "origin: https://evil.example")
    assert status == 405
    assert "x-forwarded" not in said.decode()
    assert "allow: " in head.lower()


@pytest.mark.parametrize("verb", ["BREW", "get", "GE T", "", "\x00"])
def test_what_is_no_verb_is_refused(served, verb):
    assert 400 <= sent(served, verb, "/healthz")[0] < 500


def every_answer(served):
    """One of each sort: success, every refusal, a broken request."""
    yield sent(served, "POST", "/v1/lists", b'{"scene":"home"}', "origin: https://evil.example")
    yield sent(served, "POST", "/v1/lists", b'{"scene":"home"}', key=False)
    yield sent(served, "GET", "/metrics")
    yield sent(served, "GET", "/nothing")
    yield sent(served, "POST", "/v1/lists", b"{")
    yield sent(served, "POST", "/v1/lists", b'{"scene":1}')
    yield sent(served, "GET", "/healthz", b"", "origin: https://evil.example")
    yield sent(served, "GET", "/v1/lists", b"", "access-control-request-method: POST")


def telling(answer) -> set[str]:
    """What an answer says that it should not, and what it should say and does not."""
    status, head, said = answer
    names = {line.split(":")[0].lower() for line in head.split("\r\n")[1:]}
    found = names & {"server", "x-powered-by", "via", "set-cookie"}
    found |= {name for name in names if name.startswith("access-control-")}
    if re.search(rb"Traceback|File \"|\.py|uvicorn|fastapi|pydantic|sqlalchemy", said):
        found.add("what made it")
    found |= {"5xx"} if status >= 500 else set()
    kept = {"cache-control: no-store", "x-content-type-options: nosniff"}
    return found | {one for one in kept if one not in head.lower()}


def test_answers_say_nothing_of_what_made_them_and_may_not_be_kept(served):
    for answer in every_answer(served):
        assert telling(answer) == set()


# Without our headers, with the server's own, and errors that quote what happened.
TALKATIVE = """
import traceback, uvicorn, serving.workers as w, serving.failures as f, serving.app as a
w.HEADERS = {}
config = uvicorn.Config
uvicorn.Config = lambda *said, **more: config(*said, **more | {"server_header": True})
async def quoting(request, error):
    return f.error_body(400, "broken", "".join(traceback.format_exception(error)))
a.refused = quoting
"""


def test_a_service_that_tells_more_would_be_seen(tmp_path):
    """The negative control of S21."""
    with serving(tmp_path / "home", program=with_defect(TALKATIVE)) as talkative:
        found = set().union(*map(telling, every_answer((talkative, ""))))
    assert found >= {"server", "what made it", "cache-control: no-store"}


def test_the_service_still_answers_afterwards(served):
    until(lambda: sent(served, "POST", "/v1/lists", b'{"scene":"home"}')[0] == 200)
