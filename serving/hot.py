"""Copies of what is known of people, for fast reads, which may be lost. The one file of Redis.

Every person has a mark, any text. A copy says for which mark it was made and holds only as long as
the mark is that. Whoever stores an event of a person removes the mark before the event is
acknowledged; whoever makes a copy looks at the mark first and reads the record after that. So in
whatever order things happen, a copy made without the event is void.
"""

import asyncio
import logging
import random
import re
import secrets
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, Self, TypeVar

from redis.asyncio import BlockingConnectionPool, Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from recsys.errors import ConfigError
from serving.breaker import Breaker

log = logging.getLogger(__name__)

# A list's whole budget is 50 ms; what is not there after 20 is read from the record.
READ_S = 0.02
# Nobody's page waits for this one, but a call that fails costs all workers their copies.
FORGET_S = 0.25
CONNECTIONS = 16
# Every copy lives another time, so that those made in one second do not all end in one.
COPY_S, COPY_SPREAD = 3_600.0, 0.25
NAME = "dapei"
RUN_ID = re.compile(rb"run_id:([0-9a-f]+)")

T = TypeVar("T")
Ask = Callable[..., Awaitable[Any]]
Pool = BlockingConnectionPool


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found of a person.

    Parameters
    ----------
    mark
        Says of a copy made from now on until when it holds.
    body
        The copy; None if there is none that holds.
    """

    mark: str
    body: bytes | None


class Hot(Protocol):
    """Somewhere to keep copies. None of these raises when that place fails."""

    async def find(self, user_id: str, under: str, *, with_copy: bool) -> Seen | None:
        """What there is of a person; None if that cannot be said now."""
        ...

    async def keep(self, user_id: str, under: str, mark: str, body: bytes) -> None:
        """Keep a copy made after the mark was seen."""
        ...

    async def forget(self, user_ids: Collection[str], under: str) -> bool:
        """Make every copy of these people void; whether that is certain."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class NoHot:
    """Nowhere: the record is always read."""

    async def find(self, user_id: str, under: str, *, with_copy: bool) -> Seen | None:
        """Nothing can be said."""
        return None

    async def keep(self, user_id: str, under: str, mark: str, body: bytes) -> None:
        """Nothing is kept."""

    async def forget(self, user_ids: Collection[str], under: str) -> bool:
        """There is no copy to be void."""
        return True

    async def close(self) -> None:
        """There is nothing to let go of."""


