"""How soon lists follow the shop: a new bundle, a new item, one that is switched off."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection

import orjson

from data.home import Home
from recsys.errors import RecsysError
from recsys.pointer import publish
from recsys.signing import SigningKey
from serving.bench_servers import START_S, Server, connected, said

# A new item shares its seats with others that want to be seen, so not everybody gets it.
LISTS = [orjson.dumps({"scene": "home", "user_id": f"user-{n}", "k": 20}) for n in range(10)]
NEW_ID = "bench-new"
NEW = {
    "item_id": NEW_ID,
    "kind": "product",
    "title": "今天刚刚上架的一件",
    "tags": ["标签1"],
    "price_minor": 1_990,
}
LOOK_S = 0.005
# Longer than a worker needs to look, so that what would come back is seen.
WATCHED_S = 2.0
CONNECTIONS_TRIED = 500


def swap_ms(home: Home, key: SigningKey, bundle_id: str, server: Server) -> float:
    """Milliseconds from the new pointer until the last worker answers with the new bundle."""
    with _one_each(server) as workers:
        publish(home.bundles, bundle_id, key)
        started_at = time.perf_counter()
        for worker in workers:
            while orjson.loads(_said(worker, "POST", "/v1/lists", LISTS[0]))["bundle"] != bundle_id:
                _wait(started_at, f"bundle {bundle_id}")
        return 1_000 * (time.perf_counter() - started_at)


def fresh_ms(server: Server) -> float:
    """Milliseconds from putting an item in until the last worker's lists show it."""
    with _one_each(server) as workers:
        started_at = time.perf_counter()
        _said(workers[0], "PUT", "/v1/items", orjson.dumps({"items": [NEW]}))
        for worker in workers:
            while not _shows_new(worker):
                _wait(started_at, f"item {NEW_ID}")
        return 1_000 * (time.perf_counter() - started_at)


def off_ms(server: Server) -> float:
    """Milliseconds from switching that item off until the last list of any worker that shows it.

    Each worker is asked all the time, and goes on being asked when it no longer shows the item.
    """
    with _one_each(server) as workers:
        started_at = last_at = time.perf_counter()
        _said(workers[0], "PATCH", f"/v1/items/{NEW_ID}", orjson.dumps({"available": False}))
        while time.perf_counter() - last_at < WATCHED_S:
            for worker in workers:
                if _shows_new(worker):
                    last_at = time.perf_counter()
                    _wait(started_at, f"the end of item {NEW_ID}")
        return 1_000 * (last_at - started_at)


@contextmanager
def _one_each(server: Server) -> Iterator[list[HTTPConnection]]:
    """A kept connection to each worker."""
    found: dict[int | None, HTTPConnection] = {}
    workers = set(server.pids()[1:])
    with ExitStack() as opened:
        for _ in range(CONNECTIONS_TRIED):
            connection = connected(server.port)
            opened.callback(connection.close)
            _said(connection, "GET", "/readyz")
            found[server.worker_of(connection)] = connection
            if set(found) >= workers:
                break
        else:
            raise RecsysError(f"{len(found)} of {len(workers)} workers take connections")
        yield list(found.values())


def _shows_new(worker: HTTPConnection) -> bool:
    """Whether any of some people is shown the new item."""
    return any(f'"{NEW_ID}"'.encode() in _said(worker, "POST", "/v1/lists", one) for one in LISTS)


def _said(worker: HTTPConnection, method: str, path: str, body: bytes = b"") -> bytes:
    status, answer = said(worker, method, path, body)
    if status >= 300:
        raise RecsysError(
            f"{method} {path} of the benchmark was answered {status}: {answer!r:.200}"
        )
    return answer


def _wait(started_at: float, what: str) -> None:
    if time.perf_counter() - started_at > START_S:
        raise RecsysError(f"{what} had not come to all lists after {START_S:g} s")
    time.sleep(LOOK_S)
