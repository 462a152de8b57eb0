import numpy as np
import pytest

from recsys.catalog import Kind
from recsys.interactions import Row, Rows
from recsys.models import local_ease
from recsys.models.ease import EASE
from recsys.models.local_ease import LocalEASE
from tests.recsys.models.planted_rows import CATALOG, N_ITEMS, people, rows_of, share_of_taste

PLAIN = {"regularization": 2.0, "noise": 0.5, "target_damping": 0.1}
EACH_ALONE = rows_of(np.eye(N_ITEMS))


def told(model) -> np.ndarray:
    """What each item alone says of each other one."""
    return np.nan_to_num(model.score(EACH_ALONE))


def test_where_all_items_tell_it_is_ease():
    """So many people that any two items of a taste go together."""
    many = people(3_000)
    whole = EASE(**PLAIN).fit(many, CATALOG)
    local = LocalEASE(n_neighbours=N_ITEMS, person_damping=0.0, **PLAIN).fit(many, CATALOG)
    np.testing.assert_allclose(told(local), np.maximum(told(whole), 0), atol=2e-4)


def test_a_regression_by_hand():
    """Of two items that three of four people share, with nothing else to learn from."""
    rows = rows_of([[1, 1], [1, 1], [1, 1], [1, 0]] + [[0, 0]])
    model = LocalEASE(regularization=0.5, noise=0.5, person_damping=0.0, target_damping=0.0)
    model.fit(Rows(rows.offsets, rows.items, rows.weights, N_ITEMS), CATALOG)
    # Products 3, strengths 4 and 3; added are half of their mean and once themselves.
    assert told(model)[0, 1] == pytest.approx(3 / (4 + 0.5 * 3.5 + 4))
    assert told(model)[1, 0] == pytest.approx(3 / (3 + 0.5 * 3.5 + 3))


def test_only_the_nearest_tell_of_an_item():
    model = LocalEASE(n_neighbours=3).fit(people(), CATALOG)
    assert (told(model) > 0).sum(axis=0).max() == 3


def test_weights_are_bounded_whatever_is_asked_for(monkeypatch):
    monkeypatch.setattr(local_ease, "MAX_ENTRIES", 2 * N_ITEMS)
    model = LocalEASE(n_neighbours=50).fit(people(), CATALOG)
    assert (told(model) > 0).sum(axis=0).max() == 2


def test_lists_are_bounded():
    model = LocalEASE(n_listed=4).fit(people(), CATALOG)
    for lists in (model.neighbours_.products, model.neighbours_.videos):
        assert np.diff(lists.offsets).max() == 4


def test_who_likes_many_things_is_held_back():
    """One half shares item 1 with item 0, the other item 2, but likes much else as well."""
    few, many = np.zeros(N_ITEMS), np.zeros(N_ITEMS)
    few[[0, 1]], many[[0, 2]], many[10:60] = 1, 1, 1
    rows = rows_of([few] * 10 + [many] * 10)
    same, held = (
        told(LocalEASE(n_neighbours=1, person_damping=damping).fit(rows, CATALOG))[0]
        for damping in (0.0, 0.5)
    )
    assert held[1] > same[1]


def test_lists_answer_as_all_items_do():
    model, rows = LocalEASE().fit(people(), CATALOG), people(20, seed=3, disliked=0)
    dense = model.score(rows)
    for person in range(len(rows)):
        found = model.candidates(rows[person], 5, Kind.VIDEO)
        np.testing.assert_allclose(found.scores, dense[person, found.items], rtol=1e-4)


def test_tastes_are_found():
    assert share_of_taste(LocalEASE().fit(people(), CATALOG)) > 0.95


def test_nothing_liked_teaches_nothing():
    rows = Rows.of([Row(np.array([3], np.int32), -np.ones(1, np.float32))], N_ITEMS)
    model = LocalEASE().fit(rows, CATALOG)
    assert len(model.candidates(people(5, disliked=0)[0], 5, None).items) == 0
