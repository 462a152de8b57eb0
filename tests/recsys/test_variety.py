import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys import variety
from recsys.catalog import Catalog, Kind
from recsys.links import Links
from recsys.variety import Takers, Traits, at_rank, coverage, distinct, diversity, gini, mean_of
from tests.planted import item

CATALOG = Catalog.of(
    [
        item(0, tags=("户外", "运动"), category=("鞋",), creator_id="a"),
        item(1, tags=("户外",), category=("鞋",), creator_id="b"),
        item(2, tags=("咖啡",), creator_id="a"),
        item(3),
        item(4, Kind.VIDEO, tags=("户外",)),
        item(5, Kind.VIDEO, available=False),
    ]
)
TAKERS = Takers(np.array([8, 4, 1, 0, 2, 0]), 16)
TRAITS = Traits.of(CATALOG, TAKERS)


def lists(*rows):
    return Links.of(rows)


def test_novelty_by_hand():
    found = mean_of(lists([0, 1], [2, 3], []), 2, TRAITS.surprise)
    # Half of 16 persons had item 0: one bit. What nobody had counts as half a person: 5 bits.
    assert found[:2] == pytest.approx([(1 + 2) / 2, (4 + 5) / 2])
    assert np.isnan(found[2])


def test_percentile_is_within_the_kind_and_of_what_may_be_shown():
    # Products had by 8, 4, 1 and 0 persons; of the videos only one is on sale.
    assert TRAITS.percentile[:4] == pytest.approx([3.5 / 4, 2.5 / 4, 1.5 / 4, 0.5 / 4])
    assert TRAITS.percentile[4] == pytest.approx(1 / 2)
    assert mean_of(lists([0, 3]), 2, TRAITS.percentile)[0] == pytest.approx(1 / 2)


def test_what_nobody_had_is_cold_also_beyond_the_catalogue():
    assert TRAITS.is_cold(np.array([0, 3, 99])).tolist() == [False, True, True]


def test_share_of_products_and_the_product_at_a_rank():
    shown = lists([4, 0, 1], [4], [])
    assert mean_of(shown, 2, TRAITS.is_product)[:2] == pytest.approx([1 / 2, 0])
    second = at_rank(shown, 1, TRAITS.is_product)
    assert second[0] == 1
    assert np.isnan(second[1:]).all()


def test_distinct_labels_by_hand():
    found = distinct(lists([0, 1, 2], [0, 2], [3]), 3, CATALOG.creator)
    assert found[:2] == pytest.approx([2, 1])
    assert np.isnan(found[2])


def test_diversity_by_hand():
    # Items 0 and 1 share 户外 and 鞋 of three words; 2 has 咖啡, and 3 no word to compare.
    found = diversity(lists([0, 1, 2, 3], [0, 1], [3, 2]), 4, TRAITS.words)
    assert found[0] == pytest.approx(1 - (2 / 3 + 0 + 0) / 3)
    assert found[1] == pytest.approx(1 / 3)
    assert np.isnan(found[2])


def test_diversity_of_a_beginning_is_of_that_beginning():
    assert diversity(lists([0, 1, 2]), 2, TRAITS.words)[0] == pytest.approx(1 / 3)


def test_pairs_in_small_portions_give_the_same(monkeypatch):
    shown = lists(*[[n % 3, 4, (n + 1) % 3] for n in range(7)])
    whole = diversity(shown, 3, TRAITS.words)
    monkeypatch.setattr(variety, "PAIRS_AT_ONCE", 4)
    assert diversity(shown, 3, TRAITS.words) == pytest.approx(whole)


def test_coverage_by_hand():
    estimate = coverage(lists([1, 2, 9], [2, 3, 8], [2, 1, 7]), 2, 10)
    assert (estimate.mean, estimate.n) == (pytest.approx(3 / 10), 3)
    # Only the second person holds an item of their own (3): without them 2 of 10 are shown.
    left_out = np.array([0, 0.1, 0])
    error = (2 / 3 * ((left_out - left_out.mean()) ** 2).sum()) ** 0.5
    assert estimate.high - estimate.mean == pytest.approx(4.30265 * error, rel=1e-5)


@pytest.mark.parametrize(("rows", "n_items"), [([], 10), ([[1]], 0)])
def test_coverage_of_nothing_is_unknown(rows, n_items):
    assert np.isnan(coverage(lists(*rows), 5, n_items).mean)


def test_coverage_of_one_person_has_no_interval():
    estimate = coverage(lists([1, 2]), 5, 10)
    assert estimate.mean == pytest.approx(0.2)
    assert np.isnan(estimate.low)


@pytest.mark.parametrize(
    ("rows", "share"),
    [
        ([[0, 1], [2, 3]], 0),
        ([[0], [0]], 1),
        # Places 0, 1, 1, 2: (−3 × 0 − 1 × 1 + 1 × 1 + 3 × 2) / (3 × 4).
        ([[0, 1], [0, 2]], 6 / 12),
    ],
)
def test_gini_by_hand(rows, share):
    assert gini(lists(*rows), 2, np.ones(4, dtype=bool)).mean == pytest.approx(share)


@pytest.mark.parametrize(("rows", "n"), [([[0]], 1), ([[]], 4), ([], 4)])
def test_gini_of_nothing_is_unknown(rows, n):
    assert np.isnan(gini(lists(*rows), 2, np.ones(n, dtype=bool)).mean)


@given(
    st.lists(st.lists(st.integers(0, 6), unique=True, max_size=5), min_size=2, max_size=8).filter(
        lambda rows: sum(map(bool, rows)) > 1
    )
)
def test_gini_without_each_person_is_as_if_they_had_not_been_asked(rows):
    may_show = np.ones(7, dtype=bool)
    share = gini(lists(*rows), 5, may_show)
    without = [gini(lists(*rows[:n], *rows[n + 1 :]), 5, may_show).mean for n in range(len(rows))]
    plain = variety.Estimate.of_share(share.mean, share.mean - np.array(without))
    assert (share.low, share.high) == (pytest.approx(plain.low), pytest.approx(plain.high))
