import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from resource import RLIMIT_FSIZE, getrlimit, setrlimit
from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.record import Outcome, Record
from data.record_rows import event_of, event_row, item_body, item_of, served_of, served_row
from recsys.catalog import Item, Kind
from recsys.errors import ConfigError, InvalidInput, InvalidItem, StoreUnavailable
from recsys.events import Event, EventType, Platform, ServedItem, ServedList
from recsys.histories import History

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.fixture
def record(tmp_path):
    record = Record.open(tmp_path / "record.db")
    yield record
    record.close()


def event(number: int, **more) -> Event:
    said = {
        "event_id": f"event-{number}",
        "user_id": "user-5001",
        "item_id": f"item-{1000 + number}",
        "type": EventType.VIEW,
        "at": NOW + timedelta(seconds=number),
    }
    return Event(**said | more)


def full_event() -> Event:
    return event(
        1,
        at=NOW + timedelta(microseconds=700),
        play_s=3,
        duration_s=10.5,
        dwell_s=0.0,
        quantity=2,
        amount_minor=0,
        order_id="order-1",
        choice="选择",
        list_id="list-1",
        position=0,
        platform=Platform.DOUYIN,
        props={"b": [1, {"深": None}], "a": 1.5},
    )


def served_list(list_id: str = "list-1", **more) -> ServedList:
    place = ServedItem(
        item_id="item-1001",
        kind="video",
        rank=0,
        score=0.25,
        source="als",
        reason="看过 辅食",
        ad=True,
    )
    said = {
        "list_id": list_id,
        "user_id": "user-5001",
        "scene": "home",
        "at": NOW,
        "bundle": "b-1",
        "pipeline": "home",
        "personalised": True,
        "degraded": ("als",),
        "items": (place,),
        "arms": ("a:1",),
    }
    return ServedList(**said | more)


def put(record: Record, *events: Event) -> list[Outcome]:
    return record.append(events, received_at=NOW)


def outside(record: Record, tmp_path: Path, statement: str, *values: object) -> None:
    """Change the file behind the record's back."""
    with sqlite3.connect(tmp_path / "record.db") as connection:
        connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize("one", [event(1), full_event(), event(1, at=None)])
def test_an_event_is_read_back_with_the_body_it_came_with(record, one):
    put(record, one)
    (read,) = record.events_of("user-5001", after_seq=0, limit=10)
    assert read.body() == one.body()
    assert type(read.type) is EventType


def test_the_same_id_twice_counts_once(record):
    assert put(record, event(1), event(2)) == [Outcome.ACCEPTED] * 2
    assert put(record, event(2), event(3)) == [Outcome.DUPLICATE, Outcome.ACCEPTED]
    assert record.last_seq() == 3


def test_the_same_id_twice_in_one_batch_counts_once(record):
    outcomes = put(record, event(1), event(1), event(1, dwell_s=2.0))
    assert outcomes == [Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.CONFLICT]
    assert record.last_seq() == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"user_id": "user-5002"},
        {"item_id": "item-1"},
        {"type": EventType.LIKE},
        {"at": NOW + timedelta(days=40)},
        {"at": None},
        {"play_s": 1.0},
        {"platform": Platform.KUAISHOU},
        {"props": {"a": 1}},
    ],
)
def test_the_same_id_with_another_body_is_refused(record, changed):
    put(record, event(1))
    assert put(record, event(1, **changed)) == [Outcome.CONFLICT]
    assert [e.body() for e in record.events_of("user-5001", after_seq=0, limit=9)] == [
        event(1).body()
    ]


def test_the_order_of_props_makes_no_other_body(record):
    put(record, event(1, props={"a": 1, "b": 2}))
    assert put(record, event(1, props={"b": 2, "a": 1})) == [Outcome.DUPLICATE]


