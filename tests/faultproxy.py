"""A TCP proxy that does to a connection what networks do, and a server that answers nonsense.

The names of what it does are toxiproxy's.
"""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Toxics:
    """What is done to every connection from now on; changed while it runs.

    Parameters
    ----------
    latency_s
        Each piece of an answer is held back so long.
    bytes_per_s
        `bandwidth`: an answer comes no faster.
    slices
        `slicer`: an answer comes in pieces of so many bytes.
    limit_data
        The connection is closed after so many bytes of answers.
    reset_peer
        Connections are reset at once.
    timeout
        Nothing is let through, nothing is closed.
    refuse
        Nobody listens.
    """

    latency_s: float = 0.0
    bytes_per_s: float = 0.0
    slices: int = 0
    limit_data: int = 0
    reset_peer: bool = False
    timeout: bool = False
    refuse: bool = False


@dataclass
class Proxy:
    """Between a client and the server on a port.

    Attributes
    ----------
    asked
        How many pieces came from clients; nearly always one is one command.
    connected
        How many connections were opened.
    """

    target: int
    toxics: Toxics = field(default_factory=Toxics)
    port: int = 0
    asked: int = 0
    connected: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def poison(self, **toxics) -> None:
        """Do this from now on, also to what is open; without a name: nothing any more."""
        self.toxics = Toxics(**toxics)
        for writer in list(self._open):
            if self.toxics.reset_peer or self.toxics.refuse:
                _reset(writer)

    async def serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        self.connected += 1
        if self.toxics.reset_peer or self.toxics.refuse:
            _reset(answer)
            return
        self._open.add(answer)
        try:
            server, ask = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _reset(answer)
            return
        try:
            await asyncio.gather(self._asking(client, ask), self._answering(server, answer))
        finally:
            self._open.discard(answer)
            for writer in (ask, answer):
                writer.close()

    async def _asking(self, client: asyncio.StreamReader, ask: asyncio.StreamWriter) -> None:
        while piece := await _read(client):
            self.asked += 1
            await self._held()
            ask.write(piece)
        ask.close()

    async def _answering(self, server: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        sent = 0
        while piece := await _read(server):
            await self._held()
            await asyncio.sleep(self.toxics.latency_s)
            step = self.toxics.slices or (1 if self.toxics.bytes_per_s else len(piece))
            for at in range(0, len(piece), step):
                part = piece[at : at + step]
                if self.toxics.bytes_per_s:
                    await asyncio.sleep(len(part) / self.toxics.bytes_per_s)
                if self.toxics.limit_data and sent + len(part) > self.toxics.limit_data:
                    answer.close()
                    return
                sent += len(part)
                answer.write(part)
                await asyncio.sleep(0)
        answer.close()

    async def _held(self) -> None:
        while self.toxics.timeout:
            await asyncio.sleep(0.01)


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65_536)
    except OSError:
        return b""


def _reset(writer: asyncio.StreamWriter) -> None:
    # Closed with something unsent thrown away: the other side gets a reset and no orderly end.
    plain = writer.get_extra_info("socket")
    if plain is not None and plain.fileno() >= 0:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def proxied(target: int) -> AsyncIterator[Proxy]:
    """A proxy in front of a port of this machine."""
    proxy = Proxy(target)
    async with _listening(proxy.serve) as proxy.port:
        yield proxy


@asynccontextmanager
async def answering(reply: Callable[[bytes], bytes]) -> AsyncIterator[int]:
    """The port of a server that answers whatever comes with what the function makes of it."""

    async def serve(client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        while piece := await _read(client):
            answer.write(reply(piece))
        answer.close()

    async with _listening(serve) as port:
        yield port


@asynccontextmanager
async def _listening(serve) -> AsyncIterator[int]:
    tasks: set[asyncio.Task] = set()

    async def kept(client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        tasks.add(task)
        try:
            await serve(client, answer)
        except (OSError, asyncio.CancelledError):
            answer.close()
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(kept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def error_reply(error: str) -> Callable[[bytes], bytes]:
    """A server that says hello well and then only this error."""
    info = b"run_id:" + b"a" * 40

    def reply(asked: bytes) -> bytes:
        if b"INFO" in asked:
            return b"$%d\r\n%s\r\n" % (len(info), info)
        return f"-{error}\r\n".encode()

    return reply


def garbage(rng: random.Random, *, greets: bool) -> Callable[[bytes], bytes]:
    """A server that answers with bytes of chance, from the first word or after a good hello."""
    good = error_reply("ERR")

    def reply(asked: bytes) -> bytes:
        if greets and b"INFO" in asked:
            return good(asked)
        return rng.choice((b"", b"*2\r\n", b"$5\r\n", b":1\r\n", b"+OK\r\n")) + rng.randbytes(40)

    return reply
