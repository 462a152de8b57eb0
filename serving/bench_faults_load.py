"""Requests while something breaks: each one sent is accounted for, whatever becomes of it."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import orjson

from serving.load import percentile, request

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

ANSWER_S = 30.0
AGAIN_S = 0.02
LENGTH = re.compile(rb"content-length: ([0-9]+)", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nconnection: close\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its bytes, and whether an answer (status, body) is a good one."""

    content: bytes
    is_good: Callable[[int, bytes], bool]
    number: int = 0


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of requests.

    Attributes
    ----------
    sent
        Requests that were wanted, the refused included.
    statuses
        Answers by status.
    good
        Numbers of the requests with a good answer.
    dropped
        Requests that were sent and whose connection then ended without an answer.
    refused
        Connections that were not taken.
    latency_ms
        One an answer.
    """

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    good: set[int] = field(default_factory=set)
    dropped: int = 0
    refused: int = 0
    latency_ms: list[float] = field(default_factory=list)
    bad_answers: list[bytes] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """How many answers came."""
        return sum(self.statuses.values())

    @property
    def share_good(self) -> float:
        """Good answers of all that were wanted."""
        return len(self.good) / self.sent if self.sent else 0.0

    def figures(self) -> dict[str, float]:
        """The figures a table shows; milliseconds, and the share of good answers in percent."""
        return {
            "requests": self.sent,
            "p50_ms": percentile(self.latency_ms, 50),
            "p99_ms": percentile(self.latency_ms, 99),
            "max_ms": percentile(self.latency_ms, 100),
            "valid_%": round(100 * self.share_good, 3) if self.sent else float("nan"),
        }


@dataclass(slots=True, kw_only=True)
class Load:
    """A load of one kind, from many kept connections.

    Parameters
    ----------
    of
        Request number n.
    per_second
        At most so many requests a second, all connections together.
    tries
        How often a request without an answer is sent in all.
    """

    port: int
    of: Callable[[int], Asked]
    connections: int = 16
    per_second: float = 500.0
    tries: int = 1
    outcome: Outcome = field(default_factory=Outcome)
    is_over: bool = False
    _number: int = 0

    async def run(self, seconds: float = 3_600.0) -> Outcome:
        """Send until the time is over or `is_over` is set; every request sent is waited for."""
        started_at = time.perf_counter()
        end_at = started_at + seconds
        await asyncio.gather(
            *(self._connection(started_at, end_at) for _ in range(self.connections))
        )
        return self.outcome

    async def _connection(self, started_at: float, end_at: float) -> None:
        streams: Streams | None = None
        while not self.is_over and time.perf_counter() < end_at:
            number, self._number = self._number, self._number + 1
            due_at = started_at + number / self.per_second
            await asyncio.sleep(max(0.0, min(due_at, end_at) - time.perf_counter()))
            self.outcome.sent += 1
            asked = self.of(number)
            for _ in range(self.tries):
                streams, is_answered = await self._try(asked, streams)
                if is_answered:
                    break
        await _leave(streams)

    async def _try(self, asked: Asked, streams: Streams | None) -> tuple[Streams | None, bool]:
        """Ask once; the connection if it stays, and whether there was an answer."""
        # Known to be closed before anything was sent: whoever keeps connections looks first.
        if streams is not None and (streams[0].at_eof() or streams[0].exception() is not None):
            await _leave(streams)
            streams = None
        streams = streams or await self._connected()
        if streams is None:
            return None, False
        head = await self._ask(asked, *streams)
        if head is None or CLOSES.search(head):
            await _leave(streams)
            streams = None
        return streams, head is not None

    async def _connected(self) -> Streams | None:
        try:
            return await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            self.outcome.refused += 1
            await asyncio.sleep(AGAIN_S)
            return None

    async def _ask(
        self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes | None:
        """Ask on a connection; the head of the answer, if there was one."""
        outcome, asked_at = self.outcome, time.perf_counter()
        try:
            writer.write(asked.content)
            async with asyncio.timeout(ANSWER_S):
                status, head, body = await answer(reader)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            outcome.dropped += 1
            return None
        outcome.latency_ms.append(1_000 * (time.perf_counter() - asked_at))
        outcome.statuses[status] += 1
        if asked.is_good(status, body):
            outcome.good.add(asked.number)
        elif len(outcome.bad_answers) < 5:
            outcome.bad_answers.append(b"%d %b" % (status, body[:200]))
        return head


async def _leave(streams: Streams | None) -> None:
    if streams is not None:
        streams[1].close()
        with suppress(OSError):
            await streams[1].wait_closed()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes, bytes]:
    """Status, head and body of one answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    body = await reader.readexactly(int(length[1])) if length is not None else b""
    return int(head[9:12]), head, body


def lists(
    user_id: Callable[[int], str], is_good: Callable[[int, bytes], bool]
) -> Callable[[int], Asked]:
    """Requests for home lists."""

    def of(number: int) -> Asked:
        body = {"scene": "home", "user_id": user_id(number)}
        return Asked(request("/v1/lists", body), is_good, number)

    return of


def is_list(status: int, body: bytes) -> bool:
    """Whether an answer is a list with something in it, each item once."""
    if status != 200:
        return False
    items = [item["item_id"] for item in orjson.loads(body)["items"]]
    return 0 < len(items) == len(set(items))


def events(mark: str, *, batch: int = 10) -> Callable[[int], Asked]:
    """Batches of events; good is that all of them are durable. `event_ids` tells their ids."""

    def of(number: int) -> Asked:
        content = request("/v1/events", event_bodies(mark, number, batch))
        return Asked(content, _is_taken(batch), number)

    return of


def event_bodies(mark: str, number: int, batch: int) -> dict[str, list[dict[str, str | int]]]:
    """The body of a batch of events."""
    said: dict[str, str | int] = {
        "user_id": f"user-{number % 500}",
        "item_id": f"item-{number % 900}",
        "type": "view",
        "at": int(time.time() * 1_000),
    }
    return {"events": [said | {"event_id": one} for one in event_ids(mark, number, batch)]}


def event_ids(mark: str, number: int, batch: int = 10) -> list[str]:
    """The ids of a batch of `events`."""
    return [f"{mark}-{number}-{n}" for n in range(batch)]


def _is_taken(batch: int) -> Callable[[int, bytes], bool]:
    def is_good(status: int, body: bytes) -> bool:
        if status != 202:
            return False
        said = orjson.loads(body)
        return bool(said["accepted"] + said["duplicates"] == batch)

    return is_good
