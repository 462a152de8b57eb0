import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.models.orders import Orders
from recsys.models.repurchase import MIN_SPREAD, Rhythm, Shelf
from tests.recsys.models.planted_acts import NOW_MS, ordered, rows_of

RICE, SOAP, LAMP = range(3)
N = 3
NO_CATEGORY = np.zeros(N, dtype=np.int32)


def orders_of(*persons) -> Orders:
    return Orders.of(rows_of(list(persons), N), may_be_likings=False)


def bought_every(days: float, item: int, *, times: int, last: float):
    """Orders of an item at even intervals, the last one so many days ago."""
    ago = [last + days * (times - 1 - number) for number in range(times)]
    return [act for days_ago in ago for act in ordered(days_ago, item)]


def learned(*, may_count_days: bool = True) -> Rhythm:
    """Rice comes back every 30 days, soap every 10, a lamp never; as many people buy each."""
    people = [bought_every(30, RICE, times=6, last=n % 30) for n in range(40)]
    people += [bought_every(10, SOAP, times=6, last=n % 10) for n in range(40)]
    people += [ordered(200 + n, LAMP) for n in range(40)]
    return Rhythm.fit(orders_of(*people), NOW_MS, NO_CATEGORY, may_count_days=may_count_days)


def chances(rhythm: Rhythm, *acts, within: float = 5.0) -> dict[int, float]:
    shelf = rhythm.shelf(orders_of([act for one in acts for act in one]), NOW_MS)
    return dict(zip(shelf.items.tolist(), rhythm.chances(shelf, within).tolist(), strict=True))


def chance_after(rhythm: Rhythm, days: float, item: int = RICE) -> float:
    return chances(rhythm, ordered(days, item))[item]


def test_a_shelf_by_days():
    shelf = Shelf.of(
        orders_of(bought_every(7, SOAP, times=3, last=2), ordered(4, RICE)), NOW_MS, by_days=True
    )
    assert shelf.persons.tolist() == [0, 1]
    assert shelf.items.tolist() == [SOAP, RICE]
    assert shelf.n_bought.tolist() == [3, 1]
    assert shelf.waited == pytest.approx([2, 4])
    assert shelf.log_gaps == pytest.approx([2 * np.log(7), 0])


def test_a_shelf_by_baskets():
    person = ordered(9, SOAP, RICE) + ordered(5, RICE) + ordered(4, SOAP) + ordered(2, LAMP)
    shelf = Shelf.of(orders_of(person), NOW_MS, by_days=False)
    # The next basket has number 4; soap had 2, and 0 before, rice had 1 after 0.
    assert dict(zip(shelf.items.tolist(), shelf.waited.tolist(), strict=True)) == {
        RICE: 2.5,
        SOAP: 1.5,
        LAMP: 0.5,
    }
    assert shelf.log_gaps == pytest.approx([0, np.log(2), 0])


def test_orders_of_unknown_time_are_left_out_of_a_shelf_by_days():
    mixed = ordered(None, SOAP) + ordered(3, RICE)
    assert Shelf.of(orders_of(mixed), NOW_MS, by_days=True).items.tolist() == [RICE]


def test_the_interval_of_each_item_is_found():
    rhythm = learned()
    assert np.exp(rhythm.log_gap[[RICE, SOAP]]) == pytest.approx([30, 10], rel=0.05)
    assert rhythm.spread[0] == MIN_SPREAD


def test_what_is_bought_once_hardly_comes_back():
    rhythm = learned()
    assert rhythm.returns[LAMP] < 0.4
    # Everybody's latest purchase may yet be followed by another one.
    assert rhythm.returns[RICE] > 0.9


def test_a_product_of_thirty_days_is_due_at_day_thirty_and_not_at_day_five():
    rhythm = learned()
    assert chance_after(rhythm, 5) < 0.01
    assert chance_after(rhythm, 28) > 0.3
    assert chance_after(rhythm, 28) > 20 * chance_after(rhythm, 5)


def test_who_did_not_come_back_for_long_is_given_up():
    rhythm = learned()
    assert chance_after(rhythm, 300) < 0.5 * chance_after(rhythm, 28)


def test_of_two_products_the_one_that_is_due_comes_first():
    found = chances(learned(), ordered(9, RICE, SOAP))
    assert found[SOAP] > 10 * found[RICE]


def test_a_person_with_a_faster_rhythm_of_their_own_is_due_earlier():
    rhythm = learned()
    fast = bought_every(12, RICE, times=8, last=11)
    assert chances(rhythm, fast)[RICE] > 3 * chance_after(rhythm, 11)


def test_the_tempo_with_other_products_counts_as_well():
    rhythm = learned()
    hurried = bought_every(4, SOAP, times=12, last=1)
    usual = bought_every(10, SOAP, times=12, last=1)
    rice = ordered(18, RICE)
    assert chances(rhythm, hurried, rice)[RICE] > 1.5 * chances(rhythm, usual, rice)[RICE]


def test_a_product_seen_rarely_takes_the_interval_of_its_category():
    category = np.array([1, 2, 1], dtype=np.int32)
    people = [bought_every(60, RICE, times=4, last=n) for n in range(30)]
    people += [bought_every(7, SOAP, times=4, last=n) for n in range(30)]
    people += [bought_every(20, LAMP, times=2, last=3)]
    rhythm = Rhythm.fit(orders_of(*people), NOW_MS, category, may_count_days=True)
    # One interval of 20 days against a category of 60: nearer to the category than all of it.
    assert 35 < np.exp(rhythm.log_gap[LAMP]) < 60


def test_intervals_are_in_baskets_where_days_are_not_known_or_not_asked_for():
    undated = [ordered(None, RICE, order=n) for n in range(1, 5)]
    known = Rhythm.fit(
        orders_of([act for one in undated for act in one]), 0, NO_CATEGORY, may_count_days=True
    )
    assert not known.by_days[0]
    assert not learned(may_count_days=False).by_days[0]
    assert np.exp(known.log_gap[RICE]) == pytest.approx(1)


def test_nothing_bought_is_no_error():
    rhythm = Rhythm.fit(orders_of(), 0, NO_CATEGORY, may_count_days=True)
    assert rhythm.returns.tolist() == [0, 0, 0]
    assert len(rhythm.chances(rhythm.shelf(orders_of(), 0), 1.0)) == 0
    nothing = np.empty(0, dtype=np.int32)
    nobody = Orders.of(rows_of([], 0), may_be_likings=True)
    assert len(Rhythm.fit(nobody, 0, nothing, may_count_days=True).returns) == 0


PEOPLE = st.lists(
    st.lists(st.tuples(st.floats(0, 400), st.integers(0, N - 1)), max_size=8), max_size=5
)


@given(PEOPLE, st.booleans(), st.floats(0.1, 400))
def test_chances_are_chances_whatever_was_bought(people, may_count_days, within):
    acts = [
        [act for days, item in sorted(bought, reverse=True) for act in ordered(days, item)]
        for bought in people
    ]
    orders = orders_of(*acts)
    rhythm = Rhythm.fit(orders, NOW_MS, NO_CATEGORY, may_count_days=may_count_days)
    found = rhythm.chances(rhythm.shelf(orders, NOW_MS), within)
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()
