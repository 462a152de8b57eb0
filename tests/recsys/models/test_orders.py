import numpy as np

from recsys.histories import UNDATED
from recsys.interactions import Row, Rows
from recsys.models.orders import Orders, has_orders
from tests.recsys.models.planted_acts import NOW_MS, ordered, rows_of, viewed

N = 6


def baskets_of(*persons, may_be_likings=False) -> list[tuple[int, list[int]]]:
    """Person and items of each basket."""
    orders = Orders.of(rows_of(list(persons), N), may_be_likings=may_be_likings)
    ends = zip(orders.offsets, orders.offsets[1:], strict=False)
    return [
        (int(person), orders.items[start:end].tolist())
        for person, (start, end) in zip(orders.persons, ends, strict=True)
    ]


def test_a_basket_is_an_order_with_each_item_once():
    person = ordered(3, 4, 1, 4, order=7) + ordered(3, 2, order=8)
    assert baskets_of(person) == [(0, [1, 4]), (0, [2])]


def test_an_order_that_goes_on_after_midnight_is_one():
    assert baskets_of(ordered(2, 1, order=7) + ordered(1, 2, order=7)) == [(0, [1, 2])]


def test_without_a_number_a_day_is_a_basket():
    assert baskets_of(ordered(5, 1) + ordered(5, 2) + ordered(3, 3)) == [(0, [1, 2]), (0, [3])]


def test_what_has_neither_number_nor_time_is_one_basket():
    assert baskets_of(ordered(None, 3) + ordered(None, 1)) == [(0, [1, 3])]


def test_the_same_number_of_two_persons_is_two_orders():
    assert baskets_of(ordered(2, 1, order=7), ordered(2, 2, order=7)) == [(0, [1]), (1, [2])]


def test_only_orders_are_baskets():
    assert baskets_of(viewed(1, 2) + ordered(None, 3, order=1)) == [(0, [3])]


def test_where_nobody_ordered_what_a_person_likes_may_be_a_basket():
    people = [viewed(2, 1), viewed(), viewed(3)]
    assert baskets_of(*people) == []
    assert baskets_of(*people, may_be_likings=True) == [(0, [1, 2]), (2, [3])]
    assert not has_orders(rows_of(people, N))
    assert has_orders(rows_of([*people, ordered(1, 2)], N))


def test_where_acts_are_not_known_a_row_is_a_basket_without_what_it_dislikes():
    liked = Row(np.array([0, 2, 5], dtype=np.int32), np.array([1, -1, 2], dtype=np.float32))
    orders = Orders.of(Rows.of([liked], N), may_be_likings=False)
    assert orders.items.tolist() == [0, 5]
    assert orders.at_ms.tolist() == [UNDATED]


def test_baskets_are_in_the_order_of_time_with_their_steps():
    first = ordered(9, 1, order=20) + ordered(4, 2, order=3) + ordered(1, 5)
    orders = Orders.of(rows_of([first, ordered(2, 1)], N), may_be_likings=False)
    assert orders.items.tolist() == [1, 2, 5, 1]
    assert orders.steps().tolist() == [0, 1, 2, 0]
    assert orders.counts().tolist() == [3, 1]
    assert ((NOW_MS - orders.at_ms) // 86_400_000).tolist() == [9, 4, 1, 2]


def test_the_matrix_has_a_one_for_each_item_of_a_basket():
    matrix = Orders.of(rows_of([ordered(2, 0, 3) + ordered(1, 3)], N), may_be_likings=False).csr()
    np.testing.assert_array_equal(matrix.toarray(), [[1, 0, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0]])