@pytest.mark.parametrize(
    "props",
    [
        {"a": 10**30},
        {"a": "\ud800"},
        {1: "x", "b": 2},
        {"a": json.loads("[" * 300 + "]" * 300)},
    ],
    ids=["large number", "lone surrogate", "number as key", "deep"],
)
def test_whatever_props_an_event_may_carry_can_be_stored(record, props):
    assert put(record, event(1, props=props)) == [Outcome.ACCEPTED]
    assert put(record, event(1, props=props)) == [Outcome.DUPLICATE]
    assert record.events_of("user-5001", after_seq=0, limit=1)[0].props.keys() == {
        str(key) for key in props
    }


def test_reading_one_person_gives_the_newest_in_time_order(record):
    put(record, event(3), event(1), event(7, user_id="user-5002"), event(2))
    read = record.events_of("user-5001", after_seq=0, limit=2)
    assert [e.event_id for e in read] == ["event-1", "event-2"]
    assert [e.event_id for e in record.events_of("user-5001", after_seq=2, limit=9)] == ["event-2"]
    assert record.events_of("user-5003", after_seq=0, limit=9) == []


def test_undated_events_keep_the_order_they_came_in(record):
    put(record, event(3, at=None), event(9), event(1, at=None))
    read = record.events_of("user-5001", after_seq=0, limit=9)
    assert [e.event_id for e in read] == ["event-3", "event-1", "event-9"]


def test_a_refund_of_the_same_moment_follows_its_order(record):
    bought = event(1, type=EventType.ORDER, at=NOW)
    put(record, event(2, type=EventType.REFUND, item_id=bought.item_id, at=NOW), bought)
    read = record.events_of("user-5001", after_seq=0, limit=9)
    assert History.of([(0, e) for e in read]).undone(2**60).any()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), ties=st.integers(1, 40))
def test_arrival_order_does_not_change_the_history(tmp_path_factory, seed, ties):
    events = [event(n, at=NOW + timedelta(seconds=n % ties)) for n in range(40)]
    histories = []
    for order in (events, Random(seed).sample(events, k=len(events))):
        record = Record.open(tmp_path_factory.mktemp("record") / "record.db")
        put(record, *order[:13])
        put(record, *order[13:])
        read = record.events_of("user-5001", after_seq=0, limit=100)
        histories.append(History.of([(int(e.item_id[5:]), e) for e in read]))
        record.close()
    np.testing.assert_array_equal(histories[0].item, histories[1].item)
    np.testing.assert_array_equal(histories[0].at_ms, histories[1].at_ms)


