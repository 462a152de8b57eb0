import numpy as np
import pytest

from recsys.interactions import Row
from recsys.models.base import Because
from recsys.models.ease import EASE
from tests.recsys.models.planted_rows import CATALOG, people, rows_of, share_of_taste

WEIGHTS = np.random.default_rng(0).random((30, 8)).astype(np.float32)


def fitted(**parameters):
    return EASE(**parameters).fit(people(), CATALOG)


def plain(weights, **parameters):
    flat = {"noise": 0.0, "target_damping": 0.0}
    return EASE(**(flat | parameters)).fit(rows_of(weights), CATALOG)


def test_each_column_is_the_ridge_regression_on_the_others():
    model = plain(WEIGHTS, regularization=0.5)
    ridge = 0.5 * (WEIGHTS**2).sum() / 8
    for target in range(8):
        others = np.delete(np.arange(8), target)
        x, y = WEIGHTS[:, others], WEIGHTS[:, target]
        wanted = np.linalg.solve(x.T @ x + ridge * np.eye(7), x.T @ y)
        np.testing.assert_allclose(model.learned_.weights[others, target], wanted, atol=1e-4)
        assert model.learned_.weights[target, target] == 0


def test_noise_adds_to_the_diagonal():
    """To hide half of the entries is to add as much as there is (Steck 2020)."""
    model = plain(WEIGHTS, regularization=0.0, noise=0.5)
    products = (WEIGHTS.T @ WEIGHTS).astype(np.float64)
    inverse = np.linalg.inv(products + np.diag(np.diag(products)))
    wanted = -inverse / np.diag(inverse)
    np.fill_diagonal(wanted, 0)
    np.testing.assert_allclose(model.learned_.weights, wanted, atol=1e-4)


def test_only_the_items_liked_most_take_part():
    model = fitted(n_items=10)
    liked = np.bincount(people().items[people().weights > 0], minlength=120)
    assert len(model.learned_.items) == 10
    assert liked[model.learned_.items].min() >= np.sort(liked)[-10]
    scores = model.score(people())
    out = np.setdiff1d(np.arange(120), model.learned_.items)
    assert np.isnan(scores[:, out]).all()
    assert np.isnan(model.score_of(people()[0], out.astype(np.int32))).all()


def test_tastes_are_found():
    assert share_of_taste(fitted()) > 0.9


def test_a_dislike_only_takes_away():
    model = plain(np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 1]]), regularization=0.1)
    model.learned_.weights[:] = [[0, -1], [-1, 0]]
    row = Row(np.array([0], dtype=np.int32), np.array([-1], dtype=np.float32))
    both = Row(np.array([0, 1], dtype=np.int32), np.array([-1, 1], dtype=np.float32))
    assert model.score_of(both, np.array([1], dtype=np.int32)) == [0.0]
    assert model.score(rows_of([[-1, 1]]))[0, 1] == 0.0
    assert np.isnan(model.score_of(row, np.array([1], dtype=np.int32))).all()


@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_a_popular_item_is_held_back(damping):
    weights = np.array([[1, 1, 1], [1, 1, 0], [0, 1, 0], [1, 0, 1]], dtype=np.float32)
    held, free = plain(weights, target_damping=damping), plain(weights)
    wanted = free.learned_.weights * weights.sum(axis=0) ** -damping
    np.testing.assert_allclose(held.learned_.weights, wanted, rtol=1e-4)


def test_the_reason_is_the_item_that_adds_most():
    row = Row(np.array([0, 60], dtype=np.int32), np.ones(2, dtype=np.float32))
    reasons = fitted().because(row, np.array([1, 61]))
    assert reasons == [Because(item_idx=0), Because(item_idx=60)]
