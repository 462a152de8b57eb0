"""A scenario of a network that swallows what goes to Redis, then refuses it: lists go on."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from data.home import Home
from recsys.errors import RecsysError
from serving.bench_faults import Broken
from serving.bench_faults_redis import STEADY_S, Lists, broken_redis, counted
from serving.bench_faults_shop import PROGRAM, until
from serving.leash import leashed

# Of the range kept for benchmarks (RFC 2544), so that no network has them.
HERE, THERE = "198.18.0.1", "198.18.0.2"
NEAR, FAR = "dapei-near", "dapei-far"
PORT = 6379


@contextmanager
def redis_far_away() -> Iterator[Callable[..., None]]:
    """A Redis in a network of its own, two hosts apart; gives `ip` as it is said over there.

    Raises
    ------
    RecsysError
        There is no `redis-server` or `ip` here, or no network may be made.
    """
    for program in ("redis-server", "ip", "unshare", "nsenter"):
        if shutil.which(program) is None:
            raise RecsysError(f"{program} is not here; install it, or leave R19 out")
    redis = subprocess.Popen(
        ["unshare", "-n", "redis-server", "--protected-mode", "no", "--save", ""],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=leashed,
    )

    def there(*words: str) -> None:
        _said("nsenter", "-t", str(redis.pid), "-n", "ip", *words)

    try:
        _joined(redis.pid, there)
        yield there
    finally:
        # The pair of links goes with the network that has one end of it.
        redis.kill()
        redis.wait()


def _joined(pid: int, there: Callable[..., None]) -> None:
    """Two hosts at the two ends of one cable."""
    until(lambda: _network(pid) != _network("self"))
    _said("ip", "link", "add", NEAR, "type", "veth", "peer", "name", FAR, "netns", str(pid))
    _said("ip", "address", "add", f"{HERE}/30", "dev", NEAR)
    there("address", "add", f"{THERE}/30", "dev", FAR)
    _said("ip", "link", "set", NEAR, "up")
    there("link", "set", FAR, "up")


def _network(pid: int | str) -> str:
    done = subprocess.run(["readlink", f"/proc/{pid}/ns/net"], capture_output=True, text=True)
    return done.stdout


def _said(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise RecsysError(f"{' '.join(words)} failed: {done.stderr.strip()}; needed for R19")


def cut_redis(home: Home, *, cut_s: float = 5.0, program: Sequence[str] = PROGRAM) -> Broken:
    """R19: what goes to Redis is swallowed for a while, then refused for as long.

    Swallowed: over there no way leads back, so nothing is answered, not even a wish to connect.
    Refused: this host has the address itself and knows of no such connection, so it resets each.
    """
    (home.root / "dapei.toml").write_text(f'[hot]\nurl = "redis://{THERE}:{PORT}/0"\n')
    with redis_far_away() as there:

        def breaking(asked: Lists, more: dict[str, float]) -> None:
            refused: dict[str, float] = {}
            there("route", "add", "blackhole", f"{HERE}/32")
            with counted(asked, more):
                time.sleep(cut_s)
            there("route", "delete", "blackhole", f"{HERE}/32")
            # Until copies are asked for again, so that there is something to refuse.
            time.sleep(STEADY_S)
            with _taken_over(there), counted(asked, refused):
                time.sleep(cut_s)
            more["meanwhile_refused"] = refused["meanwhile"]

        return broken_redis(home, breaking, program=program)


@contextmanager
def _taken_over(there: Callable[..., None]) -> Iterator[None]:
    there("address", "delete", f"{THERE}/30", "dev", FAR)
    _said("ip", "address", "add", f"{THERE}/32", "dev", "lo")
    try:
        yield
    finally:
        _said("ip", "address", "delete", f"{THERE}/32", "dev", "lo")
        there("address", "add", f"{THERE}/30", "dev", FAR)
