import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.interactions import Row, Rows
from recsys.models import item_knn
from recsys.models.base import Because
from recsys.models.item_knn import ItemKNN
from tests.planted import item

CATALOG = Catalog.of([item(0), item(1), item(2, Kind.VIDEO)])
# Weights of three persons for two products and a video.
WEIGHTS = np.array([[1, 2, 0], [3, 0, 1], [2, 1, 2]], dtype=np.float32)


def rows(weights):
    people = [np.array(one, dtype=np.float32) for one in weights]
    return Rows.of(
        [Row(np.flatnonzero(w).astype(np.int32), w[w != 0]) for w in people], len(people[0])
    )


def fitted(weights=WEIGHTS, **parameters):
    plain = {"shrinkage": 0.0, "person_damping": 0.0} | parameters
    return ItemKNN(**plain).fit(rows(weights), CATALOG)


def similarity(model, i, j):
    return float(model.score(rows([np.eye(3)[i]]))[0, j])


def test_the_cosine_by_hand():
    model = fitted()
    # Items 0 and 1: 1·2 + 2·1 = 4 over √(1+9+4) √(4+1) = √70.
    assert similarity(model, 0, 1) == pytest.approx(4 / 70**0.5)
    # Product 0 and video 2: 3·1 + 2·2 = 7 over √14 √5.
    assert similarity(model, 0, 2) == pytest.approx(7 / 70**0.5)


def test_shrinkage_is_added_to_the_divisor():
    assert similarity(fitted(shrinkage=10.0), 0, 1) == pytest.approx(4 / (70**0.5 + 10))


def test_damping_of_source_and_target():
    model = fitted(source_damping=1.0, target_damping=0.0)
    # |w_0|² = 14, |w_1|² = 5
    assert similarity(model, 0, 1) == pytest.approx(4 / 14)
    assert similarity(model, 1, 0) == pytest.approx(4 / 5)


def test_persons_who_like_much_count_less():
    model = fitted(person_damping=1.0)
    # Each person's weights divided by 3, 4 and 5: 0: ⅓ ¾ ⅖, 1: ⅔ 0 ⅕.
    one, other = np.array([1 / 3, 3 / 4, 2 / 5]), np.array([2 / 3, 0, 1 / 5])
    wanted = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert similarity(model, 0, 1) == pytest.approx(wanted)


def test_an_item_is_not_its_own_neighbour():
    assert np.isnan(similarity(fitted(), 0, 0))


def test_dislikes_do_not_make_items_alike():
    together_disliked = np.array([[-1, -2, 0], [1, 0, 1]], dtype=np.float32)
    assert np.isnan(similarity(fitted(together_disliked), 0, 1))


def test_lists_are_cut_for_each_kind():
    neighbours = fitted(n_neighbours=1).neighbours_
    assert neighbours.products.offsets.tolist() == [0, 1, 2, 3]
    assert neighbours.videos.offsets.tolist() == [0, 1, 2, 2]


def test_blocks_change_nothing(monkeypatch):
    whole = fitted().neighbours_
    monkeypatch.setattr(item_knn, "MAX_BLOCK_ENTRIES", 1)
    parts = fitted().neighbours_
    np.testing.assert_array_equal(whole.products.items, parts.products.items)
    np.testing.assert_array_equal(whole.products.scores, parts.products.scores)


def test_the_reason_is_the_largest_part():
    model = fitted()
    both = rows([[0.1, 0, 1]])[0]
    # To item 1: 0.1 · 4/√70 = 0.048 from item 0, 1 · 2/(√5 √5) = 0.4 from item 2.
    assert model.because(both, np.array([1])) == [Because(item_idx=2)]
    assert model.because(rows([[9, 0, 1]])[0], np.array([1])) == [Because(item_idx=0)]
