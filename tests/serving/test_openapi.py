"""The description of the HTTP surface: pinned, true to the routes, and kept by every answer."""

import json
import runpy
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from data.home import Home
from serving.app import PARTS
from serving.openapi import OPERATIONS, document
from serving.openapi_examples import EXAMPLES
from tests.serving.conftest import Shop

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ROOT = Path(__file__).parents[2]
# Served, but not for callers to build on.
UNDESCRIBED = {"/openapi.json"}


def test_the_pinned_description_is_what_is_served(still):
    pinned = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert pinned == runpy.run_path(str(ROOT / "scripts" / "openapi.py"))["whole"](), (
        "run scripts/openapi.py"
    )
    assert still.get("/openapi.json").json() == json.loads(pinned)


def test_every_route_is_described_and_no_other(shop):
    service = shop.service()
    served = {
        (route.path.replace(":path", ""), method.lower())
        for part in PARTS
        for route in part.router(service).routes
        for method in route.methods
        if route.path not in UNDESCRIBED
    }
    service.close()
    assert served == {(one.path, one.method) for one in OPERATIONS}


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.example)
def test_examples_have_the_shapes_they_are_of(one):
    example = EXAMPLES[one.example]
    assert set(example) == {"answer"} | ({"body"} if one.body else set())
    if one.body:
        one.body.model_validate(example["body"])
    if one.answer:
        one.answer.model_validate(example["answer"])


def test_the_body_of_each_example_is_taken(shop, client):
    for one in OPERATIONS:
        named = {"item_id": "product-1121", "user_id": "user-5001", "tag": "露营"}
        path = one.path.format(**named, rule_id="autumn-pin")
        body = EXAMPLES[one.example].get("body")
        if body is not None and one.path != "/v1/events":
            answer = client.request(one.method.upper(), path, json=body)
            # Without keys nobody has a self.
            expected = (403,) if one.path.startswith("/v1/me") else (200, 404)
            assert answer.status_code in expected, (one, answer.text)


def test_every_shape_that_is_named_is_there():
    said = json.dumps(document())
    shapes = document()["components"]["schemas"]
    named = {part.split('"')[0] for part in said.split("#/components/schemas/")[1:]}
    assert named <= shapes.keys()


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    shop = Shop(Home(tmp_path_factory.mktemp("api") / "home"))
    shop.publish()
    # Running, so that it goes on looking at which keys hold.
    with shop.client() as client:
        yield schemathesis.openapi.from_asgi("/openapi.json", client.app)


# An export is a program of its own, so it has its own test.
@pytest.mark.parametrize(
    "one",
    [one for one in OPERATIONS if not one.path.endswith("/export")],
    ids=lambda one: one.example,
)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_comes_is_answered_as_described(api, one, data):
    mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
    operation = api[one.path][one.method]
    case = data.draw(operation.as_strategy(generation_mode=mode))
    case.call_and_validate(checks=CHECKS)
