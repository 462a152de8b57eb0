"""Log lines: one JSON object each, and nothing in them that came from a caller."""

import json
import logging
import sys

import pytest

from recsys.errors import InvalidInput
from serving.logs import JsonLines
from tests.serving.running import running

SECRET = "user-secret-77"


def line(message, *args, exc_info=None):
    record = logging.LogRecord("serving.x", logging.ERROR, "x.py", 1, message, args, exc_info)
    return JsonLines().format(record)


def caught(error):
    try:
        raise error
    except Exception:
        return sys.exc_info()


def test_a_line_says_when_how_grave_where_and_what():
    said = json.loads(line("refused a bundle: %s", "damaged\n{}"))
    assert set(said) == {"at", "level", "where", "pid", "said"}
    assert (said["level"], said["where"]) == ("ERROR", "serving.x")
    assert said["said"] == "refused a bundle: damaged"
    assert said["at"].endswith("+00:00")


@pytest.mark.parametrize("error", [InvalidInput(f"user_id, got {SECRET}"), KeyError(SECRET)])
def test_an_error_is_named_and_placed_but_not_quoted(error):
    told = line(f"Task failed\nexception={error!r}", exc_info=caught(error))
    assert SECRET not in told
    said = json.loads(told)
    assert said["error"] == type(error).__name__
    assert "test_logs.py" in said["frames"][-1]


def test_a_running_service_logs_json_without_a_person(shop, tmp_path):
    log = tmp_path / "log"
    with running(shop.home.root, log=log) as served:
        body = {"scene": "home", "user_id": SECRET}
        served.post("/v1/lists", body)
        served.post("/v1/lists", body | {"k": -1})
        served.post("/v1/events", {"events": [{"user_id": SECRET}]})
        served.get(f"/v1/users/{SECRET}/history")
        served.post(f"/v1/{SECRET}", {})
    lines = log.read_text().splitlines()
    assert lines
    assert all(json.loads(one)["said"] for one in lines)
    assert SECRET not in log.read_text()
