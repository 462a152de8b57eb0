"""What only copies in Redis do; what all hold is in tests/contracts/test_hot.py."""

import asyncio
import random
from collections import Counter

import pytest

from recsys.errors import ConfigError
from serving.hot import NoHot, hot_of
from serving.hot_redis import COPY_S, COPY_SPREAD, RedisHot, _opened
from tests.servers import Redis, free_port


def scenario_of(redis_server: Redis, scenario):
    async def run():
        hot = RedisHot(redis_server.url, read_s=2.0, rng=random.Random(1))
        try:
            return await scenario(hot)
        finally:
            await hot.close()

    return asyncio.run(run())


async def seen(hot, user_id="user-5001"):
    return await hot.find(user_id, "0", with_copy=True)


def test_without_a_url_nothing_is_kept():
    assert isinstance(hot_of(None), NoHot)


def test_what_is_no_url_is_refused():
    with pytest.raises(ConfigError, match="url of .hot. is none; allowed: redis://host:port/0"):
        hot_of("http://somewhere")


def test_a_server_that_is_not_there_is_left_alone_soon():
    async def scenario():
        hot = RedisHot(f"redis://127.0.0.1:{free_port()}/0")
        answers = [await seen(hot) for _ in range(50)]
        return answers, hot.calls, hot.breaker.is_open

    answers, calls, is_open = asyncio.run(scenario())
    assert answers == [None] * 50
    assert calls <= 6
    assert is_open


def test_a_copy_that_is_somebody_elses_is_none(redis_server):
    async def scenario(hot):
        mark = (await seen(hot)).mark
        await hot.keep("user-5001", "0", mark, b"body")
        mine = (await seen(hot)).body
        for key in keys_of(redis_server, "copy:user-5001"):
            redis_server.ask("SET", key, f"user-5003\n{mark}\nbody")
        return mine, (await seen(hot)).body

    assert scenario_of(redis_server, scenario) == (b"body", None)


def keys_of(redis_server: Redis, ending: str) -> list[str]:
    words = redis_server.ask("KEYS", f"dapei:*:{ending}").decode().split("\r\n")
    return [word for word in words if word.startswith("dapei:")]


@pytest.mark.parametrize("value", [b"", b"user-5001", b"user-5001\nmark", b"\xff\n\n\n"])
def test_what_is_no_copy_is_refused(value):
    try:
        found = _opened(value, "user-5001", b"mark")
    except ValueError:
        found = None
    assert found is None


def test_copies_of_before_a_restart_are_void_even_where_the_server_kept_them(redis_server):
    async def scenario(hot):
        await hot.keep("user-5001", "0", (await seen(hot)).mark, b"old")
        assert (await seen(hot)).body == b"old"
        redis_server.ask("SAVE")
        redis_server.stop()
        redis_server.start()
        answers = [await seen(hot) for _ in range(3)]
        return [one.body for one in answers if one is not None]

    bodies = scenario_of(redis_server, scenario)
    assert bodies
    assert set(bodies) == {None}
    assert keys_of(redis_server, "copy:user-5001"), "the server must have kept it for this to count"


def ends_of_a_thousand(redis_server: Redis) -> Counter[int]:
    """How many of a thousand copies, made in one moment, end in each minute from now (R24)."""

    async def scenario(hot):
        for n in range(1_000):
            await hot.keep(f"user-{n}", "0", "mark", b"x")

    scenario_of(redis_server, scenario)
    ends = Counter()
    for key in keys_of(redis_server, "copy:*"):
        left_ms = int(redis_server.ask("PTTL", key).strip(b":\r\n"))
        assert (1 - COPY_SPREAD) * COPY_S - 60 < left_ms / 1_000 < (1 + COPY_SPREAD) * COPY_S
        # Sixty seconds a bin: in single seconds a thousand copies are too few to say anything.
        ends[left_ms // 60_000] += 1
    assert sum(ends.values()) > 900
    return ends


MEAN_A_MINUTE = 1_000 / (2 * COPY_SPREAD * COPY_S / 60)


def test_copies_of_one_moment_do_not_end_in_one_moment(redis_server):
    assert max(ends_of_a_thousand(redis_server).values()) <= 3 * MEAN_A_MINUTE


def test_copies_that_all_last_as_long_would_be_seen(redis_server, monkeypatch):
    monkeypatch.setattr("serving.hot_redis.COPY_SPREAD", 0.0)
    assert max(ends_of_a_thousand(redis_server).values()) > 3 * MEAN_A_MINUTE
