"""What workers share in Redis: the one file that knows it. What that is: `serving.hot`."""

import asyncio
import logging
import random
import re
import secrets
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Any, Self, TypeVar

from redis.asyncio import BlockingConnectionPool, Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from recsys.errors import ConfigError
from serving.breaker import Breaker
from serving.hot import Seen

log = logging.getLogger(__name__)

# A list's whole budget is 50 ms; what is not there after 20 is read from the record.
READ_S = 0.02
# Nobody's page waits for this one, but a call that fails costs all workers their copies.
FORGET_S = 0.25
# Nobody waits for it beyond their own budget: it goes on for those who come next.
CONNECT_S = 1.0
CONNECTIONS = 16
# Every copy lives another time, so that those made in one second do not all end in one.
COPY_S, COPY_SPREAD = 3_600.0, 0.25
NAME = "dapei"
# Forgets what is over a minute ago, then gives what there is room for; one step, as scripts are.
LEASE = """
local used = 0
local kept = redis.call('HGETALL', KEYS[1])
for i = 1, #kept, 2 do
  if tonumber(kept[i]) <= tonumber(ARGV[1]) - 13 then redis.call('HDEL', KEYS[1], kept[i])
  else used = used + tonumber(kept[i + 1]) end
end
local given = math.max(0, math.min(tonumber(ARGV[2]), tonumber(ARGV[3]) - used))
if given > 0 then
  redis.call('HINCRBY', KEYS[1], ARGV[1], given)
  redis.call('EXPIRE', KEYS[1], 70)
end
return given
"""
RUN_ID = re.compile(rb"run_id:([0-9a-f]+)")

T = TypeVar("T")
Ask = Callable[..., Awaitable[Any]]


class RedisHot:
    """Copies in Redis, one round trip a request.

    Parameters
    ----------
    read_s
        The budget of one look, with connecting and with waiting for a connection.
    rng
        Spreads the ends of copies.

    Attributes
    ----------
    breaker
        Open while Redis is left alone.
    calls, failures
        How often Redis was asked, and how often that failed or took too long.
    """

    def __init__(
        self, url: str, *, read_s: float = READ_S, rng: random.Random | None = None
    ) -> None:
        self._rng = rng or random.Random()
        self._read_s = read_s
        self._reads = _Lines(url, read_s)
        self._forgets = _Lines(url, FORGET_S)
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

        return await self._asked(self._reads, self._read_s, look)

    async def keep(self, user_id: str, under: str, mark: str, body: bytes) -> None:
        """One call; that it is lost is no harm."""
        value = _sealed(user_id, mark, body)

        async def put(ask: Ask, run_id: str) -> None:
            _, copy_key = _keys(run_id, under, user_id)
            await ask("SET", copy_key, value, "PX", str(self._life_ms(1)))

        await self._asked(self._reads, self._read_s, put)

    async def forget(self, user_ids: Collection[str], *under: str) -> bool:
        """One call for all of them."""

        async def remove(ask: Ask, run_id: str) -> bool:
            named = ((number, one) for number in under for one in user_ids)
            await ask("DEL", *(key for number, one in named for key in _keys(run_id, number, one)))
            return True

        return not user_ids or await self._asked(self._forgets, FORGET_S, remove) is True

    async def lease(self, name: str, slot: int, n: int, most: int) -> int | None:
        """One call."""

        async def take(ask: Ask, _run_id: str) -> int:
            said = ("EVAL", LEASE, "1", f"{NAME}:count:{name}", str(slot), str(n), str(most))
            return int(await ask(*said))

        return await self._asked(self._reads, self._read_s, take)

    async def close(self) -> None:
        """Close every connection."""
        await self._reads.close()
        await self._forgets.close()

    async def _asked(
        self, lines: "_Lines", budget_s: float, talk: Callable[[Ask, str], Awaitable[T]]
    ) -> T | None:
        """What comes of talking to Redis; None when it fails or takes too long."""
        if not self.breaker.may_ask():
            return None
        self.calls += 1
        try:
            async with asyncio.timeout(budget_s):
                found = await lines.talked(talk)
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


async def _greet(connection: _Connection) -> None:
    await connection.on_connect()
    await connection.send_command("INFO", "server")
    told: Any = await connection.read_response()
    found = RUN_ID.search(told)
    if found is None:
        raise RedisError("the server does not say which one it is")
    connection.run_id = found[1].decode()


class _Lines:
    """Connections to a server that are used by turns.

    Parameters
    ----------
    wait_s
        How long one is waited for when all are in use.
    """

    def __init__(self, url: str, wait_s: float) -> None:
        self._pool = BlockingConnectionPool.from_url(
            url,
            connection_class=_Connection,
            max_connections=CONNECTIONS,
            timeout=wait_s,
            socket_timeout=CONNECT_S,
            socket_connect_timeout=CONNECT_S,
            # The library's own default is to try ten times.
            retry=Retry(NoBackoff(), 0),
            redis_connect_func=_greet,
            # The fewer words a connection begins with, the sooner it is there.
            protocol=2,
            driver_info=None,
        )
        # Connections that nobody waits for any more; the loop keeps only weak references.
        self._left: set[asyncio.Future[None]] = set()

    async def talked(self, talk: Callable[[Ask, str], Awaitable[T]]) -> T:
        """What comes of talking to the server."""
        connection = await self._connected()
        is_over = False
        try:
            answer = await talk(partial(_ask, connection), connection.run_id)
            is_over = True
        finally:
            if not is_over:
                # Failed or cancelled: the reply that is still to come must meet nobody else.
                await connection.disconnect(nowait=True)
            await self._pool.release(connection)
        return answer

    async def close(self) -> None:
        """Close every connection, those last that are still being made."""
        while self._left:
            await asyncio.wait(self._left)
        await self._pool.aclose()

    async def _connected(self) -> _Connection:
        taking = asyncio.ensure_future(self._taken())
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            # A budget that is over must not end what is nearly there, or slow networks never
            # connect.
            giving = asyncio.ensure_future(self._given_back(taking))
            self._left.add(giving)
            giving.add_done_callback(self._left.discard)
            raise

    async def _taken(self) -> _Connection:
        connection: _Connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        return connection

    async def _given_back(self, taking: "asyncio.Future[_Connection]") -> None:
        with suppress(RedisError, OSError):
            await self._pool.release(await taking)


async def _ask(connection: _Connection, *words: str | bytes) -> Any:
    await connection.send_command(*words)
    return await connection.read_response()


def _keys(run_id: str, under: str, user_id: str) -> tuple[str, str]:
    return f"{NAME}:{run_id}:{under}:mark:{user_id}", f"{NAME}:{run_id}:{under}:copy:{user_id}"


def _sealed(user_id: str, mark: str, body: bytes) -> bytes:
    return b"\n".join((user_id.encode(), mark.encode(), body))


def _opened(value: bytes | None, user_id: str, mark: bytes) -> bytes | None:
    # Replies have been handed to the wrong caller before (CVE-2023-28858), so a copy says whose it
    # is. No id holds a line break.
    if value is None:
        return None
    whose, made_for, body = value.split(b"\n", 2)
    return body if (whose, made_for) == (user_id.encode(), mark) else None
