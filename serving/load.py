"""A small load generator: requests on kept connections, counted and timed; it stops by itself."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import orjson

SERVER_MS = re.compile(rb"dur=([0-9.]+)")
LENGTH = re.compile(rb"content-length: ([0-9]+)", re.IGNORECASE)


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

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (due_at := time.perf_counter()) - started_at < seconds:
            number = next(numbers)
            if per_second is not None:
                due_at = started_at + number / per_second
                await asyncio.sleep(max(0.0, due_at - time.perf_counter()))
            writer.write(requests(number))
            _note(measured, await _head(reader), due_at)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(one_connection() for _ in range(connections)))
    measured.seconds = time.perf_counter() - started_at
    return measured


async def _head(reader: asyncio.StreamReader) -> bytes:
    """The head of one answer, once its body is read too."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    if length is not None:
        await reader.readexactly(int(length[1]))
    return head


def _note(measured: Measured, head: bytes, due_at: float) -> None:
    measured.latency_ms.append(1_000 * (time.perf_counter() - due_at))
    server_ms = SERVER_MS.search(head)
    if server_ms is not None:
        measured.server_ms.append(float(server_ms[1]))
    if not head.startswith(b"HTTP/1.1 2"):
        measured.failed += 1
