import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from recsys.catalog import Catalog, Kind
from recsys.interactions import Row, Rows
from recsys.models.als import ALS
from recsys.models.base import Because
from recsys.models.served_loss import sampled, served_recall
from tests.planted import item

N_ITEMS = 120
CATALOG = Catalog.of([item(n, Kind(n % 2)) for n in range(N_ITEMS)])


def people(n=300, seed=0):
    """Each likes items near one of six centres; every tenth weight is a dislike."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(n):
        near = (person % 6) * 20 + rng.integers(0, 30, size=12)
        items = np.unique(near % N_ITEMS).astype(np.int32)
        weights = rng.uniform(0.1, 3, size=len(items)) * np.where(
            rng.random(len(items)) < 0.1, -1, 1
        )
        rows.append(Row(items, weights.astype(np.float32)))
    return Rows.of(rows, N_ITEMS)


def fitted(**parameters):
    return ALS(**({"factors": 16} | parameters)).fit(people(), CATALOG)


def library(model):
    """The learner with our item factors, to fold persons in by its own code."""
    regularization = float((model.ridge_ - model.item_factors_.T @ model.item_factors_)[0, 0])
    with threadpool_limits(1, "blas"):
        theirs = AlternatingLeastSquares(
            factors=model.factors, regularization=regularization, alpha=model.alpha
        )
    theirs.item_factors = model.item_factors_
    return theirs


@pytest.mark.parametrize("alpha", [1.0, 20.0])
def test_folding_in_equals_the_library(alpha):
    model, rows = fitted(alpha=alpha), people(seed=5)
    theirs = library(model).recalculate_user(np.arange(len(rows)), csr_matrix(rows.csr()))
    ours = np.array([model.folded(rows[person]) for person in range(len(rows))])
    assert (rows.weights < 0).any()
    np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-4)


def test_scores_equal_the_library():
    model, rows = fitted(), people(seed=5)
    theirs = library(model).recalculate_user(np.arange(len(rows)), csr_matrix(rows.csr()))
    np.testing.assert_allclose(model.score(rows), theirs @ model.item_factors_.T, atol=1e-3)


def test_the_reason_equals_the_library():
    model, rows = fitted(), people(seed=5)
    theirs, matrix = library(model), csr_matrix(rows.csr())
    for person in range(20):
        wanted = model.candidates(rows[person], 2, None).items
        parts = [theirs.explain(person, matrix, int(idx), N=1)[1][0][0] for idx in wanted]
        expected = [Because(item_idx=int(part)) for part in parts]
        assert model.because(rows[person], wanted) == expected


@pytest.mark.parametrize("kind", [Kind.PRODUCT, Kind.VIDEO, None])
def test_the_index_loses_little(kind):
    model = fitted(exact_below=0, n_scored=30)
    rows = sampled(people(seed=5), 100, seed=0)
    assert served_recall(model, rows, CATALOG, kind=kind, k=10) > 0.95


def test_there_is_an_index_only_above_the_exact_size():
    assert len(fitted(exact_below=N_ITEMS).index_.products.centres) == 0
    assert len(fitted(exact_below=N_ITEMS - 1).index_.products.centres) > 0


@pytest.mark.parametrize("n_scored", [5, 20])
def test_candidates_come_from_the_nearest_cells(n_scored):
    model = fitted(exact_below=0, n_scored=n_scored)
    found = model.candidates(people()[0], 100, Kind.VIDEO).items
    cells, _ = model.index_.videos.looked_at(model.folded(people()[0]), n_scored)
    assert 0 < len(found) <= len(cells)
    assert np.isin(found, cells).all()


def test_another_seed_gives_other_factors():
    assert not np.array_equal(fitted(seed=1).item_factors_, fitted(seed=2).item_factors_)


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_regularization_follows_the_size_of_the_weights(scale):
    rows = people()
    scaled = Rows(rows.offsets, rows.items, rows.weights * np.float32(scale), rows.n_items)
    model = ALS(factors=16, alpha=20 / scale).fit(scaled, CATALOG)
    same = ALS(factors=16, alpha=20.0).fit(rows, CATALOG)
    np.testing.assert_allclose(np.diag(model.ridge_), np.diag(same.ridge_), rtol=0.05)


@pytest.mark.parametrize(("option", "value"), [("regularization", 0.3), ("iterations", 1)])
def test_options_of_the_learner_count(option, value):
    changed = fitted(**{option: value})
    assert not np.allclose(changed.item_factors_, fitted().item_factors_)


def test_an_item_nobody_touched_has_no_direction():
    model = ALS(factors=4).fit(people(), Catalog.of([item(n) for n in range(N_ITEMS)]))
    untouched = np.setdiff1d(np.arange(N_ITEMS), people().items)
    assert (model.item_factors_[untouched] == 0).all()
