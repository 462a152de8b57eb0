import numpy as np
import pytest

from training.simulation.luck import Lot, Luck

N = 20_000
WHO, ITEMS = np.arange(N), np.full(N, 7)
LUCK = Luck(3)


def test_luck_is_of_the_person_the_thing_and_the_day_and_of_nothing_else():
    all_of_them = LUCK.even(Lot.BUYS, 20_000.0, WHO, ITEMS)
    # In any order, beside anybody, at any time of the day.
    few = np.array([5, 3, 11])
    assert (LUCK.even(Lot.BUYS, 20_000.9, few, ITEMS[few]) == all_of_them[few]).all()
    table = LUCK.even(Lot.BUYS, 20_000.0, few[:, None], np.array([[6, 7]]))
    assert (table[:, 1] == all_of_them[few]).all()


@pytest.mark.parametrize(
    "other",
    [
        LUCK.even(Lot.BUYS, 20_001.0, WHO, ITEMS),
        LUCK.even(Lot.OPENS, 20_000.0, WHO, ITEMS),
        LUCK.even(Lot.BUYS, 20_000.0, WHO, ITEMS + 1),
        LUCK.even(Lot.BUYS, 20_000.0, WHO + 1, ITEMS),
        Luck(4).even(Lot.BUYS, 20_000.0, WHO, ITEMS),
    ],
)
def test_other_luck_has_nothing_to_do_with_it(other):
    # The correlation of so many pairs is 0 with a standard deviation of 0.007.
    assert abs(np.corrcoef(LUCK.even(Lot.BUYS, 20_000.0, WHO, ITEMS), other)[0, 1]) < 0.03


def test_shares_are_even_and_noise_has_the_moments_of_its_law():
    share = LUCK.even(Lot.BUYS, 1.0, WHO)
    assert 0 < share.min() < share.max() < 1
    # Each tenth has 2,000 with a standard deviation of 42.
    assert np.abs(np.histogram(share, 10, (0, 1))[0] - N / 10).max() < 4 * 42
    # Means and standard deviations: of the logistic, Gumbel's, the exponential.
    for noise, mean, spread in (
        (LUCK.logistic(Lot.BUYS, 1.0, WHO), 0.0, np.pi / np.sqrt(3)),
        (LUCK.gumbel(Lot.BUYS, 1.0, WHO), np.euler_gamma, np.pi / np.sqrt(6)),
        (LUCK.exponential(Lot.BUYS, 1.0, WHO), 1.0, 1.0),
    ):
        assert noise.mean() == pytest.approx(mean, abs=4 * spread / np.sqrt(N))
        assert noise.std() == pytest.approx(spread, rel=0.05)