def test_events_between_gives_each_once_in_order(record):
    put(record, *(event(n) for n in range(10)))
    batches = list(record.events_between(2, 9, batch=3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    seqs = [seq for batch in batches for seq, _, _ in batch]
    assert seqs == list(range(3, 10))
    seq, first, received_ms = batches[0][0]
    assert first.body() == event(2).body()
    assert received_ms == round(NOW.timestamp() * 1000)


def test_events_between_ends_where_the_record_ends(record):
    put(record, event(1))
    assert len(list(record.events_between(0, 100))) == 1
    assert list(record.events_between(1, 100)) == []


@pytest.mark.parametrize(
    "damage",
    ["item_id = 'item-666'", "at_ms = at_ms + 1", "type = 13", "more = NULL", "event_id = 'x'"],
)
def test_a_row_that_is_not_what_was_written_is_left_out_and_told(record, tmp_path, damage):
    put(record, full_event(), event(2))
    outside(record, tmp_path, f"UPDATE events SET {damage} WHERE seq = 1")
    read = record.events_of("user-5001", after_seq=0, limit=9)
    assert [e.event_id for e in read] == ["event-2"]
    assert [seq for batch in record.events_between(0, 9) for seq, _, _ in batch] == [2]
    assert record.damaged == {1}


def test_another_process_reads_while_one_writes(record, tmp_path):
    put(record, event(1))
    with sqlite3.connect(tmp_path / "record.db", isolation_level=None) as writing:
        writing.execute("BEGIN IMMEDIATE")
        writing.execute("DELETE FROM events")
        assert len(record.events_of("user-5001", after_seq=0, limit=9)) == 1
        writing.execute("ROLLBACK")
    writing.close()


def test_threads_that_resend_store_it_once(record):
    batch = [event(n) for n in range(50)]
    answers: list[list[Outcome]] = []
    threads = [
        Thread(target=lambda: [answers.append(put(record, *batch)) for _ in range(5)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert record.last_seq() == 50
    assert sum(outcomes == [Outcome.ACCEPTED] * 50 for outcomes in answers) == 1
    assert sum(outcomes == [Outcome.DUPLICATE] * 50 for outcomes in answers) == 39


def test_a_lock_held_too_long_makes_writing_fail_and_nothing_is_stored(record, tmp_path):
    second = Record.open(tmp_path / "record.db", busy_s=0.01)
    with sqlite3.connect(tmp_path / "record.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="cannot be written now: database is locked"):
            put(second, event(1))
        other.execute("ROLLBACK")
    other.close()
    assert put(second, event(1)) == [Outcome.ACCEPTED]
    second.close()


def test_a_failed_transaction_leaves_nothing(record, tmp_path):
    put(record, event(1))
    outside(
        record,
        tmp_path,
        "CREATE TRIGGER full BEFORE INSERT ON events WHEN new.seq = 3 "
        "BEGIN SELECT RAISE(ABORT, 'no room'); END",
    )
    with pytest.raises(StoreUnavailable, match="no room"):
        put(record, event(2, user_id="user-5009"), event(3))
    outside(record, tmp_path, "DROP TRIGGER full")
    assert record.last_seq() == 1
    assert put(record, event(2, user_id="user-5009"), event(3)) == [Outcome.ACCEPTED] * 2


@contextmanager
def failing_disk(path: Path) -> Iterator[None]:
    """Let the system refuse every write behind the end of a file."""
    soft, hard = getrlimit(RLIMIT_FSIZE)
    setrlimit(RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        yield
    finally:
        setrlimit(RLIMIT_FSIZE, (soft, hard))


def test_a_failed_disk_is_final_until_the_record_is_opened_again(record, tmp_path):
    put(record, event(1))
    with (
        failing_disk(tmp_path / "record.db-wal"),
        pytest.raises(StoreUnavailable, match="disk I/O error"),
    ):
        put(record, event(2))
    with pytest.raises(StoreUnavailable, match="stopped writing after a disk failure"):
        put(record, event(2))
    assert len(record.events_of("user-5001", after_seq=0, limit=9)) == 1
    again = Record.open(tmp_path / "record.db")
    assert put(again, event(1), event(2)) == [Outcome.DUPLICATE, Outcome.ACCEPTED]
    again.close()


def test_a_record_that_cannot_be_read_says_so(record, tmp_path):
    outside(record, tmp_path, "DROP TABLE events")
    with pytest.raises(StoreUnavailable, match="cannot be read now: no such table"):
        record.events_of("user-5001", after_seq=0, limit=1)


def test_another_schema_is_refused(record, tmp_path):
    outside(record, tmp_path, "UPDATE state SET value = 99 WHERE name = 'schema'")
    with pytest.raises(ConfigError, match="got version 99; this program reads 1"):
        Record.open(tmp_path / "record.db")


def test_a_file_that_is_no_record_is_refused(tmp_path):
    (tmp_path / "record.db").write_bytes(b"no database, only a text of some length" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        Record.open(tmp_path / "record.db")


def test_what_was_written_is_there_after_reopening(tmp_path):
    first = Record.open(tmp_path / "new" / "record.db")
    put(first, event(1))
    first.close()
    second = Record.open(tmp_path / "new" / "record.db")
    assert put(second, event(1), event(2)) == [Outcome.DUPLICATE, Outcome.ACCEPTED]
    assert second.last_seq() == 2
    second.close()


def item(number: int, **more) -> Item:
    return Item(item_id=f"item-{1000 + number}", **{"kind": Kind.PRODUCT, "title": "粥"} | more)


def full_item() -> Item:
    return item(
        1,
        kind=Kind.VIDEO,
        tags=("辅食",),
        category=("母婴", "辅食"),
        price_minor=0,
        available=False,
        stock=3,
        published_at=NOW,
        expires_at=NOW,
        cards=("item-2",),
        duration_s=9.5,
        durable=False,
        attributes={"色": "红"},
        audience=("new",),
        campaigns=("618",),
    )


@pytest.mark.parametrize("one", [item(1), full_item()])
def test_an_item_is_read_back_as_it_was(record, one):
    record.put_items([one], at=NOW)
    assert list(record.items()) == [one]
    assert item_of(one.item_id, item_body(one)) == one


def test_only_changed_items_get_a_new_version(record):
    assert record.put_items([item(1), item(2)], at=NOW) == 2
    version = record.item_version()
    assert record.put_items([item(1), item(2)], at=NOW) == 0
    assert record.item_version() == version
    assert record.put_items([item(1), item(2, title="面")], at=NOW) == 1
    assert record.item_version() > version
    assert record.changed_items(version) == [item(2, title="面")]
    assert record.changed_items(record.item_version()) == []


def test_adding_missing_items_changes_none_that_is_known(record):
    record.put_items([item(1)], at=NOW)
    assert record.add_missing_items([item(1, title=""), item(2, title="")], at=NOW) == 1
    assert list(record.items()) == [item(1), item(2, title="")]


def test_many_items_go_in_several_transactions(record):
    assert record.put_items((item(n) for n in range(4_500)), at=NOW) == 4_500
    assert len(list(record.items())) == 4_500
    assert record.item_version() == 3


def test_an_item_that_no_json_can_hold_is_refused():
    with pytest.raises(InvalidItem, match="item item-1001 cannot be written as JSON"):
        item_body(item(1, title="\ud800"))


def test_a_served_list_is_read_back_as_it_was(record):
    guest = served_list("list-2", user_id=None)
    record.put_served([served_list(), guest])
    assert record.served("list-1") == served_list()
    assert record.served("list-2") == guest
    assert record.served("list-3") is None


def test_a_list_id_used_twice_keeps_the_first(record):
    record.put_served([served_list()])
    record.put_served([served_list(scene="cart")])
    assert record.served("list-1").scene == "home"


def test_lists_served_last_come_first(record):
    lists = [served_list(f"list-{n}") for n in range(4)]
    record.put_served(lists)
    assert record.newest_served(3) == lists[:0:-1]


def test_a_score_of_numpy_can_be_served(record):
    place = ServedItem(**{**vars_of(served_list().items[0]), "score": np.float64(0.5)})
    assert served_of(served_row(served_list(items=(place,))).body).items[0].score == 0.5


def vars_of(place: ServedItem) -> dict[str, object]:
    return {name: getattr(place, name) for name in ServedItem.__slots__}


def test_a_list_that_no_json_can_hold_is_refused():
    with pytest.raises(InvalidInput, match="list 'list-1' cannot be written as JSON"):
        served_row(served_list(scene="\ud800"))


def test_quarantine_keeps_the_newest(record):
    rows = [(b'{"at": "1970"}', "late", f"reason {n}") for n in range(5)]
    record.quarantine(rows[:3], at=NOW, keep=3)
    record.quarantine(rows[3:], at=NOW, keep=3)
    record.quarantine([], at=NOW)
    kept = record.quarantined(10)
    assert [row.detail for row in kept] == ["reason 4", "reason 3", "reason 2"]
    assert kept[0][:3] == (NOW, b'{"at": "1970"}', "late")
    assert len(record.quarantined(1)) == 1


def test_a_quarantined_reason_may_quote_anything(record):
    record.quarantine([(b"\xff", "invalid_event", "got '\ud800'")], at=NOW)
    assert record.quarantined(1)[0].detail == "got '\\ud800'"


@given(
    play_s=st.none() | st.floats(0, 86_400) | st.integers(0, 86_400),
    quantity=st.none() | st.integers(1, 1_000_000),
    at=st.none() | st.datetimes(datetime(2000, 1, 2), datetime(2099, 1, 1)),
    props=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
)
def test_a_row_gives_back_any_event(play_s, quantity, at, props):
    at = at and at.replace(tzinfo=UTC)
    one = event(1, play_s=play_s, quantity=quantity, at=at, props=props)
    assert event_of(event_row(one)).body() == one.body()
