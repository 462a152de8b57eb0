from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from recsys.blend import Blend, ByLength
from recsys.catalog import Kind
from recsys.interactions import Row, Rows
from recsys.models.base import Ranking
from recsys.models.graph import Graph
from recsys.models.popularity import Popularity
from tests.recsys.models.planted_rows import CATALOG, N_ITEMS, people
from training.blend import (
    LEAST_ITEMS,
    SHARE_HELD,
    Held,
    Races,
    all_fitted,
    blend_by_length,
    blend_for,
    held_back,
    learn_blend,
    learned_weights,
    times,
)


@dataclass
class Told:
    """Knows scores of items, whoever asks."""

    scores_: np.ndarray = field(repr=False)
    is_personal: ClassVar[bool] = False

    def fit(self, interactions, catalog):
        return self

    def score(self, rows):
        return np.tile(self.scores_, (len(rows), 1))

    def candidates(self, row, k, within):
        return Ranking.best(np.arange(len(self.scores_)), self.scores_, k)

    def score_of(self, row, items):
        return self.scores_[items]


def told(*scores):
    values = np.zeros(N_ITEMS, dtype=np.float32)
    values[: len(scores)] = scores
    return Told(values)


def held_for(*targets):
    row = Row(np.array([119], dtype=np.int32), np.ones(1, dtype=np.float32))
    rows = Rows.of([row] * len(targets), N_ITEMS)
    arrays = [np.array(one, dtype=np.int32) for one in targets]
    return Held(train=rows, known=rows, targets=arrays, excluded=[row.items] * len(targets))


def test_what_is_held_back_is_nowhere_else():
    rows = people()
    held = held_back(rows, seed=1)
    assert len(held.train.items) + sum(len(one) for one in held.targets) == len(rows.items)
    for place, targets in enumerate(held.targets):
        row = held.known[place]
        assert len(targets) == max(1, round(SHARE_HELD * (len(targets) + (row.weights > 0).sum())))
        assert not np.isin(targets, row.items).any()
        assert len(targets) + (row.weights > 0).sum() >= LEAST_ITEMS


def test_dislikes_are_never_to_be_found():
    rows = people(disliked=0.5)
    liked = {(p, int(i)) for p in range(len(rows)) for i in rows[p].items[rows[p].weights > 0]}
    held = held_back(rows, seed=1)
    found = sum(len(one) for one in held.targets)
    left = sum(int((held.train[p].weights > 0).sum()) for p in range(len(rows)))
    assert found + left == len(liked)


def test_the_same_seed_holds_the_same_back():
    one, other = held_back(people(), seed=1), held_back(people(), seed=1)
    np.testing.assert_array_equal(one.train.items, other.train.items)
    assert not np.array_equal(held_back(people(), seed=2).train.items, one.train.items)


def test_the_gain_by_hand():
    # The item to be found is second of a list of two: 1 / log2(3).
    races = Races.of([told(3, 2, 1)], held_for([1]), None, 2)
    assert races.gain(np.ones(1, dtype=np.float32)) == pytest.approx(1 / np.log2(3))


def test_a_source_that_knows_gets_the_weight():
    held = held_for([0], [0, 1])
    races = Races.of([told(0, 0, 5, 4), told(5, 4)], held, None, 2)
    np.testing.assert_array_equal(learned_weights(races), [0, 1])


def test_a_source_that_overrates_is_held_back_where_that_is_allowed():
    """The first puts popular 0 and 1 before what is to be found; the second tells of these."""
    races = Races.of([told(5, 5, 4, 0.5), told(3, 3, 1)], held_for([2]), None, 2)
    assert races.gain(learned_weights(races)) < 1
    weights = learned_weights(races, (False, True))
    assert weights[1] < 0
    assert weights.sum() == pytest.approx(1)
    assert races.gain(weights) == pytest.approx(1)


def test_what_says_the_same_to_everybody_may_count_against():
    makers = {"told": lambda: told(5, 5, 4, 0.5), "popular": lambda: told(3, 3, 1)}
    weights = blend_for(makers, [held_for([2])], CATALOG, kind=None, k=2).weights
    assert weights.min() < 0


def test_models_that_learn_side_by_side_come_in_their_order():
    made = all_fitted([lambda: told(1), Graph, lambda: told(2)], people(), CATALOG)
    assert [type(one) for one in made] == [Told, Graph, Told]
    assert made[2].scores_[0] == 2


def test_two_sources_that_each_know_half_both_count():
    """Alone each puts a wrong item before one of the two."""
    races = Races.of([told(5, 0, 3), told(0, 5, 0, 3)], held_for([0, 1]), None, 2)
    weights = learned_weights(races)
    assert (weights > 0).all()
    assert races.gain(weights) == pytest.approx(1)


def test_what_tells_tastes_and_what_tells_the_popular_in_them_both_count():
    makers = {"popularity": Popularity, "graph": Graph}
    blend = learn_blend(makers, people(600), CATALOG, kind=None, k=5, seed=0)
    assert (blend.of(20).weights > 0.1).all()


def test_nobody_to_ask_means_all_alike():
    rows = Rows.of([], N_ITEMS)
    blend = learn_blend({"a": Popularity, "b": Graph}, rows, CATALOG, kind=None, k=5, seed=0)
    np.testing.assert_array_equal(blend.weights, [0.5, 0.5])


@pytest.mark.parametrize(("n_people", "wanted"), [(0, 4), (700, 3), (1999, 2), (2000, 1)])
def test_few_people_are_asked_again(n_people, wanted):
    assert times(n_people) == wanted


def test_races_of_several_times_are_the_mean_of_each():
    sources = [told(3, 2, 1), told(0, 1, 3, 9)]
    several = [Races.of(sources, held_for(*targets), None, 2) for targets in ([[1]], [[0], [3]])]
    weights = np.array([0.6, 0.4], dtype=np.float32)
    wanted = (several[0].gain(weights) + 2 * several[1].gain(weights)) / 3
    assert Races.together(several).gain(weights) == pytest.approx(wanted)


def test_held_back_items_may_be_given():
    held = held_for([0], [1])
    makers = {"wrong": lambda: told(0, 0, 5, 4), "right": lambda: told(5, 4)}
    blend = blend_for(makers, [held], CATALOG, kind=Kind.PRODUCT, k=5)
    np.testing.assert_array_equal(blend.weights, [0, 1])


def races_by_length(n_people: int) -> tuple[Races, np.ndarray]:
    """Of two sources the first is right for short histories, the second for long ones."""
    n_items = np.arange(n_people) % 60
    gains = np.zeros((n_people, 4), dtype=np.float32)
    gains[:, 0] = 1
    parts = np.zeros((2, n_people, 4), dtype=np.float32)
    is_long = n_items >= 40
    parts[0, ~is_long, 0], parts[0, is_long, 1] = 2, 3
    parts[1, is_long, 0], parts[1, ~is_long, 1] = 2, 3
    return Races(parts, gains, 2), n_items


def test_short_and_long_histories_get_weights_of_their_own():
    races, n_items = races_by_length(3_000)
    blend = blend_by_length(races, n_items)
    assert isinstance(blend, ByLength)
    assert blend.of(5).weights[0] > blend.of(59).weights[0]
    assert blend.of(5).weights[0] == pytest.approx(1)


def test_too_few_people_share_their_weights():
    races, n_items = races_by_length(600)
    assert isinstance(blend_by_length(races, n_items), Blend)


def test_histories_of_one_length_share_their_weights():
    races, n_items = races_by_length(3_000)
    assert isinstance(blend_by_length(races, np.full_like(n_items, 7)), Blend)