class RedisHot:
    """Copies in Redis, one round trip a request.

    Parameters
    ----------
    rng
        Spreads the ends of copies.

    Attributes
    ----------
    breaker
        Open while Redis is left alone.
    calls, failures
        How often Redis was asked, and how often that failed or took too long.
    """

    def __init__(self, url: str, *, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()
        self._reads = _pool(url, READ_S)
        self._forgets = _pool(url, FORGET_S)
        self.breaker = Breaker()
        self.calls = self.failures = 0

    @classmethod
    def of(cls, url: str) -> Self:
        """Copies at an address as an operator writes it; nothing is connected yet.

        Raises
        ------
        ConfigError
            It is none.
        """
        try:
            return cls(url)
        except ValueError as cause:
            raise ConfigError("url of [hot] is none; allowed: redis://host:port/0") from cause

    async def find(self, user_id: str, under: str, *, with_copy: bool) -> Seen | None:
        """Mark and copy in one round trip; who has no mark gets one in a second round trip."""

        async def look(ask: Ask, run_id: str) -> Seen:
            mark_key, copy_key = _keys(run_id, under, user_id)
            mark, *copy = await ask("MGET", mark_key, *([copy_key] if with_copy else []))
            if mark is not None:
                return Seen(mark.decode(), _opened(copy[0], user_id, mark) if copy else None)
            fresh = secrets.token_hex(8)
            # Whoever had the same idea may have been faster; then what is there holds.
            said = ("SET", mark_key, fresh, "NX", "GET", "PX", str(self._life_ms(2)))
            there = await ask(*said)
            return Seen(fresh if there is None else there.decode(), None)

        return await self._asked(self._reads, READ_S, look)

    async def keep(self, user_id: str, under: str, mark: str, body: bytes) -> None:
        """One call; that it is lost is no harm."""
        value = _sealed(user_id, mark, body)

        async def put(ask: Ask, run_id: str) -> None:
            _, copy_key = _keys(run_id, under, user_id)
            await ask("SET", copy_key, value, "PX", str(self._life_ms(1)))

        await self._asked(self._reads, READ_S, put)

    async def forget(self, user_ids: Collection[str], under: str) -> bool:
        """One call for all of them."""

        async def remove(ask: Ask, run_id: str) -> bool:
            await ask("DEL", *(_keys(run_id, under, one)[0] for one in user_ids))
            return True

        return not user_ids or await self._asked(self._forgets, FORGET_S, remove) is True

    async def close(self) -> None:
        """Close every connection."""
        await self._reads.aclose()
        await self._forgets.aclose()

    async def _asked(
        self, pool: Pool, budget_s: float, talk: Callable[[Ask, str], Awaitable[T]]
    ) -> T | None:
        """What comes of talking to Redis; None when it fails or takes too long."""
        if not self.breaker.may_ask():
            return None
        self.calls += 1
        try:
            # Together with connecting and with waiting for a connection.
            async with asyncio.timeout(budget_s):
                found = await _talked(pool, talk)
        except (RedisError, OSError, TimeoutError, ValueError, TypeError, AttributeError) as error:
            # The last three: a reply that is none of ours, as something broken in between sends it.
            self.failures += 1
            self.breaker.failed()
            log.debug("Redis failed: %s", type(error).__name__)
            return None
        self.breaker.succeeded()
        return found

    def _life_ms(self, times: int) -> int:
        spread = self._rng.uniform(1 - COPY_SPREAD, 1 + COPY_SPREAD)
        return round(1_000 * COPY_S * times * spread)


class _Connection(Connection):
    """A connection that knows which run of a server is at its other end.

    A server that was started again, or a replica in its place, may have copies and marks of an
    older time, so keys carry the run, and each is asked only of the run it was made for.
    """

    run_id = ""


def _pool(url: str, timeout_s: float) -> Pool:
    return BlockingConnectionPool.from_url(
        url,
        connection_class=_Connection,
        max_connections=CONNECTIONS,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        redis_connect_func=_greet,
    )


async def _greet(connection: _Connection) -> None:
    await connection.on_connect()
    await connection.send_command("INFO", "server")
    told: Any = await connection.read_response()
    found = RUN_ID.search(told)
    if found is None:
        raise RedisError("the server does not say which one it is")
    connection.run_id = found[1].decode()


async def _talked(pool: Pool, talk: Callable[[Ask, str], Awaitable[T]]) -> T:
    connection: _Connection = await pool.get_connection()  # type: ignore[no-untyped-call]
    is_over = False
    try:
        answer = await talk(partial(_ask, connection), connection.run_id)
        is_over = True
    finally:
        if not is_over:
            # Failed or cancelled: the reply that is still to come must meet nobody else.
            await connection.disconnect(nowait=True)
        await pool.release(connection)
    return answer


async def _ask(connection: _Connection, *words: str | bytes) -> Any:
    await connection.send_command(*words)
    return await connection.read_response()


def _keys(run_id: str, under: str, user_id: str) -> tuple[str, str]:
    return f"{NAME}:{run_id}:{under}:mark:{user_id}", f"{NAME}:{run_id}:{under}:copy:{user_id}"


def hot_of(url: str | None) -> Hot:
    """Where a configuration wants copies kept; None: nowhere."""
    return NoHot() if url is None else RedisHot.of(url)


def _sealed(user_id: str, mark: str, body: bytes) -> bytes:
    return b"\n".join((user_id.encode(), mark.encode(), body))


def _opened(value: bytes | None, user_id: str, mark: bytes) -> bytes | None:
    # Replies have been handed to the wrong caller before (CVE-2023-28858), so a copy says whose it
    # is. No id holds a line break.
    if value is None:
        return None
    whose, made_for, body = value.split(b"\n", 2)
    return body if (whose, made_for) == (user_id.encode(), mark) else None
