import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.models import graph, item_knn
from recsys.models.graph import Graph
from tests.planted import item
from tests.recsys.models.planted_rows import CATALOG, people, rows_of, share_of_taste

# Weights of three persons for three items.
WEIGHTS = np.array([[1, 2, 0], [3, 0, 1], [2, 1, 2]], dtype=np.float32)
THREE = Catalog.of([item(0), item(1), item(2, Kind.VIDEO)])


def fitted(**parameters):
    plain = {"person_damping": 0.0, "source_damping": 0.0, "target_damping": 0.0, "sharpness": 1.0}
    return Graph(**(plain | parameters)).fit(rows_of(WEIGHTS), THREE)


def adds(model, i, j):
    return float(model.score(rows_of([np.eye(3)[i]]))[0, j])


def test_two_steps_by_hand():
    assert adds(fitted(), 0, 1) == pytest.approx(1 * 2 + 2 * 1)
    assert adds(fitted(), 0, 2) == pytest.approx(3 * 1 + 2 * 2)


def test_damping_of_persons():
    # The persons' weights sum to 3, 4 and 5; each of the two steps is damped.
    assert adds(fitted(person_damping=1.0), 0, 1) == pytest.approx(2 / 3**2 + 2 / 5**2)


def test_damping_of_source_and_target():
    # The items' weights sum to 6, 3 and 3.
    assert adds(fitted(source_damping=1.0), 0, 1) == pytest.approx(4 / 6)
    assert adds(fitted(source_damping=1.0), 1, 0) == pytest.approx(4 / 3)
    assert adds(fitted(target_damping=1.0), 0, 1) == pytest.approx(4 / 3)
    assert adds(fitted(target_damping=1.0), 1, 0) == pytest.approx(4 / 6)


def test_sharpness_is_a_power_of_each_weight():
    assert adds(fitted(sharpness=0.5), 0, 1) == pytest.approx(4**0.5)


def test_an_item_is_not_its_own_neighbour():
    assert np.isnan(adds(fitted(), 0, 0))


def test_lists_are_bounded(monkeypatch):
    monkeypatch.setattr(graph, "MAX_ENTRIES", 2 * 120)
    model = Graph().fit(people(), CATALOG)
    assert np.diff(model.neighbours_.products.offsets).max() == 2


def test_blocks_do_not_change_lists(monkeypatch):
    whole = Graph().fit(people(), CATALOG)
    monkeypatch.setattr(item_knn, "MAX_BLOCK_ENTRIES", 1)
    parts = Graph().fit(people(), CATALOG)
    np.testing.assert_array_equal(whole.neighbours_.videos.items, parts.neighbours_.videos.items)


def test_tastes_are_found():
    assert share_of_taste(Graph().fit(people(), CATALOG)) > 0.95
