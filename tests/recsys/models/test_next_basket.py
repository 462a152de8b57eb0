import numpy as np
import pytest

from recsys.catalog import Catalog
from recsys.models.base import Because
from recsys.models.next_basket import NextBasket
from tests.planted import item
from tests.recsys.models.planted_acts import ordered, rows_of, viewed

RICE, SOAP, LAMP, BULB, TEA, CUP = range(6)
N = 8
CATALOG = Catalog.of([item(n) for n in range(N)])


def shop():
    """Rice every 30 days, soap every 10; a lamp leads to a bulb; tea goes with a cup."""
    people = []
    for n in range(30):
        people.append([a for back in (95, 65, 35, 5) for a in ordered(back + n % 5, RICE)])
        people.append([a for back in (33, 23, 13, 3) for a in ordered(back + n % 5, SOAP)])
        people.append(ordered(40 + n, LAMP) + ordered(20 + n, BULB))
        people.append(ordered(20 + n, TEA, CUP))
    return rows_of(people, N)


def fitted(**parameters) -> NextBasket:
    return NextBasket(**{"shrinkage": 1.0} | parameters).fit(shop(), CATALOG)


def row_of(*acts):
    return rows_of([[act for one in acts for act in one]], N)[0]


def found(model: NextBasket, *acts) -> list[int]:
    return model.candidates(row_of(*acts), 10, None).items.tolist()


def test_what_people_buy_again_comes_first():
    assert found(fitted(), ordered(5, RICE, LAMP))[:2] == [RICE, BULB]


def test_what_follows_an_earlier_order_is_found():
    assert found(fitted(), ordered(5, LAMP))[0] == BULB


def test_followers_are_directed():
    model = fitted(together=0.0)
    assert LAMP not in found(model, ordered(5, BULB))


def test_who_has_one_basket_gets_what_goes_with_it():
    assert CUP in found(fitted(), ordered(5, TEA))
    assert CUP not in found(fitted(together=0.0), ordered(5, TEA))


def test_within_some_days_only_what_is_due():
    model = fitted(horizon_days=3.0)
    assert found(model, ordered(9, RICE, SOAP))[0] == SOAP
    assert found(model, ordered(29, RICE))[0] == RICE
    early, due = (
        model.score_of(row_of(ordered(days, RICE)), np.array([RICE]))[0] for days in (5, 29)
    )
    assert early < 0.05 * due


def test_without_others_only_own_items():
    model = fitted(others=0.0)
    assert set(found(model, ordered(9, RICE), ordered(5, LAMP))) <= {RICE, LAMP}


def test_later_baskets_count_more():
    row = row_of(ordered(9, TEA), ordered(5, LAMP))
    scores = fitted().score_of(row, np.array([BULB, CUP]))
    assert scores[0] > scores[1]


def test_the_share_of_followers_by_hand():
    model = fitted(together=0.0, others=1.0, shrinkage=0.0)
    # Every lamp was followed by a bulb, in baskets of one; the sum of weights is 1.
    row = row_of(ordered(5, LAMP))
    assert model.score_of(row, np.array([BULB]))[0] == pytest.approx(1.0)


def test_reasons_name_the_item_itself_or_the_one_it_follows():
    row = row_of(ordered(10, RICE), ordered(5, LAMP))
    wanted = [Because(item_idx=RICE), Because(item_idx=LAMP), None]
    assert fitted().because(row, np.array([RICE, BULB, 7])) == wanted


def test_views_are_no_orders_where_anybody_ordered():
    assert found(fitted(), viewed(RICE)) == []


def test_score_and_candidates_agree_with_acts():
    model, rows = fitted(), shop()
    dense = model.score(rows)
    for person in range(0, len(rows), 17):
        best = model.candidates(rows[person], N, None)
        np.testing.assert_allclose(best.scores, dense[person, best.items], rtol=1e-5)


LASTS_NOT = np.zeros(N, dtype=np.bool_)


def resting(model: NextBasket, *acts, least: float = 0.2) -> list[int]:
    return model.resting(row_of(*acts), LASTS_NOT, least).tolist()


def test_what_was_just_bought_rests_for_half_its_own_interval():
    model = fitted(horizon_days=3.0)
    assert resting(model, ordered(2, RICE, SOAP)) == [RICE, SOAP]
    assert resting(model, ordered(10, RICE, SOAP)) == [RICE]
    assert resting(model, ordered(20, RICE)) == []
    assert model.resting(row_of(ordered(2, RICE)), ~LASTS_NOT, 0.2).tolist() == []


def test_what_somebody_buys_faster_than_others_does_not_rest():
    model = fitted(horizon_days=3.0)
    quick = [ordered(10 + 10 * n, RICE) for n in reversed(range(9))]
    assert resting(model, *quick) == []
    assert resting(model, *quick, least=1.1) == [RICE]


def test_nothing_rests_where_intervals_are_counted_in_orders():
    assert resting(fitted(), ordered(2, RICE)) == []
