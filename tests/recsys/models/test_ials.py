import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys.catalog import Kind
from recsys.interactions import Row
from recsys.models.base import Because
from recsys.models.equations import solved, turned
from recsys.models.ials import IALS
from recsys.models.served_loss import sampled, served_recall
from tests.recsys.models.planted_rows import CATALOG, people, share_of_taste


def fitted(**parameters):
    return IALS(**({"factors": 16} | parameters)).fit(people(), CATALOG)


def loss(model, rows):
    """What the learner is to make small, with the persons that suit the model's items."""
    items, shared = model.items_.vectors.astype(np.float64), model.shared_
    told = rows.csr()
    persons = solved(told, model.items_.vectors, shared).astype(np.float64)
    each = float(shared.unobserved) / len(items)
    dense, scores = told.toarray(), persons @ items.T
    wanted = (np.abs(dense) * (scores - (dense > 0)) ** 2).sum() + each * (scores**2).sum()
    sizes = np.abs(dense).sum(axis=1), np.abs(dense).sum(axis=0)
    held = (persons**2).sum(axis=1) @ (sizes[0] + each * len(items))
    held += (items**2).sum(axis=1) @ (sizes[1] + each * len(dense))
    return wanted + float(shared.regularization) * held


def test_each_pass_lowers_the_loss():
    losses = [loss(fitted(iterations=n, regularization=1.0), people()) for n in (1, 2, 4, 8)]
    assert (np.diff(losses) < 0).all()


def test_items_solve_their_own_equations_in_the_end():
    model, told = fitted(iterations=60, regularization=1.0), people().csr()
    persons = solved(told, model.items_.vectors, model.shared_)
    each = float(model.shared_.unobserved) / told.shape[1]
    shared, persons = turned(persons, each, float(model.shared_.regularization))
    again = solved(csr_array(told.T), persons, shared)
    wanted = solved(told, model.items_.vectors, model.shared_) @ model.items_.vectors.T
    np.testing.assert_allclose(persons @ again.T, wanted, atol=0.02)


def test_tastes_are_found():
    assert share_of_taste(fitted()) > 0.95


def test_a_dislike_lowers_what_is_near():
    model = fitted()
    liked = Row(np.array([0, 20], dtype=np.int32), np.ones(2, dtype=np.float32))
    mixed = Row(liked.items, np.array([1, -1], dtype=np.float32))
    near = np.arange(21, 25, dtype=np.int32)
    assert (model.score_of(mixed, near) < model.score_of(liked, near)).all()


@pytest.mark.parametrize("kind", [Kind.PRODUCT, Kind.VIDEO, None])
def test_what_is_near_is_enough(kind):
    model, rows = fitted(exact_below=0), sampled(people(seed=5), 100, seed=0)
    assert served_recall(model, rows, CATALOG, kind=kind, k=5) > 0.95


def test_parts_of_the_row_add_up_to_the_score():
    model, rows = fitted(), people(seed=5)
    items = np.array([1, 30, 77], dtype=np.int32)
    for person in range(10):
        parts = model._parts(rows[person], items)
        scores = model.score_of(rows[person], items)
        np.testing.assert_allclose(parts.sum(axis=0), scores, rtol=0.01, atol=1e-3)


def test_the_reason_is_the_largest_part():
    row = Row(np.array([0, 60], dtype=np.int32), np.ones(2, dtype=np.float32))
    reasons = fitted().because(row, np.array([1, 61]))
    assert reasons == [Because(item_idx=0), Because(item_idx=60)]
