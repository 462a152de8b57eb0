import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from recsys.catalog import Kind
from recsys.interactions import Row
from recsys.links import spans
from recsys.models.base import Ranking
from recsys.models.lists import ListsByKind, ScoredLists, Sums

# Key 0 → items 3, 1; key 1 → nothing; key 2 → items 1, 4.
MATRIX = csr_array(
    np.array([[0, 0.5, 0, 0.9, 0], [0, 0, 0, 0, 0], [0, 0.8, -1, 0, 0.2]], dtype=np.float32)
)
LISTS = ScoredLists.of_matrix(MATRIX, 5)
NONE = ScoredLists.of([Ranking.none()] * 3)


def keys(*items):
    return np.array(items, dtype=np.int32)


def row(items, weights):
    return Row(np.array(items, dtype=np.int32), np.array(weights, dtype=np.float32))


def test_each_list_is_best_first_and_holds_no_negative():
    assert LISTS.offsets.tolist() == [0, 2, 2, 4]
    assert LISTS.items.tolist() == [3, 1, 1, 4]


def test_lists_are_cut_at_k():
    assert ScoredLists.of_matrix(MATRIX, 1).items.tolist() == [3, 1]


def test_columns_may_have_names():
    names = np.array([10, 11, 12, 13, 14], dtype=np.int32)
    assert ScoredLists.of_matrix(MATRIX, 5, names).items.tolist() == [13, 11, 11, 14]


def test_spans_cover_keys_in_the_order_asked():
    at, lengths = spans(LISTS.offsets, np.array([2, 1, 0]))
    assert at.tolist() == [2, 3, 0, 1]
    assert lengths.tolist() == [2, 0, 2]


def test_sums_over_lists_by_hand():
    items, values = LISTS.summed(keys(0, 2), np.array([2.0, 10.0], dtype=np.float32))
    assert items.tolist() == [1, 3, 4]
    # 1: 2 · 0.5 + 10 · 0.8; 3: 2 · 0.9; 4: 10 · 0.2
    np.testing.assert_allclose(values, [9.0, 1.8, 2.0], rtol=1e-6)


def test_a_pool_holds_each_item_once():
    assert sorted(LISTS.pool(keys(0, 2)).tolist()) == [1, 3, 4]
    assert LISTS.pool(keys(1)).tolist() == []


def test_what_is_disliked_pulls_down_and_out():
    lists = ListsByKind(LISTS, NONE)
    found = lists.ranking(row([0, 2], [1, -1]), 5, None)
    # 1: 0.5 − 0.8 < 0; 4: −0.2 < 0
    assert found.items.tolist() == [3]


@pytest.mark.parametrize(("kind", "items"), [(Kind.PRODUCT, [3, 1]), (Kind.VIDEO, [])])
def test_each_kind_has_its_own_lists(kind, items):
    lists = ListsByKind(LISTS, NONE)
    assert lists.ranking(row([0], [1]), 5, kind).items.tolist() == items


def test_the_strongest_key_is_the_largest_part():
    lists = ListsByKind(LISTS, NONE)
    assert lists.strongest_keys(row([0, 2], [1, 1]), np.array([1])) == [2]
    assert lists.strongest_keys(row([0, 2], [2, 1]), np.array([1])) == [0]
    assert lists.strongest_keys(row([0, 2], [1, -1]), np.array([1])) == [0]
    assert lists.strongest_keys(row([0], [1]), np.array([4])) == [None]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-5, 5)), max_size=40))
def test_sums_are_those_of_a_dictionary(entries):
    wanted: dict[int, int] = {}
    for item, value in entries:
        wanted[item] = wanted.get(item, 0) + value
    items = np.array([item for item, _ in entries], dtype=np.int32)
    sums = Sums.of(items, np.array([value for _, value in entries], dtype=np.float32))
    found, values = sums.ascending()
    assert dict(zip(found.tolist(), values.tolist(), strict=True)) == wanted
    assert (np.diff(found) > 0).all()
