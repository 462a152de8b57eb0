"""Every answer that is an error has one shape, and the status its class has in the table."""

import pytest
from starlette.requests import ClientDisconnect

from recsys.errors import (
    BundleError,
    ConfigError,
    IdConflict,
    InvalidItem,
    RecsysError,
    StoreUnavailable,
)
from recsys.recommend import Request
from serving.bodies import MAX_BODY_BYTES
from serving.errors import BodyTooLarge, LateEvent, MalformedBody, WrongMediaType
from serving.failures import status_of

JSON = {"content-type": "application/json"}
BOTH = pytest.mark.parametrize("path", ["/v1/lists", "/v1/events"])


def told(answer):
    said = answer.json()
    assert set(said) == {"error", "detail"}
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, said["error"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MalformedBody, 400),
        (BodyTooLarge, 413),
        (WrongMediaType, 415),
        (LateEvent, 422),
        (InvalidItem, 422),
        (IdConflict, 422),
        (StoreUnavailable, 503),
        (BundleError, 503),
        (ConfigError, 500),
        (RecsysError, 500),
        (ClientDisconnect, 400),
        (ZeroDivisionError, 500),
    ],
)
def test_every_error_has_a_status(error, status):
    assert status_of(error()) == status


def test_an_unknown_path_is_told_in_the_same_shape(still):
    assert told(still.get("/v2/lists")) == (404, "not_found")
    assert told(still.get("/v1/lists/")) == (404, "not_found")
    assert told(still.get("/docs")) == (404, "not_found")


@BOTH
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_another_method_is_refused_and_the_right_one_named(still, path, method):
    answer = still.request(method, path)
    assert told(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


@BOTH
@pytest.mark.parametrize(
    "media", ["", "text/plain", "application/x-www-form-urlencoded", "application/json-seq"]
)
def test_only_json_is_taken(still, path, media):
    answer = still.post(path, content=b"{}", headers={"content-type": media})
    assert told(answer) == (415, "unsupported_media_type")
    assert "allowed: application/json" in answer.json()["detail"]


@BOTH
def test_a_packed_body_is_refused(still, path):
    answer = still.post(path, content=b"{}", headers=JSON | {"content-encoding": "gzip"})
    assert told(answer) == (415, "unsupported_media_type")
    assert "content-encoding is 'gzip'" in answer.json()["detail"]


@BOTH
@pytest.mark.parametrize("in_parts", [False, True])
def test_a_body_over_the_limit_is_refused(still, path, in_parts):
    body = b" " * (MAX_BODY_BYTES + 1)
    content = iter([body[:9], body[9:]]) if in_parts else body
    answer = still.post(path, content=content, headers=JSON)
    assert told(answer) == (413, "too_large")


@BOTH
def test_a_body_at_the_limit_is_read(still, path):
    answer = still.post(path, content=b" " * MAX_BODY_BYTES, headers=JSON)
    assert told(answer) == (400, "malformed_body")


def test_our_own_mistake_is_told_without_its_traceback(shop):
    shop.publish()
    with shop.client() as client:
        shop.clock.at = "no time at all"
        answer = client.post("/v1/lists", json={"scene": "home"})
    assert told(answer) == (500, "internal")
    assert answer.json()["detail"] == "the service made a mistake"


def test_a_record_that_cannot_be_written_is_503(shop):
    service = shop.service()
    service.writer.close()
    with shop.client_of(service) as client:
        answer = client.post("/v1/events", json={"events": [shop.body()]})
    assert told(answer) == (503, "store_unavailable")
    assert answer.headers["retry-after"] == "1"


def test_health_is_answered_before_there_is_anything(shop):
    with shop.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "bundle": None,
        "refused_bundles": 0,
        "lost_lists": 0,
    }


def test_ready_names_the_bundle(still):
    assert still.get("/readyz").json()["bundle"] == "bundle-1"


def test_not_ready_before_the_first_look(shop):
    service = shop.service()
    client = shop.client_of(service)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert service.recommend(Request(scene="home"))
    service.close()
