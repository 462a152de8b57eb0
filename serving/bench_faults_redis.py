"""Scenarios of Redis killed, frozen, emptied and asked for one person: lists go on as they were."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from data.home import Home
from recsys.errors import RecsysError
from serving.bench_faults import Broken, Press, lost_of, some_list, under_load
from serving.bench_faults_load import Asked, is_list, lists
from serving.bench_faults_shop import PERSONS, PROGRAM, serving, until
from serving.bench_world import user_id
from serving.leash import leashed

# Half of what the service does beside its load generator, so that latency is not the queue's.
PRESS = Press(lists_per_second=150, batches_per_second=5)
# Copies are trusted when nothing was in doubt for five seconds; before that nobody asks for any.
STEADY_S = 7.0


@dataclass(slots=True)
class Redis:
    """A server of this benchmark's own, on a port that stays when it is started again."""

    port: int
    process: "subprocess.Popen[bytes]"

    @classmethod
    def started(cls, port: int) -> "Redis":
        """A server that listens; it keeps nothing on disk.

        Raises
        ------
        RecsysError
            There is no `redis-server` here, or it does not listen.
        """
        program = shutil.which("redis-server")
        if program is None:
            raise RecsysError(
                "redis-server is not here; install it, or leave R17, R18, R19, R23, R25 out"
            )
        words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        process = subprocess.Popen(
            [*words, "--appendonly", "no"], stdout=subprocess.DEVNULL, preexec_fn=leashed
        )
        redis = cls(port, process)
        until(redis.listens)
        return redis

    def listens(self) -> bool:
        """Whether it takes connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def say(self, command: bytes) -> bytes:
        """Give it a command; the beginning of its answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(command + b"\r\n")
            return connection.recv(65_536)

    def looks(self) -> int:
        """How often it was asked for copies or marks."""
        found = re.search(rb"cmdstat_mget:calls=(\d+)", self.say(b"INFO commandstats"))
        return int(found[1]) if found is not None else 0


@contextmanager
def redis_of(home: Home) -> Iterator[list[Redis]]:
    """A server that the home's service is told to use; the last of the list runs."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (home.root / "dapei.toml").write_text(f'[hot]\nurl = "redis://127.0.0.1:{port}/0"\n')
    running = [Redis.started(port)]
    try:
        yield running
    finally:
        running[-1].kill()


class Lists:
    """Requests for lists that tell how many were answered well so far."""

    def __init__(self, of: Callable[[int], Asked]) -> None:
        self._of = of
        self.n_good = 0

    def __call__(self, number: int) -> Asked:
        """Request number n."""
        asked = self._of(number)
        return replace(asked, is_good=lambda status, body: self._noted(asked, status, body))

    def _noted(self, asked: Asked, status: int, body: bytes) -> bool:
        is_good = asked.is_good(status, body)
        self.n_good += is_good
        return is_good


@contextmanager
def counted(asked: Lists, more: dict[str, float]) -> Iterator[None]:
    """Tells how many lists were answered well `meanwhile`; those sent before do not count."""
    # At the most so many were on their way: they may have been answered for half of it.
    before = asked.n_good + PRESS.connections
    yield
    more["meanwhile"] = max(0, asked.n_good - before)


def broken_redis(
    home: Home,
    breaking: Callable[[Lists, dict[str, float]], None],
    *,
    program: Sequence[str] = PROGRAM,
) -> Broken:
    """What people notice while something is done to Redis, two workers using it."""
    asked, more = Lists(some_list()), dict[str, float]()

    def steady_first() -> None:
        time.sleep(STEADY_S)
        breaking(asked, more)
        time.sleep(STEADY_S)

    with serving(home.root, workers=2, program=program) as served:
        broken = under_load(served, steady_first, press=PRESS, list_of=asked)
    broken.lost = lost_of(home, broken.events)
    broken.more |= more
    return broken


def killed_redis(home: Home, *, away_s: float = 5.0, program: Sequence[str] = PROGRAM) -> Broken:
    """R17: Redis is killed under load, stays away for a while, and comes back empty."""
    with redis_of(home) as running:

        def breaking(asked: Lists, more: dict[str, float]) -> None:
            running[-1].kill()
            with counted(asked, more):
                time.sleep(away_s)
            running.append(Redis.started(running[-1].port))

        return broken_redis(home, breaking, program=program)


def frozen_redis(home: Home, *, frozen_s: float = 30.0, program: Sequence[str] = PROGRAM) -> Broken:
    """R18: Redis is stopped in the middle of whatever it does, and goes on later."""
    with redis_of(home) as running:

        def breaking(asked: Lists, more: dict[str, float]) -> None:
            running[-1].send(signal.SIGSTOP)
            try:
                with counted(asked, more):
                    time.sleep(frozen_s)
            finally:
                running[-1].send(signal.SIGCONT)

        return broken_redis(home, breaking, program=program)


def emptied_redis(home: Home, *, times: int = 5) -> Broken:
    """R23: everything in Redis is deleted, again and again."""
    with redis_of(home) as running:

        def breaking(asked: Lists, more: dict[str, float]) -> None:
            with counted(asked, more):
                for _ in range(times):
                    running[-1].say(b"FLUSHALL")
                    time.sleep(1.0)

        return broken_redis(home, breaking)


def one_for_all(home: Home, *, seconds: float = 10.0) -> Broken:
    """R25: four of five lists are for one person, and before that for all of them in turn."""
    with redis_of(home) as running, serving(home.root, workers=2) as served:
        time.sleep(STEADY_S)
        looks = [running[-1].looks()]

        def asked(mark: str, of: Callable[[int], str]) -> Broken:
            press = replace(PRESS, mark=mark)
            broken = under_load(
                served, lambda: time.sleep(seconds), press=press, list_of=lists(of, is_list)
            )
            looks.append(running[-1].looks())
            return broken

        even = asked("even", lambda number: user_id(number % PERSONS))
        broken = asked("hot", lambda number: user_id(number % PERSONS if number % 5 == 0 else 0))
    even_ms, p99_ms = (one.lists.figures()["p99_ms"] for one in (even, broken))
    broken.more["p99_x"] = round(p99_ms / even_ms, 2)
    broken.more["even_p99_ms"] = even_ms
    broken.more["looks_a_list"] = round((looks[2] - looks[1]) / broken.lists.sent, 3)
    broken.more["even_looks_a_list"] = round((looks[1] - looks[0]) / even.lists.sent, 3)
    broken.lost = lost_of(home, broken.events, mark="hot")
    return broken
