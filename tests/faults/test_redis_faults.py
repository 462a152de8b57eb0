"""Redis killed, frozen, slow, lying: lists stay whole and no acknowledged event is missing.

Nothing here measures time: `dapei bench faults` does. The budget of a look at Redis is wide in
these tests, so that a slow machine does not look like a broken server.
"""

import asyncio
import random
import signal
import time

import pytest

from data.home import Home
from serving.breaker import GOOD_PROBES
from serving.hot_redis import RedisHot, _Connection
from tests.faultproxy import answering, error_reply, garbage, proxied
from tests.faults.redis_world import AT_ONCE, PEOPLE, World, in_turn, world
from tests.servers import Redis, redis_in
from tests.serving.conftest import Shop


@pytest.fixture
def shop(tmp_path) -> Shop:
    return Shop(Home(tmp_path / "home"))


async def trusted_again(one: World) -> None:
    """Return when copies are used again; fails after ten seconds."""
    until = time.monotonic() + 10
    while await one.hot.find(PEOPLE[0], "0", with_copy=False) is None or one.hot.breaker.is_open:
        assert time.monotonic() < until, "copies are never used again"
        await asyncio.sleep(0.05)


async def some_act(one: World) -> None:
    for user_id in random.Random(one.sent).sample(PEOPLE, k=4):
        await one.act(user_id)


@pytest.mark.parametrize("n", [200, pytest.param(1_000, marks=pytest.mark.nightly)])
def test_r17_redis_killed_under_load(shop, redis_server, n):
    async def scenario():
        async with world(shop, redis_server.url) as one:
            await some_act(one)
            await one.ask_many(2 * n)
            assert one.hot.calls > n / 2, "copies were not used, so killing Redis proves nothing"
            killed = asyncio.create_task(asyncio.to_thread(redis_server.signal, signal.SIGKILL))
            await one.ask_many(3 * n)
            await killed
            await some_act(one)
            await one.ask_many(2 * n)
            assert one.hot.breaker.is_open
            await asyncio.to_thread(redis_server.start)
            await trusted_again(one)
            await some_act(one)
            await one.ask_many(3 * n)
            return one.lists

    assert asyncio.run(scenario()) == {"": 10 * n}


def test_r18_redis_frozen(shop, redis_server):
    async def scenario():
        async with world(shop, redis_server.url, read_s=0.05) as one:
            await some_act(one)
            await one.ask_many(200)
            redis_server.signal(signal.SIGSTOP)
            await one.ask_many(400)
            await some_act(one)
            await one.ask_many(400)
            assert one.hot.breaker.is_open
            redis_server.signal(signal.SIGCONT)
            await trusted_again(one)
            await some_act(one)
            await one.ask_many(400)
            return one.lists

    assert asyncio.run(scenario()) == {"": 1_400}


@pytest.mark.parametrize("words", [("DEBUG", "SLEEP", "2"), ("CLIENT", "PAUSE", "2000")])
def test_r18_redis_asleep(shop, redis_server, words):
    async def scenario():
        async with world(shop, redis_server.url, read_s=0.05) as one:
            await one.ask_many(100)
            asleep = asyncio.create_task(asyncio.to_thread(redis_server.ask, *words))
            await one.ask_many(200)
            await some_act(one)
            await one.ask_many(200)
            await asleep
            await trusted_again(one)
            await some_act(one)
            await one.ask_many(100)
            return one.lists

    assert asyncio.run(scenario()) == {"": 600}


TOXICS = {
    "latency of 1 ms": {"latency_s": 0.001},
    "latency of 500 ms": {"latency_s": 0.5},
    "one byte a second": {"bytes_per_s": 1},
    "pieces of three bytes": {"slices": 3},
    "cut in the middle of a reply": {"limit_data": 700},
    "cut in the middle of the hello": {"limit_data": 40},
    "reset": {"reset_peer": True},
    "silence": {"timeout": True},
}


@pytest.mark.parametrize("toxics", TOXICS.values(), ids=TOXICS.keys())
def test_r20_a_broken_network(shop, redis_server, toxics):
    async def scenario():
        async with (
            proxied(redis_server.port) as proxy,
            world(shop, proxy.url, read_s=0.05) as one,
        ):
            await one.ask_many(50)
            proxy.poison(**toxics)
            for _ in range(3):
                await some_act(one)
                await one.ask_many(60)
            proxy.poison()
            await trusted_again(one)
            await some_act(one)
            await one.ask_many(50)
            return one.lists

    assert asyncio.run(scenario()) == {"": 280}


ERRORS = (
    "LOADING Redis is loading the dataset in memory",
    "READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF Redis is configured to save RDB snapshots",
    "NOAUTH Authentication required.",
    "MOVED 3999 127.0.0.1:6381",
)


