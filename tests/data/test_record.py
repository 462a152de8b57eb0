import json
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.record import Outcome, Record
from data.record_rows import event_of, event_row
from recsys.errors import ConfigError, StoreUnavailable
from recsys.events import EventType, Platform
from recsys.histories import History
from tests.data.samples import NOW, event, full_event, put


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
def test_a_row_that_is_not_what_was_written_is_left_out_and_told(record, outside, damage):
    put(record, full_event(), event(2))
    outside(f"UPDATE events SET {damage} WHERE seq = 1")
    read = record.events_of("user-5001", after_seq=0, limit=9)
    assert [e.event_id for e in read] == ["event-2"]
    assert [seq for batch in record.events_between(0, 9) for seq, _, _ in batch] == [2]
    assert record.damaged == {1}


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


def test_a_record_that_cannot_be_read_says_so(record, outside):
    outside("DROP TABLE events")
    with pytest.raises(StoreUnavailable, match="cannot be read now: .*events"):
        record.events_of("user-5001", after_seq=0, limit=1)


def test_another_schema_is_refused(record, place, outside):
    outside("UPDATE state SET value = 99 WHERE name = 'schema'")
    with pytest.raises(ConfigError, match="got version 99; this program reads 1 to 6"):
        Record.at(place)


def test_what_was_written_is_there_after_reopening(place):
    first = Record.at(place)
    put(first, event(1))
    first.close()
    second = Record.at(place)
    assert put(second, event(1), event(2)) == [Outcome.DUPLICATE, Outcome.ACCEPTED]
    assert second.last_seq() == 2
    second.close()


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
