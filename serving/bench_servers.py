"""Servers that a benchmark starts in processes of their own, and what they took."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from data.home import Home
from recsys.errors import RecsysError
from serving.leash import leashed

# So long a cold start may take, in which everything is compiled.
START_S = 300.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server of ours in processes of its own.

    Attributes
    ----------
    pid
        Of the parent that keeps the workers.
    ready_ms
        From its start until it was ready.
    """

    port: int
    pid: int
    ready_ms: float

    def pids(self) -> list[int]:
        """The parent and its workers."""
        listed = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [self.pid, *map(int, listed.split())]

    def worker_of(self, connection: HTTPConnection) -> int | None:
        """The worker that holds the other end of a connection; None while nobody took it."""
        inode = _other_end(connection.sock.getsockname()[1], self.port)
        workers = self.pids()[1:]
        return next((pid for pid in workers if f"socket:[{inode}]" in _open_in(pid)), None)

    def cpu_s(self) -> float:
        """Processor time of all of them so far."""
        ticks = 0
        for pid in self.pids():
            # The name, in brackets, may hold anything; user and system time follow it.
            told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(told[11]) + int(told[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def shared_mb(self) -> float:
        """Memory of all of them, a page that several use counted once."""
        shared_kb = 0
        for pid in self.pids():
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            shared_kb += sum(map(int, re.findall(r"^Pss: +(\d+)", rollup, re.MULTILINE)))
        return shared_kb / 1_024


def _other_end(client_port: int, server_port: int) -> str | None:
    """The number of the server's socket of a connection, as the system knows it."""
    ends = f":{server_port:04X}", f":{client_port:04X}"
    rows = map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
    found = (row[9] for row in rows if (row[1][-5:], row[2][-5:]) == ends)
    return next(found, None)


def _open_in(pid: int) -> set[str]:
    """What a process has open; what it closes meanwhile is left out."""
    links = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            links.add(os.readlink(path))
    return links


@contextmanager
def process(command: list[str]) -> Iterator[Server]:
    """A ready server that says its address in its first line; told to stop however this ends.

    Raises
    ------
    RecsysError
        It did not start.
    """
    started_at = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
        preexec_fn=leashed,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "http://127.0.0.1:" not in line:
            raise RecsysError(f"{command} did not start, it said {line!r}")
        port = int(line.split("http://127.0.0.1:")[1].split()[0])
        while not is_ready(port):
            if time.perf_counter() - started_at > START_S:
                raise RecsysError(f"{command} was not ready after {START_S:g} s")
            time.sleep(0.005)
        yield Server(port, process.pid, 1_000 * (time.perf_counter() - started_at))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
        process.stdout and process.stdout.close()


def served(home: Home, n_workers: int = 1) -> AbstractContextManager[Server]:
    """The service of a home."""
    words = ["--home", str(home.root), "--port", "0", "--workers", str(n_workers)]
    return process(["-m", "dapei", "serve", *words])


def is_ready(port: int) -> bool:
    """Whether somebody there takes requests."""
    try:
        return ask(port, "GET", "/readyz", b"")[0] == 200
    except OSError:
        return False


def ask(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of an answer on a connection of its own."""
    with closing(connected(port)) as connection:
        return said(connection, method, path, body)


def connected(port: int) -> HTTPConnection:
    """A connection that can be kept, so that one worker answers all it is asked there."""
    return HTTPConnection("127.0.0.1", port, timeout=START_S)


def said(
    connection: HTTPConnection, method: str, path: str, body: bytes = b""
) -> tuple[int, bytes]:
    """Status and body of an answer on a kept connection."""
    connection.request(method, path, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()
