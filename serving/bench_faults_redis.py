"""Scenarios of Redis killed, frozen and emptied under load: lists go on without it."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from data.home import Home
from recsys.errors import RecsysError
from serving.bench_faults import Broken, Press, lost_of, under_load
from serving.bench_faults_shop import serving, until
from serving.leash import leashed

# Half of what the service does beside its load generator, so that latency is not the queue's.
PRESS = Press(lists_per_second=150, batches_per_second=5)
STEADY_S = 2.0


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
            raise RecsysError("redis-server is not here; install it, or leave R17, R18, R23 out")
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
        """Its answer to a command."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(command + b"\r\n")
            return connection.recv(1_024)


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


def _broken(home: Home, breaking: Callable[[list[Redis]], None]) -> Broken:
    """What people notice while something is done to Redis, two workers using it."""
    with redis_of(home) as running, serving(home.root, workers=2) as served:

        def steady_first() -> None:
            time.sleep(STEADY_S)
            breaking(running)
            time.sleep(STEADY_S)

        broken = under_load(served, steady_first, press=PRESS)
    broken.lost = lost_of(home, broken.events)
    return broken


def killed_redis(home: Home, *, away_s: float = 5.0) -> Broken:
    """R17: Redis is killed under load, stays away for a while, and comes back empty."""

    def breaking(running: list[Redis]) -> None:
        running[-1].kill()
        time.sleep(away_s)
        running.append(Redis.started(running[-1].port))

    return _broken(home, breaking)


def frozen_redis(home: Home, *, frozen_s: float = 30.0) -> Broken:
    """R18: Redis is stopped in the middle of whatever it does, and goes on later."""

    def breaking(running: list[Redis]) -> None:
        running[-1].send(signal.SIGSTOP)
        try:
            time.sleep(frozen_s)
        finally:
            running[-1].send(signal.SIGCONT)

    return _broken(home, breaking)


def emptied_redis(home: Home, *, times: int = 5) -> Broken:
    """R23: everything in Redis is deleted, again and again."""

    def breaking(running: list[Redis]) -> None:
        for _ in range(times):
            running[-1].say(b"FLUSHALL")
            time.sleep(1.0)

    return _broken(home, breaking)
