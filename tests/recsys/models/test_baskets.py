import numpy as np
import pytest

from recsys.catalog import Catalog
from recsys.interactions import Row
from recsys.models.base import Because
from recsys.models.baskets import Baskets, luck
from tests.planted import item
from tests.recsys.models.planted_acts import ordered, rows_of

# A printer and its ink go together among products bought at random; everybody buys the bag.
PRINTER, INK, BAG = 0, 1, 2
N = 40
CATALOG = Catalog.of([item(n) for n in range(N)])


def shop(n_baskets: int, seed: int = 0):
    """Baskets of three random products and a bag; in every tenth a printer, mostly with ink."""
    rng = np.random.default_rng(seed)
    people = []
    for number in range(n_baskets):
        items = [BAG, *rng.choice(np.arange(3, N), 3, replace=False).tolist()]
        if number % 10 == 0:
            items += [PRINTER] + [INK] * int(rng.random() < 0.8)
        people.append(ordered(5, *items, order=1))
    return rows_of(people, N)


def fitted(n_baskets: int, **parameters) -> Baskets:
    return Baskets(**parameters).fit(shop(n_baskets), CATALOG)


def found(model: Baskets, *basket: int) -> list[int]:
    row = Row(np.array(basket, dtype=np.int32), np.ones(len(basket), dtype=np.float32))
    return model.candidates(row, 10, None).items.tolist()


def test_complements_are_found_among_noise_and_come_first():
    model = fitted(600)
    assert found(model, PRINTER)[0] == INK
    assert found(model, INK)[0] == PRINTER
    assert found(model, PRINTER, 7)[0] == INK


def test_what_is_in_every_basket_goes_with_nothing():
    model = fitted(600)
    assert BAG not in found(model, PRINTER, INK)
    assert found(model, BAG) == []


@pytest.mark.parametrize("n_baskets", [1, 5, 20])
def test_few_baskets_give_no_opinion(n_baskets):
    model = fitted(n_baskets)
    assert [found(model, one) for one in range(N)] == [[]] * N


def test_chance_alone_brings_almost_nothing():
    rng = np.random.default_rng(1)
    people = [ordered(1, *rng.choice(N, 4, replace=False).tolist()) for _ in range(2_000)]
    pairs = Baskets().fit(rows_of(people, N), CATALOG).together_.products
    # 1,560 ordered pairs, each above chance once in a thousand.
    assert len(pairs.items) <= 8


def test_a_milder_test_lets_more_pass():
    strict, mild = (fitted(100, chance=chance).together_.products for chance in (1e-3, 1.0))
    assert len(strict.items) < len(mild.items)


def test_a_pair_seen_in_too_few_baskets_is_left_out():
    assert found(fitted(600), PRINTER)
    assert found(fitted(600, min_together=500), PRINTER) == []


def test_the_excess_by_hand():
    # Six baskets of the pair and six of two others: 24 items, so Σs(s−1)/(Σs)² = 24/576.
    people = [ordered(1, 0, 1) for _ in range(6)] + [ordered(1, 2, 3) for _ in range(6)]
    model = Baskets(shrinkage=4.0, chance=0.01).fit(rows_of(people, N), CATALOG)
    row = Row(np.array([0], dtype=np.int32), np.array([2.0], dtype=np.float32))
    expected = 6 * 6 * 24 / 576
    wanted = 2.0 * (6 - expected) / (6 + 4)
    assert model.score_of(row, np.array([1]))[0] == pytest.approx(wanted)
    assert model.because(row, np.array([1, 2])) == [Because(item_idx=0), None]


def test_luck_is_the_tail_of_a_poisson_distribution():
    # 1 − e^−1 − e^−1 for at least two where one is expected.
    assert luck(np.array([2.0]), np.array([1.0]))[0] == pytest.approx(1 - 2 * np.exp(-1))
    assert luck(np.array([1.0]), np.array([0.0]))[0] == 0
