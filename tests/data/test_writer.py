import asyncio
import sqlite3
import time
from contextlib import contextmanager

import pytest

from data.record import Outcome, Record
from data.writer import MAX_WAITING_LISTS, Writer
from recsys.errors import StoreUnavailable
from recsys.events import Event, EventType, ServedList, moment

NOW = moment(1_780_000_000_000)


@pytest.fixture
def record(tmp_path):
    record = Record.open(tmp_path / "record.db")
    yield record
    record.close()


@pytest.fixture
def writer(record):
    writer = Writer(record, max_waiting_events=10)
    yield writer
    writer.close()


def events(first: int, n: int = 1, **more) -> list[Event]:
    return [
        Event(
            event_id=f"event-{number}",
            user_id="user-5001",
            item_id="item-1001",
            type=EventType.VIEW,
            at=NOW,
            **more,
        )
        for number in range(first, first + n)
    ]


def served_list(list_id: str, **more) -> ServedList:
    said = {
        "list_id": list_id,
        "user_id": None,
        "scene": "home",
        "at": NOW,
        "bundle": "b-1",
        "pipeline": "home",
        "personalised": False,
        "degraded": (),
        "items": (),
    }
    return ServedList(**said | more)


@contextmanager
def held(tmp_path):
    """Keep the write lock, so that whatever is submitted meanwhile waits."""
    other = sqlite3.connect(tmp_path / "record.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def queued(*waiting) -> list[asyncio.Task]:
    tasks = [asyncio.ensure_future(one) for one in waiting]
    await asyncio.sleep(0)
    return tasks


async def taken(writer: Writer, event: Event) -> asyncio.Task:
    """Submit one event and return when the writer's thread is busy with it."""
    (task,) = await queued(writer.submit([event], NOW))
    while writer.waiting_events:
        await asyncio.sleep(0.001)
    return task


def test_an_answer_means_it_is_in_the_file(record, writer, tmp_path):
    outcomes = asyncio.run(writer.submit(events(1, 2), NOW))
    assert outcomes == [Outcome.ACCEPTED] * 2
    with sqlite3.connect(tmp_path / "record.db") as other:
        assert other.execute("SELECT count(*) FROM events").fetchone() == (2,)
    other.close()


def test_there_is_no_answer_before_the_commit(record, writer, tmp_path):
    async def run() -> bool:
        with held(tmp_path):
            task = await taken(writer, *events(1))
            await asyncio.sleep(0.05)
            early = task.done()
        await task
        return early

    assert asyncio.run(run()) is False
    assert record.last_seq() == 1


def test_callers_that_wait_together_get_their_own_answers(record, writer, tmp_path):
    async def run() -> list[list[Outcome]]:
        with held(tmp_path):
            tasks = await queued(
                writer.submit(events(1), NOW),
                writer.submit(events(2, 2), NOW),
                writer.submit([*events(2), *events(3, dwell_s=1.0)], NOW),
            )
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == [
        [Outcome.ACCEPTED],
        [Outcome.ACCEPTED] * 2,
        [Outcome.DUPLICATE, Outcome.CONFLICT],
    ]


def test_each_event_keeps_the_time_its_caller_came(record, writer):
    async def run() -> None:
        await asyncio.gather(
            writer.submit(events(1), NOW), writer.submit(events(2), moment(1_790_000_000_000))
        )

    asyncio.run(run())
    ((_, _, first), (_, _, second)) = next(record.events_between(0, 2))
    assert (first, second) == (1_780_000_000_000, 1_790_000_000_000)


def test_a_full_queue_refuses_and_recovers(writer, tmp_path):
    async def run() -> list[Outcome]:
        with held(tmp_path):
            first = await taken(writer, *events(1))
            more = await queued(writer.submit(events(2, 9), NOW))
            with pytest.raises(StoreUnavailable, match="got 2 more to 9; allowed: 10"):
                await writer.submit(events(20, 2), NOW)
        await asyncio.gather(first, *more)
        return await writer.submit(events(20, 2), NOW)

    assert asyncio.run(run()) == [Outcome.ACCEPTED] * 2


def test_a_failed_commit_is_told_to_every_caller_and_acks_nothing(record, writer, tmp_path):
    statement = (
        "CREATE TRIGGER full BEFORE INSERT ON events WHEN new.event_id = 'event-7' "
        "BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    with sqlite3.connect(tmp_path / "record.db") as other:
        other.execute(statement)
    other.close()

    async def run() -> list[object]:
        with held(tmp_path):
            first = await taken(writer, *events(1))
            both = await queued(writer.submit(events(2), NOW), writer.submit(events(7), NOW))
        await first
        return await asyncio.gather(*both, return_exceptions=True)

    answers = asyncio.run(run())
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 2
    assert [e.event_id for e in record.events_of("user-5001", after_seq=0, limit=9)] == ["event-1"]
    assert asyncio.run(writer.submit(events(2), NOW)) == [Outcome.ACCEPTED]


def test_a_caller_that_left_before_the_commit_began_is_not_written(record, writer, tmp_path):
    async def run() -> None:
        with held(tmp_path):
            first = await taken(writer, *events(1))
            (gone,) = await queued(writer.submit(events(2), NOW))
            gone.cancel()
            await asyncio.sleep(0)
        await first
        await writer.submit(events(3), NOW)

    asyncio.run(run())
    read = record.events_of("user-5001", after_seq=0, limit=9)
    assert {e.event_id for e in read} == {"event-1", "event-3"}


def test_a_caller_that_leaves_during_the_commit_harms_nobody(record, writer, tmp_path):
    async def run() -> list[Outcome]:
        with held(tmp_path):
            gone = await taken(writer, *events(1))
            gone.cancel()
            await asyncio.sleep(0)
        return await writer.submit(events(2), NOW)

    assert asyncio.run(run()) == [Outcome.ACCEPTED]
    assert record.last_seq() == 2


def test_closing_writes_what_waits_and_then_refuses(record, tmp_path):
    writer = Writer(record, max_waiting_events=10)

    async def run() -> list[Outcome]:
        with held(tmp_path):
            tasks = await queued(writer.submit(events(1), NOW), writer.submit(events(2), NOW))
        writer.close()
        return [outcome for task in tasks for outcome in await task]

    assert asyncio.run(run()) == [Outcome.ACCEPTED] * 2
    with pytest.raises(StoreUnavailable, match="the writer is closed"):
        asyncio.run(writer.submit(events(3), NOW))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_mistake_in_the_thread_leaves_nobody_waiting(record):
    writer = Writer(record, max_waiting_events=10)
    with pytest.raises(StoreUnavailable, match="the writer has stopped"):
        asyncio.run(writer.submit([None], NOW))  # type: ignore[list-item]
    with pytest.raises(StoreUnavailable, match="the writer is closed"):
        asyncio.run(writer.submit(events(1), NOW))
    # The thread reports its mistake as it ends, which must fall into this test.
    writer.close()


def test_served_lists_are_kept_soon(record, writer):
    writer.put_served(served_list("list-1"))
    deadline = time.monotonic() + 10
    while record.served("list-1") is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert record.served("list-1") == served_list("list-1")
    assert writer.lost_lists == 0


def test_served_lists_are_written_with_the_events_that_come(record, writer):
    writer.put_served(served_list("list-1"))
    asyncio.run(writer.submit(events(1), NOW))
    assert record.served("list-1") is not None


def test_lists_that_cannot_be_kept_are_counted(record, tmp_path):
    writer = Writer(record, max_waiting_events=10)
    writer.put_served(served_list("list-1", scene="\ud800"))
    assert writer.lost_lists == 1
    writer.close()
    writer.put_served(served_list("list-2"))
    assert writer.lost_lists == 2


def test_too_many_waiting_lists_are_dropped_and_counted(record, writer, tmp_path):
    async def run() -> None:
        with held(tmp_path):
            await taken(writer, *events(1))
            for number in range(MAX_WAITING_LISTS + 3):
                writer.put_served(served_list(f"list-{number}"))

    asyncio.run(run())
    assert writer.lost_lists == 3


def test_lists_of_a_failed_commit_are_counted(record, writer, tmp_path):
    with sqlite3.connect(tmp_path / "record.db") as other:
        other.execute("DROP TABLE served")
    other.close()
    writer.put_served(served_list("list-1"))
    with pytest.raises(StoreUnavailable, match="no such table"):
        asyncio.run(writer.submit(events(1), NOW))
    assert writer.lost_lists == 1
    assert record.last_seq() == 0
