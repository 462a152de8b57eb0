import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog import Catalog, Kind
from recsys.events import EventType, millis
from recsys.histories import UNDATED, Histories, History
from recsys.interactions import DAY_MS, Acts, Row, Rows
from recsys.models.base import Because
from recsys.models.trend import TasteTrend, Trend, drawn
from tests.planted import NOW, item

VIDEO, PRODUCT = Kind.VIDEO, Kind.PRODUCT
NOW_MS = millis(NOW)
# Positions 0 to 4 are products and 5 to 9 videos of one taste, 10 to 19 those of the other.
CATALOG = Catalog.of(
    [
        item(
            10 * taste + number,
            PRODUCT if number < 5 else VIDEO,
            category=(("户外", "母婴")[taste],),
        )
        for taste in range(2)
        for number in range(10)
    ]
)


def rows_of(*people: list[tuple[int, float | None]]) -> Rows:
    """Everybody's acts as (item, days ago; None for undated), each weighing 1."""
    histories, counts = [], []
    for acts in people:
        at_ms = [UNDATED if days is None else NOW_MS - round(days * DAY_MS) for _, days in acts]
        order = np.argsort(at_ms, kind="stable")
        n = len(acts)
        histories.append(
            History(
                item=np.array([one for one, _ in acts], dtype=np.int32)[order],
                type=np.full(n, EventType.VIEW, dtype=np.int8),
                at_ms=np.array(at_ms, dtype=np.int64)[order],
                value=np.full(n, np.nan, dtype=np.float32),
                duration_s=np.full(n, np.nan, dtype=np.float32),
                order=np.zeros(n, dtype=np.int64),
                platform=np.zeros(n, dtype=np.int8),
            )
        )
        counts.append(n)
    weights = np.ones(sum(counts), dtype=np.float32)
    return Rows.of_acts(Acts(Histories.of(histories), weights, NOW_MS), len(CATALOG))


def row(items, weights=None) -> Row:
    weights = np.ones(len(items)) if weights is None else weights
    return Row(np.array(items, dtype=np.int32), np.array(weights, dtype=np.float32))


# Product 0 had a hundred friends a month ago, product 1 has sixty today.
OLD_AND_NEW = [[(0, 30.0)]] * 100 + [[(1, 0.5)]] * 60


def test_what_rises_now_is_before_what_was():
    model = Trend().fit(rows_of(*OLD_AND_NEW), CATALOG)
    assert model.candidates(row([]), 5, PRODUCT).items.tolist() == [1, 0]


def test_a_few_events_are_no_trend():
    model = Trend().fit(rows_of(*[[(0, 30.0)]] * 100, *[[(1, 0.5)]] * 3), CATALOG)
    assert model.candidates(row([]), 5, PRODUCT).items.tolist() == [0, 1]


@pytest.mark.parametrize(("prior", "first"), [(1.0, 1), (1_000.0, 0)])
def test_how_many_are_a_trend_can_be_said(prior, first):
    model = Trend(prior=prior).fit(rows_of(*OLD_AND_NEW), CATALOG)
    assert model.candidates(row([]), 1, PRODUCT).items.tolist() == [first]


@pytest.mark.parametrize("days", [None, 400.0], ids=["undated", "long ago"])
def test_without_anything_recent_it_is_popularity(days):
    people = [[(0, days)]] * 3 + [[(1, days)]] * 5
    model = Trend().fit(rows_of(*people), CATALOG)
    assert model.candidates(row([]), 5, PRODUCT).items.tolist() == [1, 0]
    assert model.score_of(row([]), np.array([1, 0])) == pytest.approx([5 / 8, 3 / 8], abs=1e-3)


@given(days=st.floats(0, 60), later=st.floats(0.5, 30))
def test_the_same_events_count_less_the_older_they_are(days, later):
    def share(age):
        rows = rows_of(*[[(0, 2.0)]] * 40, *[[(1, age)]] * 40)
        return Trend().fit(rows, CATALOG).score_of(row([]), np.array([1]))[0]

    assert share(days + later) < share(days)


