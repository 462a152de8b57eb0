"""An acknowledged event is in what every worker knows next, wherever copies are kept."""

import asyncio
import random
from datetime import timedelta

import pytest

from data.record import Record
from recsys.catalog import Catalog
from serving.copies import read_copy, written_copy
from serving.current import Current
from serving.fence import Fence, Pace
from serving.hot import NoHot
from serving.hot_redis import RedisHot
from serving.persons import Persons
from serving.remembered import Known, Remembered
from tests.planted import NOW, Fixed, bundle_of, event, item

PEOPLE = [f"user-{5001 + 2 * n}" for n in range(3)]
# Who cannot reach Redis in time waits for what is stale: not for long, on a machine that is busy.
AT_ONCE = Pace(look_s=0.05, stale_s=5.0, quiet_s=0.0)


@pytest.fixture(scope="module")
def current():
    return Current.of(
        bundle_of(Catalog.of([item(n) for n in range(50)]), {"near": Fixed(items=(0,))}), None
    )


@pytest.fixture(params=["none", "redis"])
def world(request, tmp_path, current):
    """Runs a scenario with workers over one record and one place for copies."""
    url = None if request.param == "none" else request.getfixturevalue("redis_server").url
    return lambda scenario, n=2: asyncio.run(_workers(tmp_path, url, n, scenario))


async def _workers(tmp_path, url, n, scenario):
    record = Record.open(tmp_path / "record.db")
    workers = []
    for _ in range(n):
        hot = NoHot() if url is None else RedisHot(url, read_s=2.0)
        fence = Fence(record, pace=AT_ONCE)
        await fence.look()
        workers.append(Persons(record, Remembered(10), limit=300, hot=hot, fence=fence))
    watching = [asyncio.ensure_future(worker.watch()) for worker in workers]
    try:
        return await scenario(record, *workers)
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        for worker in workers:
            await worker.close()
        record.close()


async def act(record, worker, number, user_id):
    """One event, stored and acknowledged as the service does it."""
    one = event(
        f"item-{1000 + number % 50}",
        event_id=f"event-{number}",
        user_id=user_id,
        at=NOW + timedelta(seconds=number),
    )
    record.append([one], received_at=NOW)
    await worker.changed({user_id})


async def known(worker, current, user_id) -> list[int]:
    return (await worker.meet(user_id, current)).history.item.tolist()


def test_whatever_the_order_every_worker_knows_all_that_was_acknowledged(world, current):
    async def scenario(record, *workers):
        rng, done = random.Random(3), {user_id: [] for user_id in PEOPLE}
        for number in range(60):
            user_id = rng.choice(PEOPLE)
            await act(record, rng.choice(workers), number, user_id)
            done[user_id].append(number % 50)
            for _ in range(rng.randrange(4)):
                asked = rng.choice(PEOPLE)
                assert await known(rng.choice(workers), current, asked) == done[asked]

    world(scenario)


def test_events_and_lists_at_once_lose_nothing(world, current):
    async def scenario(record, *workers):
        acknowledged = dict.fromkeys(PEOPLE, 0)

        async def send(user_id, first):
            for number in range(first, first + 15):
                await act(record, random.choice(workers), number, user_id)
                acknowledged[user_id] += 1

        async def look(user_id):
            while acknowledged[user_id] < 15:
                at_least = acknowledged[user_id]
                found = await known(random.choice(workers), current, user_id)
                assert len(found) >= at_least
                await asyncio.sleep(0.005)

        await asyncio.gather(
            *(send(user_id, 100 * n) for n, user_id in enumerate(PEOPLE)),
            *(look(user_id) for user_id in PEOPLE),
        )

    world(scenario)


def test_a_join_is_known_to_every_worker(world, current):
    async def scenario(record, one, two):
        await act(record, one, 1, "guest-7001")
        await act(record, one, 2, "user-5001")
        assert await known(two, current, "user-5001") == [2]
        record.aliases.join("guest-7001", "user-5001", at=NOW)
        await one.changed({"guest-7001", "user-5001"})
        for worker in (one, two):
            assert await known(worker, current, "user-5001") == [1, 2]
        # Later events of the guest's id are the person's too.
        await act(record, one, 3, "guest-7001")
        for worker in (two, one):
            assert await known(worker, current, "user-5001") == [1, 2, 3]
            assert await known(worker, current, "guest-7001") == [1, 2, 3]

    world(scenario)


