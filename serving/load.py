"""A small load generator: requests on kept connections, counted and timed; it stops by itself.

It shares the machine with what it measures, so it does as little as it can: bytes are written and
looked through as they come, without streams or a parser of HTTP.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import orjson

HEAD_END, LENGTH, SERVER_MS = b"\r\n\r\n", b"content-length: ", b"dur="


@dataclass(slots=True)
class Measured:
    """What a run of requests measured.

    Attributes
    ----------
    latency_ms, server_ms
        One value an answer: as the client saw it (from when it was due), as the service said it.
    failed
        Answers of another status than 2xx.
    """

    seconds: float = 0.0
    latency_ms: list[float] = field(default_factory=list)
    server_ms: list[float] = field(default_factory=list)
    failed: int = 0

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.latency_ms) / self.seconds if self.seconds else 0.0

    def add(self, other: "Measured") -> None:
        """Take another run in."""
        self.seconds += other.seconds
        self.latency_ms += other.latency_ms
        self.server_ms += other.server_ms
        self.failed += other.failed


def percentile(values: list[float], percent: float) -> float:
    """A percentile, rounded to microseconds if the values are milliseconds; NaN of none."""
    return round(float(np.percentile(values, percent)), 3) if values else float("nan")


def request(path: str, body: object) -> bytes:
    """A whole POST request for a kept connection."""
    content = orjson.dumps(body)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class Caller(asyncio.Protocol):
    """One connection: a request is sent when the answer to the last one is there.

    Parameters
    ----------
    due_at
        Gives the number of the next request and when it is due; None when there is none left.
    """

    def __init__(
        self,
        measured: Measured,
        requests: Callable[[int], bytes],
        due_at: Callable[[], tuple[int, float] | None],
    ) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._measured = measured
        self._requests = requests
        self._next = due_at
        self._due_at = 0.0
        self._came = b""
        self._wanted = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        # uvloop's transport is one, though not of its class.
        self._transport = cast(asyncio.Transport, transport)
        self._turn()

    def data_received(self, data: bytes) -> None:
        """Wait until the answer is whole, then note it and go on."""
        self._came = self._came + data if self._came else data
        if not self._wanted:
            end = self._came.find(HEAD_END)
            if end < 0:
                return
            self._wanted = end + len(HEAD_END) + int(_after(self._came, LENGTH, end) or 0)
        if len(self._came) >= self._wanted:
            self._note(self._came)
            self._came, self._wanted = b"", 0
            self._turn()

    def connection_lost(self, error: Exception | None) -> None:
        """A connection that is cut before its answer is a failure."""
        if self._due_at:
            self._measured.failed += 1
        if not self.closed.done():
            self.closed.set_result(None)

    def _turn(self) -> None:
        following = self._next()
        if following is None:
            self._due_at = 0.0
            assert self._transport is not None
            self._transport.close()
            return
        number, self._due_at = following
        wait_s = self._due_at - time.perf_counter()
        if wait_s > 0:
            asyncio.get_running_loop().call_later(wait_s, self._send, number)
        else:
            self._send(number)

    def _send(self, number: int) -> None:
        assert self._transport is not None
        self._transport.write(self._requests(number))

    def _note(self, answer: bytes) -> None:
        self._measured.latency_ms.append(1_000 * (time.perf_counter() - self._due_at))
        said = _after(answer, SERVER_MS, answer.find(HEAD_END))
        if said is not None:
            self._measured.server_ms.append(float(said))
        if not answer.startswith(b"HTTP/1.1 2"):
            self._measured.failed += 1


def _after(answer: bytes, name: bytes, end: int) -> bytes | None:
    """What stands after a name up to the end of its line, in the head of an answer."""
    at = answer.find(name, 0, end)
    if at < 0:
        return None
    at += len(name)
    return answer[at : answer.find(b"\r\n", at)]


async def hammer(
    port: int,
    requests: Callable[[int], bytes],
    *,
    seconds: float,
    connections: int = 16,
    per_second: float | None = None,
) -> Measured:
    """Send request 0, 1, 2 … for a while.

    Parameters
    ----------
    per_second
        When given, requests are due at this rate and their latency counts from then; else each
        connection sends the next one as soon as it has its answer.
    """
    measured, started_at = Measured(), time.perf_counter()
    numbers = iter(range(10**9))

    def due_at() -> tuple[int, float] | None:
        now = time.perf_counter()
        if now - started_at >= seconds:
            return None
        number = next(numbers)
        return number, now if per_second is None else started_at + number / per_second

    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Caller(measured, requests, due_at), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(caller.closed for _, caller in made))
    measured.seconds = time.perf_counter() - started_at
    return measured
