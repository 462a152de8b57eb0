"""A real `dapei serve` in processes of its own, and a plain client on a socket."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import orjson

ROOT = Path(__file__).parents[2]
START_LINE = re.compile(r"http://127\.0\.0\.1:(\d+)")


@dataclass
class Served:
    """A running service.

    Attributes
    ----------
    parent
        The process that keeps workers alive; leader of a group of its own.
    """

    parent: subprocess.Popen
    port: int

    def post(self, path: str, body: object) -> tuple[int, dict]:
        """Status and body of one answer on a connection of its own."""
        return asked(self.port, "POST", path, orjson.dumps(body))

    def get(self, path: str) -> tuple[int, dict]:
        return asked(self.port, "GET", path, b"")

    def workers(self) -> list[int]:
        listed = Path(f"/proc/{self.parent.pid}/task/{self.parent.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    def kill(self) -> None:
        """SIGKILL for parent and workers at once."""
        os.killpg(self.parent.pid, signal.SIGKILL)
        self.parent.wait()

    def kill_worker(self) -> None:
        """SIGKILL for the only worker; returns when another one answers in its place."""
        (worker,) = self.workers()
        os.kill(worker, signal.SIGKILL)
        until(lambda: self.workers() not in ([], [worker]) and self.is_ready(), 30)

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz")[0] == 200
        except (OSError, HTTPException):
            return False


def asked(port: int, method: str, path: str, body: bytes) -> tuple[int, dict]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, orjson.loads(answer.read())
    finally:
        connection.close()


OPEN = "no keys configured: loopback only"


def start(
    home: Path,
    *,
    port: int = 0,
    workers: int = 1,
    log: Path | None = None,
    told: str = OPEN,
    options: tuple[str, ...] = (),
) -> Served:
    """Start the service; returns when its socket listens, before it is ready."""
    command = [sys.executable, "-m", "dapei", "serve", "--home", str(home)]
    command += ["--port", str(port), "--workers", str(workers), *options]
    with (log or Path(os.devnull)).open("ab") as stderr:
        parent = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    assert parent.stdout is not None
    with parent.stdout as said:
        line = said.readline()
    found = START_LINE.search(line)
    assert found, f"no start line, got {line!r}"
    assert told in line
    return Served(parent, int(found[1]))


def until(holds, seconds: float = 10) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


@contextmanager
def running(home: Path, **more) -> Iterator[Served]:
    """A ready service, ended however the test ends."""
    served = start(home, **more)
    try:
        until(served.is_ready)
        yield served
    finally:
        if served.parent.poll() is None:
            served.kill()


def raw_answer(port: int, request: bytes) -> bytes:
    """Everything that comes back for these bytes, until the other side closes or is silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        parts = []
        while part := connection.recv(65_536):
            parts.append(part)
        return b"".join(parts)
