import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.interactions import Row, Rows
from recsys.models.popularity import Popularity
from tests.planted import item

CATALOG = Catalog.of([item(0), item(1), item(2, Kind.VIDEO), item(3)])
NOBODY = Row(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32))


def rows(*weights):
    people = [np.array(one, dtype=np.float32) for one in weights]
    return Rows.of([Row(np.flatnonzero(w).astype(np.int32), w[w != 0]) for w in people], 4)


MODEL = Popularity().fit(rows([1, 0, 4, 0], [1, 3, 0, 0], [-9, 0.5, 0, 0]), CATALOG)


def test_popularity_is_the_sum_of_what_is_liked():
    found = MODEL.candidates(NOBODY, 5, None)
    assert found.items.tolist() == [2, 1, 0]
    assert found.scores.tolist() == [4.0, 3.5, 2.0]


def test_each_kind_has_its_list():
    assert MODEL.candidates(NOBODY, 5, Kind.PRODUCT).items.tolist() == [1, 0]
    assert MODEL.candidates(NOBODY, 5, Kind.VIDEO).items.tolist() == [2]


def test_what_nobody_liked_has_no_opinion():
    assert np.isnan(MODEL.score(rows([0, 0, 0, 0]))[0]).tolist() == [False, False, False, True]


@pytest.mark.parametrize(("n_listed", "items"), [(1, [1]), (2, [1, 0])])
def test_lists_are_cut(n_listed, items):
    model = Popularity(n_listed=n_listed).fit(rows([1, 3, 0, 0]), CATALOG)
    assert model.candidates(NOBODY, 5, Kind.PRODUCT).items.tolist() == items


def test_damping_draws_the_popular_nearer_and_keeps_the_order():
    model = Popularity(damping=0.5).fit(rows([1, 4, 9, 0]), CATALOG)
    assert model.candidates(NOBODY, 5, None).scores.tolist() == [3, 2, 1]