def test_with_copies_the_record_is_read_once_for_all_workers(tmp_path, redis_server, current):
    async def scenario(record, one, two):
        await act(record, one, 1, "user-5001")
        for _ in range(5):
            for worker in (one, two):
                assert await known(worker, current, "user-5001") == [1]
                await asyncio.sleep(0.02)
        return one.rebuilt + two.rebuilt

    assert asyncio.run(_workers(tmp_path, redis_server.url, 2, scenario)) == 1


def a_thousand_at_once(tmp_path, redis_server, current) -> tuple[int, int]:
    """How often the record, and Redis, are asked for a person of whom there is no copy (R24)."""

    async def scenario(record, one):
        await act(record, one, 1, "user-5001")
        met = await asyncio.gather(*(one.meet("user-5001", current) for _ in range(1_000)))
        assert all(each.history.item.tolist() == [1] for each in met)
        return one.rebuilt, one.hot.calls

    return asyncio.run(_workers(tmp_path, redis_server.url, 1, scenario))


def test_a_thousand_at_once_read_the_record_once(tmp_path, redis_server, current):
    rebuilt, calls = a_thousand_at_once(tmp_path, redis_server, current)
    assert rebuilt == 1
    assert calls <= 4


def test_a_thousand_that_share_no_reading_would_be_seen(
    tmp_path, redis_server, current, monkeypatch
):
    monkeypatch.setattr(Persons, "meet", lambda self, one, now: self._far(one, now))
    assert a_thousand_at_once(tmp_path, redis_server, current)[0] > 10


class Late(RedisHot):
    """Tells what it found a while after it found it, as a slow network does."""

    async def find(self, user_id, under, *, with_copy):
        seen = await super().find(user_id, under, with_copy=with_copy)
        await asyncio.sleep(0.1)
        return seen


def test_who_comes_after_a_reading_began_gets_a_reading_of_their_own(
    tmp_path, redis_server, current
):
    async def scenario(record, one):
        one.hot = Late(redis_server.url, read_s=2.0)
        await act(record, one, 0, "user-5001")
        await known(one, current, "user-5001")
        for number in range(1, 6):
            before = asyncio.create_task(known(one, current, "user-5001"))
            await asyncio.sleep(0.02)
            await act(record, one, number, "user-5001")
            assert len(await known(one, current, "user-5001")) == number + 1
            await before

    asyncio.run(_workers(tmp_path, redis_server.url, 1, scenario))


def test_a_worker_that_has_not_looked_yet_makes_others_copies_void(tmp_path, redis_server, current):
    async def scenario(record, one):
        record.raise_fence()
        await one._fence.look()
        await act(record, one, 0, "user-5001")
        for _ in range(2):
            assert await known(one, current, "user-5001") == [0]
            await asyncio.sleep(0.02)
        hot = RedisHot(redis_server.url, read_s=2.0)
        new = Persons(record, Remembered(10), limit=300, hot=hot, fence=Fence(record, pace=AT_ONCE))
        await act(record, new, 1, "user-5001")
        await new.close()
        return await known(one, current, "user-5001")

    assert asyncio.run(_workers(tmp_path, redis_server.url, 1, scenario)) == [0, 1]


def test_nobody_has_no_history(world, current):
    async def scenario(_record, one, _two):
        return len((await one.meet(None, current)).history)

    assert world(scenario) == 0


def test_a_copy_is_read_back_as_it_was(current):
    history = current.placed([event(f"item-{1000 + n}", event_id=f"e-{n}") for n in range(9)])
    copy = read_copy(written_copy(Known(history, 7, 2), current), current)
    assert copy is not None
    assert (copy.upto_seq, copy.joins) == (7, 2)
    for name in ("item", "type", "at_ms", "value", "duration_s", "order"):
        assert getattr(copy.history, name).tobytes() == getattr(history, name).tobytes()


def test_a_copy_of_another_bundle_is_none(current):
    other = bundle_of(Catalog.of([item(n) for n in range(51)]), {"near": Fixed(items=(0,))})
    body = written_copy(Known(current.placed([]), 0), current)
    assert read_copy(body, Current.of(other, None)) is None


@pytest.mark.parametrize("cut", [0, 1, 40, -1])
def test_a_damaged_copy_is_none(current, cut):
    history = current.placed([event(f"item-{1000 + n}", event_id=f"e-{n}") for n in range(9)])
    body = written_copy(Known(history, 7), current)
    assert read_copy(body[:cut], current) is None
