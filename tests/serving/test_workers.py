"""Processes behind one socket: started, replaced, stopped; and what `dapei serve` refuses."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from http.client import HTTPConnection

import pytest
from typer.testing import CliRunner

from dapei import command_line
from tests.serving.running import ROOT, running, until


def invoke(*words):
    return CliRunner().invoke(command_line("serve"), ["serve", *map(str, words)])


def said_by(answer) -> str:
    return " ".join(answer.output.replace("│", " ").split())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "shop.example"])
def test_without_keys_only_loopback_is_served(tmp_path, host):
    answer = invoke("--home", tmp_path, "--host", host)
    assert answer.exit_code == 2
    assert "no keys are configured, so the service listens on loopback only" in said_by(answer)
    assert f"got '{host}', allowed: 127.0.0.1, ::1, localhost" in said_by(answer)


def test_wrong_settings_stop_the_start(tmp_path):
    (tmp_path / "dapei.toml").write_text("[serve]\nworkers = 3\n")
    answer = invoke("--home", tmp_path)
    assert answer.exit_code == 1
    assert "workers: Extra inputs are not permitted" in str(answer.exception)


def test_a_record_that_is_none_stops_the_start(tmp_path):
    (tmp_path / "record.db").write_bytes(b"no database at all, but long enough to be one" * 100)
    answer = invoke("--home", tmp_path)
    assert answer.exit_code == 1
    assert "the record cannot be" in str(answer.exception)


def test_a_worker_loads_nothing_that_only_jobs_need():
    code = (
        "import sys; from dapei import command_line; command_line('serve')\n"
        "bad = {'polars', 'implicit', 'sklearn', 'lightgbm', 'training'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {bad}' if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_home_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("DAPEI_HOME", str(tmp_path))
    assert "no keys are configured" in said_by(invoke("--host", "192.0.2.7"))


def test_two_workers_answer_and_stop_when_asked(tmp_path):
    with running(tmp_path, workers=2) as served:
        until(lambda: len(served.workers()) == 2)
        assert served.post("/v1/lists", {"scene": "home"})[0] == 200
        served.parent.send_signal(signal.SIGTERM)
        assert served.parent.wait(10) == 0


def test_ctrl_c_in_a_terminal_reaches_all_and_stops_cleanly(tmp_path):
    with running(tmp_path, workers=2, log=tmp_path / "log") as served:
        os.killpg(served.parent.pid, signal.SIGINT)
        assert served.parent.wait(10) == 0
    assert '"frames"' not in (tmp_path / "log").read_text()


def test_a_worker_that_dies_is_replaced(tmp_path):
    with running(tmp_path, log=tmp_path / "log") as served:
        served.kill_worker()
        assert served.get("/healthz")[0] == 200
    assert "ended status=-9" in (tmp_path / "log").read_text()


def test_a_new_worker_gets_its_share_of_the_connections(tmp_path):
    with running(tmp_path, workers=2) as served, ExitStack() as open_until_here:
        until(lambda: len(served.workers()) == 2)
        before = set(served.workers())
        os.kill(min(before), signal.SIGKILL)
        until(lambda: set(served.workers()) - before)
        (new,) = set(served.workers()) - before
        # Before it takes connections itself: all of them are the other's.
        os.kill(new, signal.SIGSTOP)
        kept = [HTTPConnection("127.0.0.1", served.port, timeout=30) for _ in range(8)]
        for one in kept:
            open_until_here.enter_context(closing(one))
        assert not any(map(is_told_to_leave, kept))
        os.kill(new, signal.SIGCONT)
        leaving: list[HTTPConnection] = []
        until(lambda: leaving.extend(filter(is_told_to_leave, kept)) or leaving, 30)
        # Those that had been asked already when the new one began.
        leaving += filter(is_told_to_leave, kept)
        assert len(leaving) == 4
        assert not any(map(is_told_to_leave, kept))


def is_told_to_leave(connection: HTTPConnection) -> bool:
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    return answer.headers["connection"] == "close"


def test_workers_end_with_their_parent(tmp_path):
    with running(tmp_path, workers=2) as served:
        served.parent.kill()
        served.parent.wait()
        until(lambda: not served.is_ready())


def test_a_request_under_way_is_answered_before_the_stop(tmp_path):
    with running(tmp_path) as served:
        holder = sqlite3.connect(tmp_path / "record.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        sender = subprocess.Popen(
            [sys.executable, "-c", SEND_ONE, str(served.port)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert sender.stdout is not None
        assert sender.stdout.readline() == b"sent\n"
        served.parent.send_signal(signal.SIGTERM)
        until(lambda: not served.is_ready())
        holder.execute("ROLLBACK")
        assert sender.communicate(timeout=10)[0] == b"202\n"
        assert served.parent.wait(10) == 0


SEND_ONE = """
import sys, time
from http.client import HTTPConnection
connection = HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
now = int(time.time() * 1000)
body = '{"events":[{"event_id":"e","user_id":"u","item_id":"i","type":"view","at":%d}]}' % now
connection.request("POST", "/v1/events", body, {"content-type": "application/json"})
time.sleep(0.3)
print("sent", flush=True)
print(connection.getresponse().status, flush=True)
"""


def test_a_taken_port_is_told(tmp_path):
    with running(tmp_path / "one") as served:
        answer = invoke("--home", tmp_path / "two", "--port", served.port)
    assert answer.exit_code == 1
    assert f"port {served.port} of 127.0.0.1 cannot be used" in str(answer.exception)
