"""What every place for copies must hold: nowhere, and a real Redis server."""

import asyncio

import pytest

from serving.hot import Hot, NoHot
from serving.hot_redis import RedisHot

MARKED = b'{"upto_seq": 7}\n\x00\n\xff'


@pytest.fixture(params=["none", "redis"])
def run(request):
    """Runs a scenario with two workers' ways to the same place."""
    url = None if request.param == "none" else request.getfixturevalue("redis_server").url

    def inside(scenario):
        async def with_hot():
            hots: list[Hot] = (
                [NoHot(), NoHot()]
                if url is None
                else [RedisHot(url, read_s=2.0), RedisHot(url, read_s=2.0)]
            )
            try:
                return await scenario(*hots)
            finally:
                for hot in hots:
                    await hot.close()

        return asyncio.run(with_hot())

    return inside


async def found(hot: Hot, user_id: str = "user-5001", under: str = "0") -> bytes | None:
    seen = await hot.find(user_id, under, with_copy=True)
    return None if seen is None else seen.body


async def copied(hot: Hot, user_id: str = "user-5001", under: str = "0") -> str:
    """Look, then keep a copy; the mark it was made for."""
    seen = await hot.find(user_id, under, with_copy=True)
    mark = "" if seen is None else seen.mark
    await hot.keep(user_id, under, mark, MARKED)
    return mark


def test_at_first_there_is_no_copy(run):
    assert run(found_by_the_second) is None


async def found_by_the_second(_one: Hot, two: Hot) -> bytes | None:
    return await found(two)


def test_a_copy_is_found_as_it_was_by_another_worker_or_not_at_all(run):
    async def scenario(one, two):
        await copied(one)
        return await found(two)

    assert run(scenario) in (None, MARKED)


def test_a_forgotten_copy_is_found_by_nobody(run):
    async def scenario(one, two):
        await copied(one)
        assert await two.forget(["user-5001", "user-5003"], "0")
        return [await found(one), await found(two)]

    assert run(scenario) == [None, None]


def test_a_copy_made_before_and_kept_after_forgetting_is_void(run):
    async def scenario(one, two):
        seen = await one.find("user-5001", "0", with_copy=True)
        assert await two.forget(["user-5001"], "0")
        await one.keep("user-5001", "0", seen.mark if seen else "", MARKED)
        return [await found(one), await found(two)]

    assert run(scenario) == [None, None]


def test_two_who_look_first_see_the_same_mark(run):
    async def scenario(one, two):
        looks = [hot.find("user-5001", "0", with_copy=True) for hot in (one, two) * 8]
        return {seen and seen.mark for seen in await asyncio.gather(*looks)}

    assert len(run(scenario)) == 1


def test_forgetting_one_person_leaves_the_others(run):
    async def scenario(one, two):
        await copied(one, "user-5003")
        before = await found(two, "user-5003")
        await two.forget(["user-5001"], "0")
        return before, await found(one, "user-5003")

    before, after = run(scenario)
    assert before == after


def test_a_copy_is_only_found_under_the_number_it_was_kept_under(run):
    async def scenario(one, two):
        await copied(one, under="1")
        return await found(two, under="2")

    assert run(scenario) is None


def test_forgetting_nobody_is_certain(run):
    async def scenario(one, _two):
        return await one.forget([], "0")

    assert run(scenario)


def test_only_the_mark_is_told_when_only_that_is_asked(run):
    async def scenario(one, two):
        await copied(one)
        return await two.find("user-5001", "0", with_copy=False)

    seen = run(scenario)
    assert seen is None or seen.body is None
