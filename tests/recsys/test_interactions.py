from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog import Catalog, Kind
from recsys.events import EventType, millis
from recsys.histories import Histories, History
from recsys.interactions import EVENT_WEIGHTS, Row, Rows, Taste, Weighting
from recsys.watching import WatchCurve
from tests.planted import NOW, event, item

CATALOG = Catalog.of(
    [item(0), item(1), item(2, Kind.VIDEO, duration_s=10.0), item(3, Kind.VIDEO, duration_s=600.0)]
)
AS_OF_MS = millis(NOW)


def taste(**said) -> Taste:
    weighting = Weighting(watch=WatchCurve.prior(), **said)
    return Taste(weighting=weighting, video_s=CATALOG.duration_s)


def did(idx: int, type: EventType, *, days_ago: float = 0, undated: bool = False, **more):
    at = None if undated else NOW - timedelta(days=days_ago)
    return idx, event(f"item-{1000 + idx}", type, at=at, **more)


def weights_of(*events, **said) -> dict[int, float]:
    row = taste(**said).row(History.of(list(events)), AS_OF_MS)
    return dict(zip(row.items.tolist(), row.weights.tolist(), strict=True))


def test_a_row_holds_each_item_once_ascending():
    weights = weights_of(
        did(1, EventType.VIEW), did(0, EventType.CART), did(1, EventType.VIEW), half_life_days=0.0
    )
    assert list(weights) == [0, 1]
    assert weights[1] == 2 * EVENT_WEIGHTS[EventType.VIEW]


def test_an_impression_says_nothing():
    assert weights_of(did(0, EventType.IMPRESSION)) == {}


def test_a_refund_undoes_its_order():
    ordered = did(0, EventType.ORDER, order_id="order-1", days_ago=2)
    refunded = did(0, EventType.REFUND, order_id="order-1", days_ago=1)
    viewed = did(0, EventType.VIEW, days_ago=0)
    assert weights_of(ordered, refunded) == {}
    assert weights_of(ordered, refunded, viewed) == weights_of(viewed)


def test_a_refund_to_come_undoes_nothing_yet():
    ordered = did(0, EventType.ORDER, days_ago=1)
    assert weights_of(ordered, did(0, EventType.REFUND, days_ago=-1)) == weights_of(ordered)


def test_a_dislike_speaks_against():
    assert weights_of(did(0, EventType.DISLIKE))[0] < 0
    assert weights_of(did(0, EventType.VIEW), did(0, EventType.DISLIKE))[0] < 0


@pytest.mark.parametrize(("days_ago", "share"), [(0, 1), (30, 0.5), (60, 0.25), (90, 0.125)])
def test_the_half_life_is_exact(days_ago, share):
    said = {"half_life_days": 30.0}
    now = weights_of(did(0, EventType.ORDER), **said)[0]
    assert weights_of(did(0, EventType.ORDER, days_ago=days_ago), **said)[0] == now * share


def test_without_half_life_nothing_decays():
    assert weights_of(did(0, EventType.ORDER, days_ago=900), half_life_days=0.0) == {
        0: EVENT_WEIGHTS[EventType.ORDER]
    }


def test_an_undated_event_never_decays():
    undated = weights_of(did(0, EventType.VIEW, undated=True), half_life_days=1.0)
    assert undated == {0: EVENT_WEIGHTS[EventType.VIEW]}


@pytest.mark.parametrize("half_life_days", [0.0, 30.0])
def test_an_event_to_come_counts_nothing(half_life_days):
    later = did(0, EventType.ORDER, days_ago=-0.001)
    assert weights_of(later, half_life_days=half_life_days) == {}


def test_a_whole_clip_counts_less_than_a_whole_long_video():
    clip = weights_of(did(2, EventType.PLAY, play_s=10.0, duration_s=10.0))[2]
    long_video = weights_of(did(3, EventType.PLAY, play_s=600.0, duration_s=600.0))[3]
    assert clip < long_video


def test_a_play_that_does_not_say_its_length_has_the_catalogues():
    said = weights_of(did(3, EventType.PLAY, play_s=60.0, duration_s=600.0))
    assert weights_of(did(3, EventType.PLAY, play_s=60.0)) == said


def test_only_some_types_may_count():
    bought = Weighting(watch=WatchCurve.prior()).only(frozenset({EventType.ORDER}))
    row = Taste(weighting=bought, video_s=CATALOG.duration_s).row(
        History.of([did(0, EventType.VIEW), did(1, EventType.ORDER)]), AS_OF_MS
    )
    assert row.items.tolist() == [1]


@pytest.mark.parametrize(("n", "items"), [(1, [1]), (2, [1, 3]), (9, [0, 1, 3])])
def test_the_strongest_items_by_size_of_weight(n, items):
    row = Row(np.array([0, 1, 3], dtype=np.int32), np.array([1, -5, 2], dtype=np.float32))
    assert row.strongest(n).items.tolist() == items


def test_rows_give_back_each_row_and_a_matrix():
    one = Row(np.array([0, 2], dtype=np.int32), np.array([1, -1], dtype=np.float32))
    none = Row(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32))
    rows = Rows.of([one, none, one], 3)
    assert [len(rows[p]) for p in range(3)] == [2, 0, 2]
    assert rows.csr().toarray().tolist() == [[1, 0, -1], [0, 0, 0], [1, 0, -1]]


