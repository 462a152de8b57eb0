from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys.events import EventType
from recsys.histories import UNDATED, Histories, History, event_value, order_key
from tests.planted import NOW, event


def at_day(day, item_idx, type=EventType.ORDER, **more):
    return item_idx, event(f"item-{item_idx}", type, at=NOW + timedelta(days=day), **more)


def test_events_come_in_time_order_undated_first():
    history = History.of(
        [at_day(2, 20), at_day(1, 10), (5, event("item-5", EventType.PLAY, at=None))]
    )
    assert history.item.tolist() == [5, 10, 20]
    assert history.at_ms[0] == UNDATED


def far(day):
    return 4 * 10**12 + day


def test_refund_takes_back_the_latest_order_of_its_item():
    history = History.of(
        [at_day(1, 10), at_day(2, 10), at_day(3, 20), at_day(4, 10, EventType.REFUND)]
    )
    assert history.undone(far(0)).tolist() == [False, True, False, False]


def test_refund_that_names_an_order_takes_back_that_one():
    history = History.of(
        [
            at_day(1, 10, order_id="order-1"),
            at_day(2, 10, order_id="order-2"),
            at_day(3, 10, EventType.REFUND, order_id="order-1"),
        ]
    )
    assert history.undone(far(0)).tolist() == [True, False, False]


def test_refund_of_fewer_pieces_takes_nothing_back():
    history = History.of([at_day(1, 10, quantity=3), at_day(2, 10, EventType.REFUND, quantity=1)])
    assert not history.undone(far(0)).any()


def test_refund_of_the_future_is_not_known_yet():
    history = History.of([at_day(1, 10), at_day(9, 10, EventType.REFUND)])
    assert not history.undone(int(history.at_ms[0])).any()


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.integers(0, 3),
        st.sampled_from([EventType.ORDER, EventType.REFUND, EventType.VIEW]),
    ),
    max_size=12,
)


@given(st.lists(EVENTS, max_size=5))
def test_many_persons_are_each_person_alone(persons):
    alone = [History.of([at_day(*said) for said in events]) for events in persons]
    together = Histories.of(alone)
    assert len(together) == len(persons)
    undone = together.undone(far(0))
    assert undone.tolist() == [flag for one in alone for flag in one.undone(far(0))]
    kept = together.keeping(~undone)
    for user_idx, one in enumerate(alone):
        expected = one.take(~one.undone(far(0)))
        assert kept.of_person(user_idx).item.tolist() == expected.item.tolist()


def test_persons_names_the_owner_of_each_event():
    together = Histories.of([History.of([at_day(1, 1), at_day(2, 2)]), History.empty()])
    assert together.persons().tolist() == [0, 0]


def test_merging_keeps_time_order():
    early, late = History.of([at_day(3, 30)]), History.of([at_day(1, 10), at_day(5, 50)])
    assert early.merged(late).item.tolist() == [10, 30, 50]
    assert early.merged(History.empty()) is early
    assert late.of_types(EventType.VIEW).item.tolist() == []


def test_value_is_what_the_event_is_about():
    assert event_value(event("a", EventType.PLAY, play_s=3.0, dwell_s=9.0)) == 3.0
    assert event_value(event("a", EventType.ORDER, quantity=2)) == 2.0
    assert event_value(event("a", EventType.VIEW, dwell_s=9.0)) == 9.0
    assert np.isnan(event_value(event("a", EventType.LIKE)))
    assert order_key(None) == 0
    assert order_key("order-1") not in (0, order_key("order-2"))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.integers(0, 3),
            st.sampled_from([EventType.ORDER, EventType.REFUND, EventType.VIEW]),
        ),
        max_size=12,
    ),
    st.lists(st.integers(0, 6), min_size=1, max_size=4),
)
def test_what_stands_is_what_no_refund_took_back_however_often_one_asks(acts, days):
    history = History.of([at_day(day, idx, type) for day, idx, type in acts])
    for day in days:
        as_of_ms = int((NOW + timedelta(days=day)).timestamp() * 1_000)
        kept = history.standing(as_of_ms)
        wanted = history.take(~history.undone(as_of_ms))
        assert (kept.item.tolist(), kept.type.tolist()) == (
            wanted.item.tolist(),
            wanted.type.tolist(),
        )
