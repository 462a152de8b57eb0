"""`dapei bench serving`: the service next to a bare endpoint that returns the same bytes."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import uvloop

from data.home import Home
from data.record import Record
from recsys.bundle_files import write
from recsys.errors import RecsysError
from recsys.pointer import publish
from recsys.signing import SigningKey
from serving.bench_changes import fresh_ms, off_ms, swap_ms
from serving.bench_faults_redis import Redis, redis_of
from serving.bench_servers import Server, ask, process, served
from serving.bench_world import histories, synthetic_bundle, user_id
from serving.load import Measured, hammer, percentile, request

PERSONS, EVENTS_A_PERSON = 1_000, 60
EVENTS_A_COMMIT = 10_000
K = 20
ROUNDS = 4
SMALL = 10_000
BATCHES = (1, 100, 1_000)
MEMORY_S = 2.0
# What is asked once more at half of its full load.
HALVED = frozenset({"lists", "redis"})
REDIS_FIGURES = (
    *("redis_lists_rps", "redis_ratio", "redis_cpu_ms"),
    *("redis_p50_ms", "redis_p95_ms", "redis_p99_ms", "redis_asked"),
)

Figures = dict[str, Any]


class WithRedis(NamedTuple):
    """A service, and the Redis server beside it."""

    server: Server
    hot: Redis


def bench_serving(n_items: int, seconds: float, told: Callable[[str], None]) -> Figures:
    """Every figure of the service at one size, next to a bare endpoint and to a small shop.

    Parameters
    ----------
    seconds
        How long each kind of load is sent, in all.
    told
        Is told what is being done.
    """
    with tempfile.TemporaryDirectory(prefix="dapei-bench-") as folder:
        home, small = Home(Path(folder) / "shop"), Home(Path(folder) / "small")
        told(f"a shop of {n_items} items")
        key = _furnish(home, n_items)
        told(f"a shop of {SMALL} items")
        _furnish(small, min(SMALL, n_items))
        with served(home) as server:
            figures = _of_start(server)
            figures |= _of_lists(server, home, small, seconds, told)
            told("events in batches")
            figures |= _of_events(server.port, seconds)
            told("a swap of the bundle")
            figures["swap_ms"] = round(swap_ms(home, key, "bench-2", server))
        told("memory of one more worker, a new item on both")
        figures |= _of_two_workers(home)
    growth = figures["growth_from_10k"] if n_items == 1_000_000 else None
    return {"items": n_items} | figures | {"growth_10k_to_1m": growth}


def _of_start(server: Server) -> Figures:
    """From nothing to the first list; asked before anything else is."""
    start_cpu_s, asked_at = server.cpu_s(), time.perf_counter()
    answer = _list_answer(server.port)
    first_ms = 1_000 * (time.perf_counter() - asked_at)
    return {
        "ready_ms": round(server.ready_ms),
        "first_list_ms": round(first_ms, 1),
        "start_to_list_ms": round(server.ready_ms + first_ms),
        "start_cpu_ms": round(1_000 * start_cpu_s),
        "answer_bytes": len(answer),
        "list_items": len(orjson.loads(answer)["items"]),
    }


def _of_lists(
    server: Server, home: Home, small: Home, seconds: float, told: Callable[[str], None]
) -> Figures:
    """Lists with the record alone and with Redis beside it, next to a bare endpoint, by turns."""
    answer = _list_answer(server.port)
    with served(small) as other, _bare(answer, home.root) as bare, redis_too(home) as redis:
        servers = {"bare": bare, "lists": server, "small": other}
        if redis is not None:
            servers["redis"] = redis.server
        told("lists next to a bare endpoint")
        runs = _in_turns(servers, seconds)
        told("lists at half that load")
        before = redis.hot.looks() if redis is not None else 0
        half = {name: _half(servers[name], runs[name], seconds) for name in HALVED & set(servers)}
        n_looks = redis.hot.looks() - before if redis is not None else 0
    _check(*half.values(), *(run.measured for run in runs.values()))
    return _told_lists(runs, half["lists"]) | _told_redis(runs, half, n_looks)


def _half(server: Server, run: "Run", seconds: float) -> Measured:
    rate = run.measured.per_second / 2
    return uvloop.run(hammer(server.port, _list_request, seconds=seconds, per_second=rate))


def _told_lists(runs: "dict[str, Run]", half: Measured) -> Figures:
    bare, lists, small = runs["bare"], runs["lists"], runs["small"]
    return {
        "bare_rps": round(bare.measured.per_second),
        "lists_rps": round(lists.measured.per_second),
        "ratio": round(lists.measured.per_second / bare.measured.per_second, 3),
        "bare_cpu_ms": round(bare.cpu_ms, 3),
        "list_cpu_ms": round(lists.cpu_ms, 3),
        "cpu_ratio": round(bare.cpu_ms / lists.cpu_ms, 3),
        "rps_per_core": round(1_000 / lists.cpu_ms),
        # By processor time, which does not depend on what else the machine does meanwhile.
        "growth_from_10k": round(lists.cpu_ms / small.cpu_ms, 3),
        "server_p50_ms": percentile(half.server_ms, 50),
        "server_p99_ms": percentile(half.server_ms, 99),
        "server_p50_full_ms": percentile(lists.measured.server_ms, 50),
        "p50_ms": percentile(half.latency_ms, 50),
        "p95_ms": percentile(half.latency_ms, 95),
        "p99_ms": percentile(half.latency_ms, 99),
    }


def _told_redis(runs: "dict[str, Run]", half: dict[str, Measured], n_looks: int) -> Figures:
    """The same names as without Redis; none of them has a value where there is no Redis.

    `redis_asked` is the share of lists that Redis was asked for: less than 1 where it was too slow
    and left alone for a while.
    """
    if "redis" not in runs:
        return dict.fromkeys(REDIS_FIGURES)
    redis, bare, latency_ms = runs["redis"], runs["bare"], half["redis"].latency_ms
    values = (
        round(redis.measured.per_second),
        round(redis.measured.per_second / bare.measured.per_second, 3),
        round(redis.cpu_ms, 3),
        *(percentile(latency_ms, percent) for percent in (50, 95, 99)),
        round(n_looks / max(1, len(latency_ms)), 3),
    )
    return dict(zip(REDIS_FIGURES, values, strict=True))


@contextmanager
def redis_too(home: Home) -> Iterator[WithRedis | None]:
    """The service of the same home with persons' copies in Redis; None where there is none."""
    if shutil.which("redis-server") is None:
        yield None
        return
    with redis_of(home) as running, served(home) as server:
        # Read by now; whoever is started later on this home shall not look for Redis.
        home.config_path.unlink()
        yield WithRedis(server, running[-1])


