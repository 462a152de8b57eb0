from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from typer.testing import CliRunner

from data.home import Home
from data.record import Record
from serving.cli import app as serve_app
from serving.simulated import HEADER, SimulatedClock, simulated_now

SAID = datetime(2026, 8, 3, 12, tzinfo=UTC)


async def telling(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An application that answers what time it is."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": simulated_now().isoformat().encode()})


def asked(header: str | None) -> tuple[int, str]:
    headers = {} if header is None else {HEADER: header}
    answer = TestClient(SimulatedClock(telling)).get("/", headers=headers)
    return answer.status_code, answer.text


def test_a_request_says_what_time_it_is():
    assert asked(SAID.isoformat()) == (200, SAID.isoformat())


def test_a_request_that_says_nothing_has_the_real_time_again():
    asked(SAID.isoformat())
    status, text = asked(None)
    assert status == 200
    assert abs((datetime.fromisoformat(text) - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.parametrize("text", ["noon", "2026-08-03T12:00:00", "1926-08-03T12:00:00+00:00", ""])
def test_what_is_no_time_is_refused(text):
    status, body = asked(text)
    assert status == 422
    assert HEADER in body


def refused(home: Path, host: str) -> str:
    words = ["--home", str(home), "--host", host, "--simulated-clock"]
    done = CliRunner().invoke(serve_app, words)
    assert done.exit_code == 2
    return " ".join(done.output.replace("│", " ").split())


def test_a_shop_that_has_keys_keeps_the_real_time(tmp_path):
    record = Record.of(Home(tmp_path))
    record.server_keys.new("backend", ("lists",), at=SAID, who="operator")
    record.close()
    assert "a home that never had keys" in refused(tmp_path, "127.0.0.1")


def test_the_time_may_not_be_set_from_outside(tmp_path):
    assert "loopback" in refused(tmp_path, "192.0.2.1")
