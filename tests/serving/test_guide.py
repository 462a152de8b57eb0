"""The guide for mini-programs: every example is a request that is taken, and every path has one."""

import json
import shlex
from urllib.parse import urlsplit

import pytest

from recsys.scenes import SCENES
from serving import openapi_hand
from serving.cursors import MAX_SHOWN, MAX_TEXT
from serving.openapi import OPERATIONS
from tests.test_guides import page
from tests.test_readme import PAGES, blocks

(GUIDE,) = [one for one in PAGES if one.name == "mini_program.md"]


def requests():
    """Every curl of the guide: method, path with query, body."""
    for block in blocks(GUIDE, "bash"):
        words = shlex.split(block.replace("\\\n", " "))
        starts = [at for at, word in enumerate(words) if word == "curl"]
        for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
            yield request(words[start:end])


def request(words):
    (url,) = [word for word in words if word.startswith("http")]
    options = dict(zip(words, words[1:], strict=False))
    parts = urlsplit(url)
    body = json.loads(options["-d"]) if "-d" in options else None
    return options.get("-X", "POST" if body else "GET"), f"{parts.path}?{parts.query}", body


REQUESTS = list(requests())


def pattern(method, path):
    """The operation that a request is of."""
    asked = path.partition("?")[0].split("/")
    for one in OPERATIONS:
        parts = one.path.split("/")
        same = [a == b or b.startswith("{") for a, b in zip(asked, parts, strict=False)]
        if len(parts) == len(asked) and all(same) and one.method == method.lower():
            return one.example
    return None


def test_every_example_is_taken(client):
    for method, path, body in REQUESTS:
        answer = client.request(method, path, json=body)
        assert answer.status_code in (200, 202), (method, path, answer.text)
        if "events" not in path and answer.headers["content-type"] == "application/json":
            assert answer.json().get("rejected", []) == [], (method, path, answer.text)


# What is in a person's hand has a guide of its own, and the shop's backend the same paths; rules
# are an operator's.
HERE = [
    one
    for one in OPERATIONS
    if not one.path.startswith(("/v1/me", "/v1/rules"))
    and one.example not in openapi_hand.examples()
]


@pytest.mark.parametrize("one", HERE, ids=lambda one: one.example)
def test_every_path_has_an_example(one):
    assert one.example in {pattern(method, path) for method, path, _ in REQUESTS}


def test_every_scene_is_told_and_has_an_example():
    rows = [line.split("|")[1].strip() for line in page("mini_program").splitlines() if "|" in line]
    assert {f"`{scene}`" for scene in SCENES} <= set(rows)
    assert {body["scene"] for _, path, body in REQUESTS if path == "/v1/lists?"} == set(SCENES)


def test_bounds_of_cursors_are_the_ones_told():
    assert f"at most {MAX_TEXT:,} characters" in page("mini_program")
    assert f"the last {MAX_SHOWN:,} items" in page("mini_program")