ACTS = st.lists(
    st.builds(
        did,
        st.integers(0, 3),
        st.sampled_from(EventType),
        days_ago=st.integers(-2, 200),
        undated=st.booleans(),
        order_id=st.sampled_from([None, "order-1", "order-2"]),
    ),
    max_size=12,
)


@given(people=st.lists(ACTS, max_size=4))
def test_one_row_is_the_row_of_all(people):
    histories = [History.of(acts) for acts in people]
    together = taste().rows(Histories.of(histories), AS_OF_MS)
    assert len(together) == len(people)
    for person, history in enumerate(histories):
        alone = taste().row(history, AS_OF_MS)
        np.testing.assert_array_equal(together[person].items, alone.items)
        np.testing.assert_allclose(together[person].weights, alone.weights, rtol=1e-6)


def test_work_on_a_row_is_done_once_a_key():
    row, done = Row(np.array([1], dtype=np.int32), np.ones(1, dtype=np.float32)), []
    for key in ("a", "a", "b"):
        assert row.once(key, lambda: done.append(1) or len(done)) == (2 if key == "b" else 1)
    assert len(done) == 2


FIVE_ITEMS = Taste(
    weighting=Weighting(watch=WatchCurve.prior()), video_s=np.full(5, np.nan, dtype=np.float32)
)


def acts_of(*said: tuple[int, EventType]) -> History:
    """Undated events of one person, in this order."""
    return History.of([(item, event(f"item-{item}", kind, at=None)) for item, kind in said])


WATCHED_THEN_BOUGHT = acts_of(
    (3, EventType.VIEW), (1, EventType.ORDER), (3, EventType.ORDER), (2, EventType.IMPRESSION)
)


def test_a_row_of_some_types_is_that_of_their_events_alone():
    row = FIVE_ITEMS.row(WATCHED_THEN_BOUGHT, 0)
    assert dict(zip(row.items.tolist(), row.weights.tolist(), strict=True)) == {1: 8, 3: 9}
    viewed = row.only(frozenset({EventType.VIEW}))
    assert (viewed.items.tolist(), viewed.weights.tolist()) == ([3], [1])
    assert row.strongest(1).only(frozenset({EventType.ORDER})).items.tolist() == [1, 3]


def test_rows_of_some_types_are_those_of_each_row():
    histories = [WATCHED_THEN_BOUGHT, History.empty(), acts_of((4, EventType.VIEW))]
    rows, types = FIVE_ITEMS.rows(Histories.of(histories), 0), frozenset({EventType.VIEW})
    some = rows.only(types)
    assert len(some) == 3
    for person in range(3):
        for row in (
            rows[person].only(types),
            Rows.of([rows[p] for p in range(3)], 5).only(types)[person],
        ):
            assert some[person].items.tolist() == row.items.tolist()
            assert some[person].weights.tolist() == row.weights.tolist()


def test_steps_count_the_items_turned_to_since():
    row = FIVE_ITEMS.row(acts_of(*((i, EventType.VIEW) for i in (2, 4, 0, 4))), 0)
    assert dict(zip(row.items.tolist(), row.steps().tolist(), strict=True)) == {4: 0, 0: 1, 2: 2}
    assert FIVE_ITEMS.row(WATCHED_THEN_BOUGHT, 0).steps().tolist() == [1, 0]


def test_a_row_of_unknown_making_stands_for_every_type():
    row = Row(np.array([1, 2], dtype=np.int32), np.ones(2, dtype=np.float32))
    assert row.only(frozenset({EventType.ORDER})) is row
    assert row.steps().tolist() == [0, 0]


def weights_now(*events, visit: float = 2.0) -> list[float]:
    row = taste(visit=visit, half_life_days=0.0).row_now(History.of(list(events)), AS_OF_MS)
    return row.weights.tolist()


def test_what_was_done_in_the_last_visit_counts_more_in_a_list():
    long_ago, half, last = (
        did(idx, EventType.VIEW, days_ago=days) for idx, days in ((0, 30), (1, 1.125), (3, 1))
    )
    assert weights_now(long_ago, half, last) == pytest.approx([1, 2, 3], abs=1e-3)
    assert weights_now(long_ago, half, last, visit=0.0) == [1, 1, 1]


def test_the_last_visit_is_that_of_acts_that_say_something():
    seen = did(3, EventType.IMPRESSION)
    assert weights_now(did(0, EventType.VIEW, days_ago=9), seen) == [3]
    assert weights_now(did(0, EventType.VIEW, undated=True), did(1, EventType.VIEW)) == [1, 3]


def test_others_learn_as_much_of_who_came_last_as_of_anybody():
    acts = [did(0, EventType.VIEW, days_ago=30), did(1, EventType.VIEW)]
    together = taste(half_life_days=0.0).rows(Histories.of([History.of(acts)]), AS_OF_MS)
    assert together.weights.tolist() == [1, 1]


def test_who_reads_a_note_watches_it():
    catalog = Catalog.of([item(0, Kind.VIDEO, duration_s=0.0), item(1)])
    reading = Taste(weighting=Weighting(watch=WatchCurve.prior()), video_s=catalog.duration_s)

    def weight(idx: int, dwell_s: float | None) -> float:
        act = did(idx, EventType.VIEW, dwell_s=dwell_s)
        return float(reading.row(History.of([act]), AS_OF_MS).weights[0])

    assert weight(0, 60.0) == pytest.approx(EVENT_WEIGHTS[EventType.PLAY], rel=0.1)
    assert weight(0, 1.0) < weight(0, None) == weight(1, 60.0) == EVENT_WEIGHTS[EventType.VIEW]
