"""Scenarios of too much at once: floods of events, clients that are slow, a loop that is held."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

from data.home import Home
from serving.bench_faults import Broken, Press, lost_of, some_list, under_load
from serving.bench_faults_load import Load, Outcome, events
from serving.bench_faults_shop import PROGRAM, Serving, serving

FLOOD_CONNECTIONS = 32
FLOOD_BATCH = 100
FLOOD = "flood"


def event_flood(
    home: Home,
    *,
    seconds: float = 5.0,
    lists_per_second: float = 50.0,
    program: Sequence[str] = PROGRAM,
) -> Broken:
    """R15 and R14: as many events as connections can send, and lists beside them.

    What was acknowledged must be durable, and memory must not grow with what was not taken.
    """
    with serving(home.root, workers=2, program=program) as served:
        before_mb = served.rss_mb()
        steady = under_load(
            served,
            lambda: time.sleep(seconds / 2),
            press=Press(lists_per_second=lists_per_second, batches_per_second=1),
        )
        broken = asyncio.run(_flooded(served, seconds, lists_per_second))
        broken.more["memory_mb"] = round(served.rss_mb() - before_mb, 1)
    broken.lost = lost_of(home, broken.events, FLOOD_BATCH, FLOOD)
    broken.more["steady_p99_ms"] = steady.lists.figures()["p99_ms"]
    broken.more["events_per_s"] = round(FLOOD_BATCH * len(broken.events.good) / seconds)
    broken.more["refused_batches"] = broken.events.statuses[503] + broken.events.statuses[429]
    return broken


async def _flooded(served: Serving, seconds: float, lists_per_second: float) -> Broken:
    asking = Load(port=served.port, of=some_list(), per_second=lists_per_second)
    flood = Load(
        port=served.port,
        of=events(FLOOD, batch=FLOOD_BATCH),
        connections=FLOOD_CONNECTIONS,
        per_second=1e6,
    )
    await asyncio.gather(asking.run(seconds), flood.run(seconds))
    return Broken(lists=asking.outcome, events=flood.outcome)


def slow_clients(
    home: Home, *, n: int = 500, seconds: float = 12.0, program: Sequence[str] = PROGRAM
) -> Broken:
    """R37: many connections that send one byte a second, and other people's lists meanwhile."""
    cut_s: list[float] = []

    async def crawl(port: int) -> None:
        started_at = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        hearing = asyncio.create_task(reader.read())
        for byte in b"POST /v1/lists HTTP/1.1\r\nhost: slow\r\nx-more: " + b"x" * 1_000:
            if hearing.done() or time.monotonic() - started_at > seconds:
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(1)
        if hearing.done():
            cut_s.append(time.monotonic() - started_at)
        hearing.cancel()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def crowd(port: int) -> Outcome:
        asking = Load(port=port, of=some_list(), per_second=100)
        await asyncio.gather(asking.run(seconds), *(crawl(port) for _ in range(n)))
        return asking.outcome

    with serving(home.root, program=program) as served:
        broken = Broken(lists=asyncio.run(crowd(served.port)))
    broken.more["cut"] = len(cut_s)
    broken.more["last_cut_s"] = round(max(cut_s, default=float("inf")), 1)
    return broken


def held_loop(home: Home, *, seconds: float = 5.0) -> Broken:
    """R40: how long the event loop of a worker was held at the most, at a steady load.

    A second connection asks for /healthz every few milliseconds, which needs nothing but the loop.
    """
    held_ms: list[float] = []
    with serving(home.root) as served:

        def probing() -> None:
            end_at = time.monotonic() + seconds
            while time.monotonic() < end_at:
                asked_at = time.perf_counter()
                served.ask("GET", "/healthz")
                held_ms.append(1_000 * (time.perf_counter() - asked_at))
                time.sleep(0.01)

        broken = under_load(served, probing, press=Press(lists_per_second=150))
    broken.more["held_ms"] = round(max(held_ms), 1)
    broken.lost = lost_of(home, broken.events)
    return broken
