"""Real PostgreSQL and Redis servers for tests, each in a folder of its own, stopped afterwards."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest

DEBIAN = "/usr/lib/postgresql"
# PostgreSQL refuses to run as root; its package brings this user.
SERVANT = "postgres"
_numbers = count()


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def _until(holds, what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what} never came up"
        time.sleep(0.02)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass
class PostgreSQL:
    """A running server."""

    port: int

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://tester@127.0.0.1:{self.port}/{database}"

    def emptied(self) -> str:
        """The address of a database with nothing in it, always the same one."""
        with self.connected("postgres") as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return self.url("postgres")

    def new_database(self) -> str:
        """The address of an empty database."""
        name = f"test_{next(_numbers)}"
        with self.connected("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def connected(self, database: str) -> psycopg.Connection:
        address = f"host=127.0.0.1 port={self.port} user=tester dbname={database}"
        return psycopg.connect(address, autocommit=True)


def _postgresql_programs() -> Path | None:
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path(DEBIAN).glob("*/bin"), reverse=True)
    return next((one for one in folders if (one / "initdb").exists()), None)


@contextmanager
def postgresql_in(folder: Path) -> Iterator[PostgreSQL]:
    """A server whose data lie in a new folder; the test is skipped, aloud, if there is none."""
    programs = _postgresql_programs()
    if programs is None:
        pytest.skip("NOT TESTED: there is no PostgreSQL here; install the package postgresql")
    as_servant = []
    if os.getuid() == 0:
        as_servant = ["runuser", "-u", SERVANT, "--"]
        shutil.chown(folder, SERVANT)
        # pytest's own folders are for root alone; the server must be able to pass through them.
        for above in folder.parents:
            if above.owner() == "root" and not above.stat().st_mode & 0o001:
                above.chmod(above.stat().st_mode | 0o011)
    data, port = folder / "data", free_port()
    make = ["initdb", "-D", str(data), "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run([*as_servant, programs / make[0], *make[1:]], check=True, capture_output=True)
    settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": port}
    # No test cuts the power of this server, and a hundred databases would wait for the disk.
    settings["fsync"] = "off"
    said = [f"--{name}={value}" for name, value in settings.items()]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*as_servant, programs / "postgres", "-D", str(data), *said],
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        running = PostgreSQL(port)
        _until(lambda: _answers(running), "PostgreSQL")
        yield running
    finally:
        # The first line of this file is the server's own id, also where runuser stands before it.
        # SIGQUIT: at once, nothing of it is wanted any more.
        pid_file = data / "postmaster.pid"
        if pid_file.exists():
            os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGQUIT)
        else:
            server.kill()
        server.wait(30)


def _answers(server: PostgreSQL) -> bool:
    try:
        server.connected("postgres").close()
    except psycopg.OperationalError:
        return False
    return True


@dataclass
class Redis:
    """A server on a port that stays the same when it is killed and started again."""

    folder: Path
    port: int
    more: tuple[str, ...] = ()
    _process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it; returns when it listens."""
        said = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        quiet = ["--save", "", "--appendonly", "no", "--enable-debug-command", "yes"]
        self._process = subprocess.Popen(
            ["redis-server", *said, *quiet, *self.more],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _until(lambda: _listens(self.port), "Redis")

    def signal(self, number: int) -> None:
        """Send the server a signal: SIGSTOP, SIGCONT, SIGKILL."""
        assert self._process is not None
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait()

    def stop(self) -> None:
        """End it, however it is."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def ask(self, *words: str) -> bytes:
        """The server's plain answer to one command, over a connection of its own."""
        said = b"*%d\r\n" % len(words)
        said += b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words)
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(said)
            return connection.recv(1 << 20)


@contextmanager
def redis_in(folder: Path, *more: str) -> Iterator[Redis]:
    """A running server; the test is skipped, aloud, if there is none."""
    if shutil.which("redis-server") is None:
        pytest.skip("NOT TESTED: there is no Redis here; install the package redis-server")
    server = Redis(folder, free_port(), more)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory) -> Iterator[PostgreSQL]:
    """One server for all tests of a process."""
    with postgresql_in(tmp_path_factory.mktemp("postgresql")) as server:
        yield server


@pytest.fixture
def redis_server(tmp_path) -> Iterator[Redis]:
    """An empty server of the test's own, so that it may be killed."""
    with redis_in(tmp_path) as server:
        yield server
