"""One worker's server: cuts requests that never arrive, and stops without dropping any that do."""

import asyncio
import socket
from asyncio import TimerHandle
from collections.abc import Callable
from typing import cast

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# A whole request takes milliseconds to arrive; who needs longer holds a place others need.
ARRIVE_S = 8.0
# How long a stopping worker still hears connections that were silent, to tell them it closes. A
# request that is on its way when its connection is closed is lost for its sender.
HEARD_S = 2.0
# As long as connections may wait in the queue of the socket when a worker is told to stop.
ACCEPT_S = 0.05
# All headers with the address; browsers and proxies send some hundreds of bytes.
MAX_HEAD_BYTES = 65_536


def _answer(status: str, code: str, detail: str) -> bytes:
    """What is said to a request that never becomes one."""
    body = orjson.dumps({"error": code, "detail": detail})
    head = f"HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\n"
    return head.encode() + b"content-length: %d\r\n\r\n%b" % (len(body), body)


_TOO_SLOW = _answer("408 Request Timeout", "too_slow", "the request did not arrive in time")
_TOO_LONG = _answer(
    "431 Request Header Fields Too Large",
    "too_large",
    f"the headers have over {MAX_HEAD_BYTES} bytes; allowed: up to that many",
)


class Connection(HttpToolsProtocol):
    """An HTTP connection whose every request must arrive whole within `ARRIVE_S`.

    Its headers may have `MAX_HEAD_BYTES`; whatever comes after more is not read.
    """

    _arrives: TimerHandle | None = None
    _head_bytes = _unended_bytes = 0
    _is_in_head = False
    _is_leaving = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection that never says anything is closed like one that fell silent."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def on_message_begin(self) -> None:
        """The first byte of a request is here; the others have so long."""
        super().on_message_begin()
        self._head_bytes, self._unended_bytes, self._is_in_head = 0, 0, True
        self._arrived()
        self._arrives = self.loop.call_later(ARRIVE_S, self._cut)

    def data_received(self, data: bytes) -> None:
        """Read, unless the connection was given up."""
        if self.transport.is_closing():
            return
        was_in_head = self._is_in_head
        super().data_received(data)
        # A single header is told of only when it has ended, which it need not.
        if was_in_head and self._is_in_head:
            self._unended_bytes += len(data)
            self._check_head(self._unended_bytes)

    def on_url(self, url: bytes) -> None:
        """A part of the address is here."""
        super().on_url(url)
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header is here."""
        super().on_header(name, value)
        self._head_bytes += len(name) + len(value)
        self._check_head(self._head_bytes)

    def on_headers_complete(self) -> None:
        """All headers are here."""
        self._is_in_head = False
        if not self.transport.is_closing():
            super().on_headers_complete()
            if self._is_leaving:
                self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of the body is here."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The last byte is here."""
        self._arrived()
        if not self.transport.is_closing():
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing comes any more."""
        self._arrived()
        super().connection_lost(exc)

    def leave(self) -> None:
        """Close with the next answer that begins, which says so."""
        self._is_leaving = True
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def _check_head(self, n_bytes: int) -> None:
        if n_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def _arrived(self) -> None:
        if self._arrives is not None:
            self._arrives.cancel()
            self._arrives = None

    def _cut(self) -> None:
        if not self.transport.is_closing():
            if self.cycle is None or not self.cycle.response_started:
                self.transport.write(_TOO_SLOW)
            self.transport.close()


class Server(uvicorn.Server):
    """A server that tells its parent when it takes requests, and drains before it stops.

    Told to stop, it takes what waits in the socket's queue, then accepts no more; it answers every
    request that arrives with `connection: close` and gives silent connections `HEARD_S` to say
    something, so that senders learn of the end from an answer.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()

    def share(self, n_workers: int) -> None:
        """Let a new worker have its share of the connections, which come as the old ones close."""
        for one in list(self.server_state.connections)[::n_workers]:
            cast(Connection, one).leave()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then stop as usual."""
        await asyncio.sleep(ACCEPT_S)
        for server in self.servers:
            server.close()
        # In place: answers under way hold the same list.
        self.server_state.default_headers.append((b"connection", b"close"))
        for one in self.server_state.connections:
            cast(Connection, one).leave()
        await self._until_silent()
        await super().shutdown(sockets=sockets)

    async def _until_silent(self) -> None:
        loop = asyncio.get_running_loop()
        end_at = loop.time() + HEARD_S
        while self.server_state.connections and loop.time() < end_at:
            await asyncio.sleep(0.02)
        # Timers run before what has arrived is read, and it must be read before anything is closed.
        for _ in range(3):
            await asyncio.sleep(0)
