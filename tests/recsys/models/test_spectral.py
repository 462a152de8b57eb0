import numpy as np
import pytest

from recsys.catalog import Kind
from recsys.interactions import Row
from recsys.models.base import Because
from recsys.models.served_loss import sampled, served_recall
from recsys.models.spectral import LEAST_FACTORS, Spectral
from tests.recsys.models.planted_rows import CATALOG, N_ITEMS, people, rows_of, share_of_taste


def fitted(**parameters):
    return Spectral(**parameters).fit(people(), CATALOG)


def test_all_directions_give_the_row_back():
    """Without damping and with every direction the filter is the identity."""
    flat = {"person_damping": 0, "item_damping": 0, "source_damping": 0, "target_lift": 0}
    weights = np.random.default_rng(0).random((30, 10)).astype(np.float32)
    model = Spectral(**flat, share=1.0).fit(rows_of(weights), CATALOG)
    np.testing.assert_allclose(model.score(rows_of(weights)), weights, atol=1e-4)


def test_a_few_directions_are_the_projection_by_hand():
    weights = np.random.default_rng(0).random((60, 40)).astype(np.float32)
    sizes, persons = weights.sum(axis=0), weights.sum(axis=1)
    damped = weights * persons[:, None] ** -0.3 * sizes**-0.5
    _, values, right = np.linalg.svd(damped)
    right = right[:LEAST_FACTORS]
    gains = (values[:LEAST_FACTORS] / values[0]) ** 0.5
    wanted = (weights * sizes**-0.5) @ (right.T * gains) @ right * sizes**0.5
    model = Spectral(smoothing=0.25).fit(rows_of(weights), CATALOG)
    # The last directions of noise differ little in strength.
    np.testing.assert_allclose(model.score(rows_of(weights)), wanted, rtol=0.03, atol=0.03)


def test_tastes_are_found():
    assert share_of_taste(fitted()) > 0.95


@pytest.mark.parametrize("kind", [Kind.PRODUCT, Kind.VIDEO, None])
def test_what_is_near_is_enough(kind):
    model, rows = fitted(exact_below=0), sampled(people(seed=5), 100, seed=0)
    assert len(model.target_.near.products.items) > 0
    assert len(fitted().target_.near.products.items) == 0
    assert served_recall(model, rows, CATALOG, kind=kind, k=5) > 0.95


def test_some_items_are_scored_as_all_are():
    model, rows = fitted(), people(seed=5)
    some = np.array([3, 50, 119], dtype=np.int32)
    np.testing.assert_allclose(
        model.score_of(rows[0], some), model.score(rows)[0, some], rtol=1e-4, atol=1e-6
    )


def test_the_reason_is_the_item_that_adds_most():
    model = fitted()
    row = Row(np.array([0, 60], dtype=np.int32), np.ones(2, dtype=np.float32))
    assert model.because(row, np.array([1, 61])) == [Because(item_idx=0), Because(item_idx=60)]


def test_factors_are_bounded():
    assert fitted(factors=1, share=1.0).source_.shape == (N_ITEMS, LEAST_FACTORS)
    assert fitted(factors=40, share=1.0).source_.shape == (N_ITEMS, 40)
