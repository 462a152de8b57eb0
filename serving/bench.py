"""`dapei bench serving`: the service next to a bare endpoint that returns the same bytes."""

import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import uvloop

from data.home import Home
from data.record import Record
from recsys.bundle import write
from recsys.errors import RecsysError
from recsys.pointer import publish
from recsys.signing import SigningKey
from serving.bench_world import histories, synthetic_bundle, user_id
from serving.load import Measured, hammer, percentile, request

PERSONS, EVENTS_A_PERSON = 1_000, 60
EVENTS_A_COMMIT = 10_000
K = 20
ROUNDS = 4
START_S = 60.0

Figures = dict[str, Any]


def bench_serving(n_items: int, seconds: float, told: Callable[[str], None]) -> Figures:
    """Every figure of the service at one size.

    Parameters
    ----------
    seconds
        How long each kind of load is sent, in all.
    told
        Is told what is being done.
    """
    with tempfile.TemporaryDirectory(prefix="dapei-bench-") as folder:
        home = Home(Path(folder))
        told(f"a shop of {n_items} items")
        key = _furnish(home, n_items)
        with _served(home) as (port, ready_ms):
            answer = _post(port, "/v1/lists", _list_body(0))
            with _bare(answer, Path(folder)) as bare_port:
                told("lists next to a bare endpoint")
                bare, lists = _in_turns(bare_port, port, seconds)
            told("lists at half that load")
            half = uvloop.run(
                hammer(port, _list_request, seconds=seconds, per_second=lists.per_second / 2)
            )
            told("events in batches of 100")
            events = uvloop.run(hammer(port, _event_requests(), seconds=seconds, connections=8))
            told("a swap of the bundle")
            swap_ms = _swap(home, key, port)
    _check(bare, lists, half, events)
    return {
        "items": n_items,
        "bare_rps": round(bare.per_second),
        "lists_rps": round(lists.per_second),
        "ratio": round(lists.per_second / bare.per_second, 3),
        "server_p50_ms": percentile(half.server_ms, 50),
        "server_p99_ms": percentile(half.server_ms, 99),
        "server_p50_full_ms": percentile(lists.server_ms, 50),
        "p50_ms": percentile(half.latency_ms, 50),
        "p99_ms": percentile(half.latency_ms, 99),
        "events_per_s_100": round(100 * events.per_second),
        "events_p99_ms": percentile(events.latency_ms, 99),
        "swap_ms": round(swap_ms),
        "ready_ms": round(ready_ms),
        "answer_bytes": len(answer),
        "list_items": len(orjson.loads(answer)["items"]),
    }


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
def _process(command: list[str]) -> Iterator[tuple[int, float]]:
    """A server of ours in its own process: its port, and the milliseconds until it was ready."""
    started_at = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "http://127.0.0.1:" not in line:
            raise RecsysError(f"{command} did not start, it said {line!r}")
        port = int(line.split("http://127.0.0.1:")[1].split()[0])
        while not _is_ready(port):
            if time.perf_counter() - started_at > START_S:
                raise RecsysError(f"{command} was not ready after {START_S:g} s")
            time.sleep(0.005)
        yield port, 1_000 * (time.perf_counter() - started_at)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
        process.stdout and process.stdout.close()


def _served(home: Home) -> Any:
    return _process(["-m", "dapei", "serve", "--home", str(home.root), "--port", "0"])


@contextmanager
def _bare(answer: bytes, folder: Path) -> Iterator[int]:
    path = folder / "answer.json"
    path.write_bytes(answer)
    with _process(["-m", "serving.bench_bare", str(path)]) as (port, _):
        yield port


def _in_turns(bare_port: int, port: int, seconds: float) -> tuple[Measured, Measured]:
    """Both loads by turns, so that what else the machine does falls on both alike."""
    bare, lists = Measured(), Measured()
    for _ in range(ROUNDS):
        for total, at in ((bare, bare_port), (lists, port)):
            total.add(uvloop.run(hammer(at, _list_request, seconds=seconds / ROUNDS)))
    return bare, lists


def _list_body(number: int) -> dict[str, Any]:
    return {"scene": "home", "user_id": user_id(number * 7 % PERSONS), "k": K}


def _list_request(number: int) -> bytes:
    return request("/v1/lists", _list_body(number))


def _event_requests() -> Callable[[int], bytes]:
    at = int(time.time() * 1_000)

    def of(number: int) -> bytes:
        events = [
            {
                "event_id": f"bench-{at}-{number}-{n}",
                "user_id": f"visitor-{(number * 31 + n) % 5_000}",
                "item_id": f"item-{(number * 17 + n * 29) % 1_000}",
                "type": "play",
                "play_s": 4.5,
                "at": at,
            }
            for n in range(100)
        ]
        return request("/v1/events", {"events": events})

    return of


def _swap(home: Home, key: SigningKey, port: int) -> float:
    """Milliseconds from the new pointer to the first list of the new bundle."""
    publish(home.bundles, "bench-2", key)
    started_at = time.perf_counter()
    while orjson.loads(_post(port, "/v1/lists", _list_body(0)))["bundle"] != "bench-2":
        if time.perf_counter() - started_at > START_S:
            raise RecsysError(f"the new bundle was not served after {START_S:g} s")
        time.sleep(0.005)
    return 1_000 * (time.perf_counter() - started_at)


def _post(port: int, path: str, body: object) -> bytes:
    return _ask(port, "POST", path, orjson.dumps(body))[1]


def _is_ready(port: int) -> bool:
    try:
        return _ask(port, "GET", "/readyz", b"")[0] == 200
    except OSError:
        return False


def _ask(port: int, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_S)
    try:
        connection.request(method, path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _check(*runs: Measured) -> None:
    failed = sum(run.failed for run in runs)
    if failed:
        raise RecsysError(f"{failed} requests of the benchmark failed; allowed: none")