@pytest.mark.parametrize("error", ERRORS, ids=[error.split()[0] for error in ERRORS])
def test_r20_a_server_that_answers_errors(shop, error):
    assert asyncio.run(lists_of(shop, error_reply(error))) == {"": 120}


@pytest.mark.parametrize("greets", [True, False], ids=["after a hello", "from the first word"])
@pytest.mark.parametrize("seed", range(4))
def test_r20_a_server_that_answers_bytes_of_chance(shop, greets, seed):
    assert asyncio.run(lists_of(shop, garbage(random.Random(seed), greets=greets))) == {"": 120}


async def lists_of(shop: Shop, reply):
    async with (
        answering(reply) as port,
        world(shop, f"redis://127.0.0.1:{port}/0", read_s=0.05) as one,
    ):
        for _ in range(2):
            await some_act(one)
            await one.ask_many(60)
        return one.lists


async def is_own(hot: RedisHot, n: int, wait_s: float | None) -> bool | None:
    """Whether the copy that is read is the reader's; None for who does not wait or finds none."""
    user_id = PEOPLE[n % len(PEOPLE)]
    try:
        seen = await asyncio.wait_for(hot.find(user_id, "0", with_copy=True), wait_s)
    except TimeoutError:
        return None
    if seen is None or seen.body is None:
        return None
    return seen.body == user_id.encode() * 50


def patient_readers(redis_server: Redis, read_s: float) -> tuple[int, int]:
    """How many whom nobody cancelled got their own copy, and how many of all somebody else's."""

    async def scenario():
        async with proxied(redis_server.port) as proxy:
            # A reply that is late is met by whoever uses the connection next.
            proxy.poison(latency_s=0.002)
            return await told(RedisHot(proxy.url, read_s=read_s), random.Random(2))

    async def told(hot: RedisHot, rng: random.Random) -> tuple[int, int]:
        for user_id in PEOPLE:
            seen = await hot.find(user_id, "0", with_copy=True)
            await hot.keep(user_id, "0", seen.mark, user_id.encode() * 50)

        own = others = 0
        for start in range(0, 10_000, 50):
            # Those that nobody cancels use the connections that the others leave behind.
            hasty = [is_own(hot, n, rng.uniform(0.0002, 0.005)) for n in range(start, start + 50)]
            patient = [is_own(hot, n, None) for n in range(start, start + 5)]
            answers = await asyncio.gather(*hasty, *patient)
            own, others = own + answers[50:].count(True), others + answers.count(False)
            if others:
                break
        await hot.close()
        return own, others

    return asyncio.run(scenario())


def test_r21_ten_thousand_cancelled_reads_mix_nobody_up(redis_server):
    own, others = patient_readers(redis_server, read_s=2.0)
    assert own > 0
    assert others == 0


def test_r21_connections_kept_after_a_cancelled_read_would_be_seen(redis_server, monkeypatch):
    honest = _Connection.disconnect

    async def kept(self, nowait=False):
        if not asyncio.current_task().cancelling():
            await honest(self, nowait=nowait)

    monkeypatch.setattr(_Connection, "disconnect", kept)
    # A copy says whose it is, which is the second wall: both have to be down.
    monkeypatch.setattr("serving.hot_redis._opened", lambda copy, *_: copy.split(b"\n", 2)[2])
    # Replies that went to others make readers wait, which is not what this is about.
    monkeypatch.setattr("serving.breaker.Breaker.may_ask", lambda self: True)
    assert patient_readers(redis_server, read_s=0.2)[1] > 0


@pytest.mark.nightly
def test_r22_a_replica_in_the_masters_place(shop, tmp_path):
    for name in ("master", "replica"):
        (tmp_path / name).mkdir()
    shy = [f"user-{6001 + n}" for n in range(200)]

    async def half(one: World, people: list[str]):
        for number, user_id in enumerate(people):
            await one.opt_out(user_id)
            if number % 4 == 0:
                await some_act(one)
                await one.ask_many(20)

    async def scenario(master: Redis, replica: Redis):
        replica.ask("REPLICAOF", "127.0.0.1", str(master.port))
        async with proxied(master.port) as proxy, world(shop, proxy.url) as one:
            for user_id in shy:
                await one.act(user_id)
            # So that there are copies of everybody from before.
            await one.ask_many(200, whom=shy.__getitem__)
            await half(one, shy[:100])
            # What is acknowledged now never reaches the replica.
            replica.ask("REPLICAOF", "NO", "ONE")
            await half(one, shy[100:])
            master.signal(signal.SIGKILL)
            proxy.target = replica.port
            proxy.poison(reset_peer=True)
            proxy.poison()
            await one.ask_many(200)
            await trusted_again(one)
            await one.ask_many(200)
            await one.ask_many(200, whom=shy.__getitem__)
            return one.lists

    with redis_in(tmp_path / "master") as master, redis_in(tmp_path / "replica") as replica:
        assert asyncio.run(scenario(master, replica)) == {"": 1_800}


