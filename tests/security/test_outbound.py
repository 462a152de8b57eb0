"""S22: whatever is sent, the service opens connections to its own Redis and to nothing else."""

import os
import re
import shutil
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import orjson
import pytest

from serving.openapi import OPERATIONS
from serving.openapi_examples import EXAMPLES
from tests.security.conftest import filled
from tests.servers import redis_in
from tests.serving.running import ROOT, START_LINE, Served, until

ADDRESSES = ["http://192.0.2.7/x", "https://evil.example/", "file:///etc/passwd", "//192.0.2.7/"]
ADDRESSES += ["gopher://127.0.0.1:6379/_FLUSHALL", "redis://192.0.2.7:6379", "\\\\192.0.2.7\\c"]


def targets(trace: str) -> set[str]:
    """Where connections were opened to: address and port, or a path."""
    found = set()
    for line in trace.splitlines():
        if "connect(" in line:
            port = re.search(r"htons\((\d+)\)", line)
            address = re.search(r"inet_addr\(\"([\d.]+)\"\)|AF_INET6, \"([0-9a-f:]+)\"", line)
            path = re.search(r"sun_path=@?\"([^\"]*)\"", line)
            host = (address[1] or address[2]) if address else (path[1] if path else "?")
            found.add(f"{host}:{port[1]}" if port else host)
    return found


def tempted(body):
    """The body with an address wherever a text may stand."""
    if isinstance(body, dict):
        return {name: tempted(value) for name, value in body.items()}
    if isinstance(body, list):
        return [tempted(one) for one in body]
    return ADDRESSES[0] if isinstance(body, str) else body


def walk(port: int) -> None:
    """Every route, as in its example, and with addresses in every place."""
    for one in OPERATIONS:
        path = filled(one.path)
        body = EXAMPLES[one.example].get("body")
        bodies = [body] if body is None else [body, tempted(body)]
        if body is not None:
            bodies += [body | {next(iter(body)): address} for address in ADDRESSES]
        for said in bodies:
            asked_for(port, one, path, said)
        for address in ADDRESSES:
            asked_for(port, one, f"{path}?url={address}&cursor={address}&user_id={address}", body)


def asked_for(port, one, path, body) -> None:
    raw = b"" if body is None else orjson.dumps(body)
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"content-type": "application/json"}
        connection.request(one.method.upper(), path.replace("\\", "%5C"), raw, headers)
        # An export is lines and metrics are text; what they say is not the matter here.
        assert connection.getresponse().read() is not None
    finally:
        connection.close()


def traced(home: Path, trace: Path) -> Served:
    command = ["strace", "-f", "-qq", "-e", "trace=connect", "-o", str(trace), sys.executable]
    command += ["-m", "dapei", "serve", "--home", str(home), "--port", "0"]
    parent = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    with parent.stdout as said:
        found = START_LINE.search(said.readline())
    assert found
    return Served(parent, int(found[1]))


@pytest.mark.nightly
def test_nothing_that_is_sent_makes_the_service_call_anybody(tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("NOT TESTED: there is no strace here")
    home, trace = tmp_path / "home", tmp_path / "trace"
    home.mkdir()
    with redis_in(tmp_path) as redis:
        (home / "dapei.toml").write_text(f'[hot]\nurl = "{redis.url}"\n')
        served = traced(home, trace)
        try:
            until(served.is_ready, 120)
            walk(served.port)
        finally:
            os.killpg(served.parent.pid, signal.SIGKILL)
            served.parent.wait()
        assert targets(trace.read_text()) == {f"127.0.0.1:{redis.port}"}


def test_a_connection_elsewhere_would_be_seen():
    line = '7 connect(9, {sin_port=htons(80), sin_addr=inet_addr("192.0.2.7")}, 16) = 0'
    assert targets(line) == {"192.0.2.7:80"}
    assert targets('7 connect(9, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = -1') == {"/run/x"}


def test_a_program_that_calls_somebody_is_seen(tmp_path):
    """The way of looking itself: a connection that is tried and refused is in the trace."""
    if shutil.which("strace") is None:
        pytest.skip("NOT TESTED: there is no strace here")
    call = "import socket; socket.socket().connect_ex(('127.0.0.1', 9))"
    trace = ["strace", "-f", "-qq", "-e", "trace=connect", "-o", str(tmp_path / "trace")]
    subprocess.run([*trace, sys.executable, "-S", "-c", call], check=True, timeout=60)
    assert targets((tmp_path / "trace").read_text()) == {"127.0.0.1:9"}
