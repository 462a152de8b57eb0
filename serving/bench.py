"""`dapei bench serving`: the service next to a bare endpoint that returns the same bytes."""

import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import uvloop

from data.home import Home
from data.record import Record
from recsys.bundle_files import write
from recsys.errors import RecsysError
from recsys.pointer import publish
from recsys.signing import SigningKey
from serving.bench_world import histories, synthetic_bundle, user_id
from serving.leash import leashed
from serving.load import Measured, hammer, percentile, request

PERSONS, EVENTS_A_PERSON = 1_000, 60
EVENTS_A_COMMIT = 10_000
K = 20
ROUNDS = 4
# So long a cold start may take, in which everything is compiled.
START_S = 300.0
SMALL = 10_000
BATCHES = (1, 100, 1_000)
MEMORY_S = 2.0

Figures = dict[str, Any]


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
        with _served(home) as server, _served(small) as other:
            answer, first_ms = _first(server.port)
            with _bare(answer, Path(folder)) as bare:
                told("lists next to a bare endpoint")
                runs = _in_turns({"bare": bare, "lists": server, "small": other}, seconds)
            half_rate = runs["lists"].measured.per_second / 2
            told("lists at half that load")
            half = uvloop.run(
                hammer(server.port, _list_request, seconds=seconds, per_second=half_rate)
            )
            told("events in batches")
            events = {n: _events(server.port, n, seconds / len(BATCHES)) for n in BATCHES}
            told("a swap of the bundle")
            swap_ms = _swap(home, key, server.port)
        told("memory of one more worker")
        worker_mb = _worker_mb(home)
    _check(half, *events.values(), *(run.measured for run in runs.values()))
    return {
        "items": n_items,
        **_of_lists(runs, half, n_items),
        **{f"events_per_s_{n}": round(n * one.per_second) for n, one in events.items()},
        "events_p99_ms": percentile(events[100].latency_ms, 99),
        "ready_ms": round(server.ready_ms),
        "first_list_ms": round(first_ms, 1),
        "swap_ms": round(swap_ms),
        "worker_mb": round(worker_mb, 1),
        "answer_bytes": len(answer),
        "list_items": len(orjson.loads(answer)["items"]),
    }


def _of_lists(runs: "dict[str, Run]", half: Measured, n_items: int) -> Figures:
    bare, lists, small = runs["bare"], runs["lists"], runs["small"]
    # By processor time, which does not depend on what else the machine does meanwhile.
    growth = round(lists.cpu_ms / small.cpu_ms, 3)
    return {
        "bare_rps": round(bare.measured.per_second),
        "lists_rps": round(lists.measured.per_second),
        "ratio": round(lists.measured.per_second / bare.measured.per_second, 3),
        "bare_cpu_ms": round(bare.cpu_ms, 3),
        "list_cpu_ms": round(lists.cpu_ms, 3),
        "cpu_ratio": round(bare.cpu_ms / lists.cpu_ms, 3),
        "rps_per_core": round(1_000 / lists.cpu_ms),
        "growth_from_10k": growth,
        "growth_10k_to_1m": growth if n_items == 1_000_000 else None,
        "server_p50_ms": percentile(half.server_ms, 50),
        "server_p99_ms": percentile(half.server_ms, 99),
        "server_p50_full_ms": percentile(lists.measured.server_ms, 50),
        "p50_ms": percentile(half.latency_ms, 50),
        "p95_ms": percentile(half.latency_ms, 95),
        "p99_ms": percentile(half.latency_ms, 99),
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


@contextmanager
def _process(command: list[str]) -> Iterator[Server]:
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
        while not _is_ready(port):
            if time.perf_counter() - started_at > START_S:
                raise RecsysError(f"{command} was not ready after {START_S:g} s")
            time.sleep(0.005)
        yield Server(port, process.pid, 1_000 * (time.perf_counter() - started_at))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
        process.stdout and process.stdout.close()


def _served(home: Home, n_workers: int = 1) -> Any:
    words = ["--home", str(home.root), "--port", "0", "--workers", str(n_workers)]
    return _process(["-m", "dapei", "serve", *words])


@contextmanager
def _bare(answer: bytes, folder: Path) -> Iterator[Server]:
    path = folder / "answer.json"
    path.write_bytes(answer)
    with _process(["-m", "serving.bench_bare", str(path)]) as server:
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


def _first(port: int) -> tuple[bytes, float]:
    """The answer to the first list after a start, and how long it took."""
    started_at = time.perf_counter()
    answer = _post(port, "/v1/lists", _list_body(0))
    return answer, 1_000 * (time.perf_counter() - started_at)


def _events(port: int, batch: int, seconds: float) -> Measured:
    return uvloop.run(hammer(port, _event_requests(batch), seconds=seconds, connections=8))


def _worker_mb(home: Home) -> float:
    """Memory that a second worker adds: its share of all pages, after both made lists."""
    shares: list[float] = []
    for n_workers in (1, 2):
        with _served(home, n_workers) as server:
            uvloop.run(hammer(server.port, _list_request, seconds=MEMORY_S))
            shares.append(server.shared_mb())
    return shares[1] - shares[0]


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
