"""Who may trust copies while another worker cannot reach them."""

import asyncio

import pytest

from data.record import Record
from recsys.errors import StoreUnavailable
from serving.fence import Fence, Pace

PACE = Pace(look_s=0.01, stale_s=1.0, quiet_s=5.0)
AT_ONCE = Pace(look_s=0.01, stale_s=0.0, quiet_s=0.0)


class Hand:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def record(tmp_path):
    record = Record.open(tmp_path / "record.db")
    yield record
    record.close()


def quiet(record, clock, pace=PACE) -> Fence:
    """A fence that has looked and seen nothing move for long."""
    fence = Fence(record, pace=pace, clock=clock)
    asyncio.run(fence.look())
    clock.now += pace.quiet_s
    asyncio.run(fence.look())
    return fence


def test_a_worker_that_has_just_started_trusts_no_copy(record):
    clock = Hand()
    fence = Fence(record, pace=PACE, clock=clock)
    assert not fence.may_trust()
    asyncio.run(fence.look())
    assert not fence.may_trust()


def test_a_number_that_is_still_is_trusted_while_it_is_looked_at(record):
    clock = Hand()
    fence = quiet(record, clock)
    assert fence.may_trust()
    clock.now += PACE.stale_s
    assert not fence.may_trust()


def test_a_number_that_rose_is_trusted_when_it_was_still_for_long(record):
    clock = Hand()
    fence = quiet(record, clock)
    before = fence.number
    record.raise_fence()
    asyncio.run(fence.look())
    assert not fence.may_trust()
    assert fence.number > before
    clock.now += PACE.quiet_s
    asyncio.run(fence.look())
    assert fence.may_trust()


def test_a_record_that_cannot_be_read_is_no_reason_to_trust(record, tmp_path):
    clock = Hand()
    fence = quiet(record, clock)

    class Broken:
        def fence(self):
            raise StoreUnavailable("not now")

    fence._record = Broken()
    clock.now += PACE.stale_s
    asyncio.run(fence.look())
    assert not fence.may_trust()


def test_raising_waits_until_everybody_must_have_seen_it(record):
    async def scenario():
        slept = asyncio.get_running_loop().time()
        fence = Fence(record, pace=Pace(look_s=0.01, stale_s=0.2, quiet_s=5.0))
        await fence.raise_()
        first = asyncio.get_running_loop().time() - slept
        await fence.raise_()
        return first, fence.may_trust(), record.fence()

    first, may_trust, number = asyncio.run(scenario())
    assert first >= 0.2
    assert not may_trust
    assert number == 1, "the second time the first one is still in force"


def test_many_who_raise_at_once_raise_it_once(record):
    async def scenario():
        fence = Fence(record, pace=Pace(look_s=0.01, stale_s=0.05, quiet_s=5.0))
        await asyncio.gather(*(fence.raise_() for _ in range(50)))

    asyncio.run(scenario())
    assert record.fence() == 1


def test_it_is_raised_again_before_anybody_trusts_again(record):
    clock = Hand()
    fence = Fence(record, pace=Pace(look_s=0.01, stale_s=0.0, quiet_s=5.0), clock=clock)
    asyncio.run(fence.raise_())
    clock.now += 2.6
    asyncio.run(fence.raise_())
    assert record.fence() == 2


def test_watching_follows_the_number(record):
    async def scenario():
        fence = Fence(record, pace=AT_ONCE)
        watching = asyncio.create_task(fence.watch())
        record.raise_fence()
        for _ in range(500):
            if fence.number == 1:
                break
            await asyncio.sleep(0.01)
        watching.cancel()
        return fence.number

    assert asyncio.run(scenario()) == 1