def test_r23_redis_emptied(shop, redis_server):
    async def scenario():
        async with world(shop, redis_server.url) as one:
            for _ in range(10):
                await some_act(one)
                await one.ask_many(60)
                redis_server.ask("FLUSHALL")
                await one.ask_many(60)
            return one.lists

    assert asyncio.run(scenario()) == {"": 1_200}


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-random"])
def test_r23_redis_full(shop, tmp_path, policy):
    async def scenario(server: Redis):
        async with world(shop, server.url) as one:
            for n in range(200):
                server.ask("SET", f"filler-{n}", "x" * 20_000)
            for _ in range(10):
                await some_act(one)
                await one.ask_many(60)
            return one.lists

    with redis_in(tmp_path, "--maxmemory", "2mb", "--maxmemory-policy", policy) as server:
        assert asyncio.run(scenario(server)) == {"": 600}


@pytest.mark.nightly
def test_r25_a_person_whom_everybody_asks_for_costs_redis_no_more(shop, redis_server):
    """Four of five lists are for one person: those of one moment share one look at Redis."""
    n, hot = 2_000, PEOPLE[0]

    async def scenario():
        async with world(shop, redis_server.url, read_s=10) as one:
            await some_act(one)
            await one.ask_many(200)
            before = one.hot.calls
            others = iter(range(10**6))
            await one.ask_many(
                n, at_once=200, whom=lambda i: in_turn(1 + next(others)) if i % 5 == 0 else hot
            )
            return one.lists, one.hot.calls - before

    lists, calls = asyncio.run(scenario())
    assert lists == {"": n + 200}
    assert calls >= n / 100, "nobody asked Redis, which proves nothing"
    assert calls <= n / 5 + 0.05 * n * 4 / 5, "looks for the one person must be fewer by 95 %"


def test_r26_the_breaker_opens_probes_and_closes(shop, redis_server):
    async def scenario():
        async with (
            proxied(redis_server.port) as proxy,
            world(shop, proxy.url, read_s=0.05) as one,
        ):
            await one.ask_many(50)
            proxy.poison(timeout=True)
            await one.ask_many(40)
            assert one.hot.breaker.is_open
            calls, started_at = one.hot.calls, time.monotonic()
            while time.monotonic() - started_at < 3:
                await one.ask_many(20)
                await asyncio.sleep(0.01)
            probes, seconds = one.hot.calls - calls, time.monotonic() - started_at
            proxy.poison()
            healed_at = one.hot.calls
            await trusted_again(one)
            return probes / seconds, one.hot.calls - healed_at, one.hot.breaker.opened

    probes_per_s, calls_to_close, opened = asyncio.run(scenario())
    assert probes_per_s <= 1.4, "one a second, and one at either end"
    # One probe a second: so many probes are so many seconds at most, and one for those on the way.
    assert calls_to_close <= GOOD_PROBES + 2
    # A machine that is busy for longer than an answer may take opens it once more.
    assert 1 <= opened <= 2


@pytest.mark.parametrize("toxics", [{"reset_peer": True}, {"timeout": True}])
def test_r27_what_is_dead_is_not_asked_again_and_again(shop, redis_server, toxics):
    async def scenario():
        async with (
            proxied(redis_server.port) as proxy,
            world(shop, proxy.url, read_s=0.05) as one,
        ):
            proxy.poison(**toxics)
            asked, connected = proxy.asked, proxy.connected
            await one.ask_many(300)
            return one.lists, proxy.asked - asked, proxy.connected - connected

    lists, asked, connected = asyncio.run(scenario())
    assert lists == {"": 300}
    assert max(asked, connected) <= 1.1 * 300
    assert connected <= 40, "the breaker must have stopped most of them"


def test_an_event_of_a_worker_that_cannot_reach_redis_is_known_to_one_that_can(shop, redis_server):
    """The worker that takes the event is cut off alone; the other still finds its old copy."""

    async def scenario():
        async with (
            proxied(redis_server.port) as proxy,
            world(shop, redis_server.url) as near,
            world(shop, proxy.url, read_s=0.05) as cut_off,
        ):
            near.acked = cut_off.acked
            await cut_off.act(PEOPLE[0])
            await near.ask(PEOPLE[0])
            await near.ask(PEOPLE[0])
            proxy.poison(timeout=True)
            for _ in range(12):
                await cut_off.act(PEOPLE[0])
                await near.ask(PEOPLE[0])
                await asyncio.sleep(AT_ONCE.quiet_s / 5)
            proxy.poison()
            await asyncio.sleep(AT_ONCE.quiet_s)
            await near.ask(PEOPLE[0])
            return near.service.record.fence()

    assert asyncio.run(scenario()) >= 1