def test_kinds_do_not_crowd_each_other_out():
    model = Trend(n_listed=1).fit(rows_of(*OLD_AND_NEW, [(7, 0.1)]), CATALOG)
    assert model.candidates(row([]), 5, None).items.tolist() == [7, 1]


def test_it_is_true_of_everybody():
    model = Trend().fit(rows_of(*OLD_AND_NEW), CATALOG)
    assert not model.is_personal
    assert model.because(row([3]), np.array([1, 2])) == [Because(), None]


def test_shares_by_hand():
    assert drawn(np.array([9.0, 1.0]), np.array([0.0, 4.0]), 10.0) == pytest.approx([0.45, 0.55])


# Both tastes have their own old favourite, 0 and 10, and their own rising one, 1 and 11.
TASTES = [[(base, 30.0), (base + 2, 30.0), (base + 1, 0.5)] for base in (0, 10) for _ in range(40)]


@pytest.mark.parametrize(("own", "rising"), [(5, 1), (15, 11)])
def test_each_taste_has_its_own_trend(own, rising):
    model = TasteTrend().fit(rows_of(*TASTES), CATALOG)
    found = model.candidates(row([own]), 9, PRODUCT).items
    assert found[0] == rising
    assert set((found // 10).tolist()) == {own // 10}


def test_without_times_no_taste_has_a_trend():
    model = TasteTrend().fit(
        rows_of(*[[(item, None) for item, _ in acts] for acts in TASTES]), CATALOG
    )
    assert len(model.candidates(row([5]), 9, None).items) == 0
    assert np.isnan(model.score_of(row([5]), np.arange(len(CATALOG)))).all()


def test_who_has_two_tastes_gets_both_by_their_shares():
    model = TasteTrend().fit(rows_of(*TASTES), CATALOG)
    found = model.candidates(row([5, 15], [3, 1]), 9, PRODUCT).items.tolist()
    assert found.index(1) < found.index(11)


@pytest.mark.parametrize(("prior", "n_found"), [(30.0, 0), (3.0, 1)])
def test_a_few_events_are_no_trend_of_a_taste(prior, n_found):
    people = [[(1, 0.1)]] * 5 + [[(11, 0.1)]] * 60
    model = TasteTrend(prior=prior).fit(rows_of(*people), CATALOG)
    assert len(model.candidates(row([5]), 9, PRODUCT).items) == n_found
    assert len(model.candidates(row([15]), 9, PRODUCT).items) == 1


def test_a_taste_is_drawn_towards_everybody():
    """Of two things that a taste likes alike, what everybody likes is before the other."""
    few = [[(0, 0.1), (1, 0.1), (2, 0.1)]] * 20
    people = few + [[(10, 0.1), (2, 0.1)]] * 60
    model = TasteTrend().fit(rows_of(*people), CATALOG)
    scores = model.score_of(row([5]), np.array([2, 1]))
    assert scores[0] > 1.5 * scores[1]


def test_a_stranger_has_no_taste():
    model = TasteTrend().fit(rows_of(*TASTES), CATALOG)
    assert len(model.candidates(row([]), 9, None).items) == 0


def test_the_reason_is_the_own_item_of_that_taste():
    model = TasteTrend().fit(rows_of(*TASTES), CATALOG)
    found = model.because(row([5, 6, 15], [1, 2, 9]), np.array([1, 11, 4]))
    assert found == [Because(item_idx=6), Because(item_idx=15), None]


def test_tags_are_tastes_where_there_are_no_categories():
    tagged = Catalog.of([item(n, tags=(("露营", "辅食")[n // 10],)) for n in range(20)])
    model = TasteTrend().fit(rows_of(*TASTES), tagged)
    assert model.candidates(row([15]), 1, PRODUCT).items.tolist() == [11]
