"""`dapei bench faults`: what people notice while something of the service breaks.

Each scenario breaks one thing under load and gives back what became of every request. Tests ask the
same scenarios whether anything was lost; here they are run for their latency.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson

from data.home import Home
from data.record_store import WRITE_CACHE_KIB
from recsys.pointer import publish
from recsys.signing import SigningKey
from serving.bench_faults_load import Asked, Load, Outcome, event_ids, events, is_list, lists
from serving.bench_faults_shop import (
    BUNDLES,
    NEWER,
    PERSONS,
    PROGRAM,
    Serving,
    serving,
    stored_ids,
    until,
)
from serving.bench_world import user_id

SETTLE_S = 0.5
MARK = "faults"


@dataclass(slots=True, kw_only=True)
class Broken:
    """What a scenario saw.

    Attributes
    ----------
    lists, events
        What became of requests for lists, and of batches of events.
    lost
        Ids of acknowledged events that the record does not hold afterwards.
    more
        Figures of this scenario only, by name with unit.
    """

    lists: Outcome = field(default_factory=Outcome)
    events: Outcome = field(default_factory=Outcome)
    lost: set[str] = field(default_factory=set)
    more: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Press:
    """How hard to press: rates a second, and connections that ask for lists.

    Parameters
    ----------
    tries
        How often a request for a list without an answer is sent in all.
    mark
        Ids of events begin so.
    """

    lists_per_second: float = 100.0
    batches_per_second: float = 20.0
    batch: int = 10
    connections: int = 16
    tries: int = 1
    mark: str = MARK


def some_list() -> Callable[[int], Asked]:
    """Home lists of the people of the furnished shop."""
    return lists(lambda number: user_id(number * 7 % PERSONS), is_list)


def under_load(
    served: Serving,
    breaking: Callable[[], None],
    *,
    press: Press,
    list_of: Callable[[int], Asked] | None = None,
) -> Broken:
    """Ask for lists and send events, break something meanwhile, settle, then stop asking."""
    loads = [
        Load(
            port=served.port,
            of=list_of or some_list(),
            connections=press.connections,
            per_second=press.lists_per_second,
            tries=press.tries,
        ),
        Load(
            port=served.port,
            of=events(press.mark, batch=press.batch),
            connections=8,
            per_second=press.batches_per_second,
        ),
    ]

    async def all_of_it() -> None:
        sending = [asyncio.create_task(load.run()) for load in loads]
        await asyncio.sleep(SETTLE_S)
        try:
            # A thread of its own, so that the load goes on while something is waited for.
            await asyncio.to_thread(breaking)
            await asyncio.sleep(SETTLE_S)
        finally:
            for load in loads:
                load.is_over = True
            await asyncio.gather(*sending)

    asyncio.run(all_of_it())
    return Broken(lists=loads[0].outcome, events=loads[1].outcome)


def lost_of(home: Home, outcome: Outcome, batch: int = 10, mark: str = MARK) -> set[str]:
    """Which acknowledged events the record does not hold; twice held counts as well."""
    stored = stored_ids(home)
    acked = {one for number in outcome.good for one in event_ids(mark, number, batch)}
    doubled = {one for one, times in Counter(stored).items() if times > 1}
    return (acked - set(stored)) | doubled


def rolling_restart(
    home: Home,
    *,
    times: int = 10,
    number: signal.Signals = signal.SIGHUP,
    press: Press | None = None,
    program: Sequence[str] = PROGRAM,
) -> Broken:
    """R35: all workers are replaced again and again under load.

    Parameters
    ----------
    number
        SIGHUP to the parent, or SIGTERM to each worker in turn.
    """
    press = press or Press(lists_per_second=500, connections=64)
    with serving(home.root, workers=2, program=program) as served:

        def breaking() -> None:
            for _ in range(times):
                before = set(served.workers())
                whom = [served.parent.pid] if number is signal.SIGHUP else sorted(before)[:1]
                _replace(served, whom[0], number, before if number is signal.SIGHUP else set(whom))

        broken = under_load(served, breaking, press=press)
        broken.more["exit_s"] = round(served.stop(), 3)
    broken.lost = lost_of(home, broken.events, press.batch)
    return broken


def _replace(served: Serving, whom: int, number: int, gone: set[int]) -> None:
    os.kill(whom, number)
    until(lambda: len(served.workers()) == 2 and not gone & set(served.workers()))


def killed_workers(
    home: Home,
    *,
    times: int = 20,
    every_s: float = 5.0,
    press: Press | None = None,
    program: Sequence[str] = PROGRAM,
) -> Broken:
    """R38: one of two workers is killed again and again; a sender tries twice."""
    again_ms: list[float] = []
    with serving(home.root, workers=2, program=program) as served:

        def breaking() -> None:
            for _ in range(times):
                victim, killed_at = served.workers()[:1], time.monotonic()
                _replace(served, victim[0], signal.SIGKILL, set(victim))
                again_ms.append(1_000 * (time.monotonic() - killed_at))
                time.sleep(every_s)

        broken = under_load(served, breaking, press=press or Press(tries=2))
    broken.lost = lost_of(home, broken.events)
    broken.more["respawn_ms"] = round(max(again_ms), 1)
    first_try = broken.lists.sent - broken.lists.dropped - broken.lists.refused
    broken.more["first_try_%"] = round(100 * first_try / broken.lists.sent, 3)
    return broken


def _until_served(served: Serving, bundle_id: str) -> float:
    """Seconds until a bundle that was just published is in use."""
    published_at = time.monotonic()
    until(lambda: bundle_id.encode() in served.ask("GET", "/readyz")[2])
    return time.monotonic() - published_at


def is_of_one_bundle(status: int, body: bytes) -> bool:
    """Whether an answer is a list, all of the bundle it names."""
    if not is_list(status, body):
        return False
    said = orjson.loads(body)
    is_newer = said["bundle"] == BUNDLES[1]
    return all(item["title"].startswith(NEWER) is is_newer for item in said["items"])


def swapped_bundles(
    home: Home,
    *,
    times: int = 20,
    press: Press | None = None,
    program: Sequence[str] = PROGRAM,
) -> Broken:
    """R32: bundles are published by turns under load; an answer must be of one of them alone."""
    key, swap_ms = SigningKey.load_or_make(home.keys), []
    with serving(home.root, program=program) as served:
        # The record's cache fills whatever is swapped, so it counts as full.
        before_mb, before = served.rss_mb() + WRITE_CACHE_KIB / 1_024, served.arrays()

        def breaking() -> None:
            for n in range(times):
                wanted = BUNDLES[(n + 1) % 2]
                publish(home.bundles, wanted, key)
                swap_ms.append(1_000 * _until_served(served, wanted))

        broken = under_load(
            served,
            breaking,
            press=press or Press(lists_per_second=500),
            list_of=lists(lambda number: user_id(number % PERSONS), is_of_one_bundle),
        )
        broken.more["rss_x"] = round(served.rss_mb() / before_mb, 2)
        broken.more["arrays_x"] = round(served.arrays() / before, 2)
    broken.more["swap_ms"] = round(max(swap_ms), 1)
    return broken