def _furnish(home: Home, n_items: int) -> SigningKey:
    """A home with a bundle, the same under a second name, and people with histories."""
    key = SigningKey.load_or_make(home.keys)
    bundle = synthetic_bundle(n_items, "bench-1")
    write(bundle, home.bundles, key)
    write(replace(bundle, bundle_id="bench-2"), home.bundles, key)
    publish(home.bundles, "bench-1", key)
    record, now = Record.of(home), datetime.now(UTC)
    events = list(histories(n_items, PERSONS, EVENTS_A_PERSON, now))
    for start in range(0, len(events), EVENTS_A_COMMIT):
        record.append(events[start : start + EVENTS_A_COMMIT], received_at=now)
    record.close()
    return key


@contextmanager
def _bare(answer: bytes, folder: Path) -> Iterator[Server]:
    path = folder / "answer.json"
    path.write_bytes(answer)
    with process(["-m", "serving.bench_bare", str(path)]) as server:
        yield server


@dataclass(slots=True)
class Run:
    """Load on one server, and the processor time that its workers took for it."""

    measured: Measured = field(default_factory=Measured)
    cpu_s: float = 0.0

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of processor time an answer."""
        return 1_000 * self.cpu_s / max(1, len(self.measured.latency_ms))


def _in_turns(servers: dict[str, Server], seconds: float) -> dict[str, Run]:
    """All loads by turns, so that what else the machine does falls on all alike."""
    runs = {name: Run() for name in servers}
    for turn in range(ROUNDS + 1):
        for name, server in servers.items():
            before_s = server.cpu_s()
            measured = uvloop.run(hammer(server.port, _list_request, seconds=seconds / ROUNDS))
            # The first turn fills caches and is not counted.
            if turn:
                runs[name].measured.add(measured)
                runs[name].cpu_s += server.cpu_s() - before_s
    return runs


def _list_answer(port: int) -> bytes:
    return ask(port, "POST", "/v1/lists", orjson.dumps(_list_body(0)))[1]


def _of_events(port: int, seconds: float) -> Figures:
    """Durable events a second in batches of each size."""
    runs = {n: _events(port, n, seconds / len(BATCHES)) for n in BATCHES}
    _check(*runs.values())
    rates = {f"events_per_s_{n}": round(n * one.per_second) for n, one in runs.items()}
    return rates | {"events_p99_ms": percentile(runs[100].latency_ms, 99)}


def _events(port: int, batch: int, seconds: float) -> Measured:
    return uvloop.run(hammer(port, _event_requests(batch), seconds=seconds, connections=8))


def _of_two_workers(home: Home) -> Figures:
    """Memory that a second worker adds, and how soon both show and drop an item.

    Memory is each process's share of all pages, after all made lists.
    """
    shares: list[float] = []
    figures: Figures = {}
    for n_workers in (1, 2):
        with served(home, n_workers) as server:
            uvloop.run(hammer(server.port, _list_request, seconds=MEMORY_S))
            shares.append(server.shared_mb())
            if n_workers == 2:
                figures["fresh_ms"] = round(fresh_ms(server))
                figures["off_ms"] = round(off_ms(server))
    return {"worker_mb": round(shares[1] - shares[0], 1)} | figures


def _list_body(number: int) -> dict[str, Any]:
    return {"scene": "home", "user_id": user_id(number * 7 % PERSONS), "k": K}


def _list_request(number: int) -> bytes:
    return request("/v1/lists", _list_body(number))


def _event_requests(batch: int) -> Callable[[int], bytes]:
    at = int(time.time() * 1_000)

    def of(number: int) -> bytes:
        events = [
            {
                "event_id": f"bench-{at}-{batch}-{number}-{n}",
                "user_id": f"visitor-{(number * 31 + n) % 5_000}",
                "item_id": f"item-{(number * 17 + n * 29) % 1_000}",
                "type": "play",
                "play_s": 4.5,
                "at": at,
            }
            for n in range(batch)
        ]
        return request("/v1/events", {"events": events})

    return of


def _check(*runs: Measured) -> None:
    failed = sum(run.failed for run in runs)
    if failed:
        raise RecsysError(f"{failed} requests of the benchmark failed; allowed: none")
