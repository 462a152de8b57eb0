import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array

from recsys.models import equations
from recsys.models.equations import Shared, solved, turned

N_ITEMS = 30


def world(n_factors, seed=0):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((N_ITEMS, n_factors)).astype(np.float32)
    rows = random_array((25, N_ITEMS), density=0.3, rng=rng, dtype=np.float32).tocsr()
    rows.data *= np.where(rng.random(rows.nnz) < 0.2, -2, 2).astype(np.float32)
    return csr_array(rows), vectors


def by_hand(row, vectors, shared):
    ridge = shared.diagonal + shared.regularization * (np.abs(row).sum() + shared.unobserved)
    matrix = np.diag(ridge) + (vectors.T * np.abs(row)) @ vectors
    return np.linalg.solve(matrix, np.maximum(row, 0) @ vectors)


@given(st.integers(1, 40), st.integers(0, 1000))
def test_each_row_has_the_answer_of_its_own_equation(n_factors, seed):
    rows, vectors = world(n_factors, seed)
    shared, vectors = turned(vectors, 0.1, 0.02)
    found = solved(rows, vectors, shared)
    for row, answer in zip(rows.toarray(), found, strict=True):
        if row.any():
            np.testing.assert_allclose(answer, by_hand(row, vectors, shared), rtol=0.02, atol=2e-3)
        else:
            assert not answer.any()


def test_blocks_do_not_change_answers(monkeypatch):
    rows, vectors = world(40)
    shared, vectors = turned(vectors, 0.1, 0.02)
    together = solved(rows, vectors, shared)
    monkeypatch.setattr(equations, "MAX_BLOCK_ENTRIES", 1)
    np.testing.assert_allclose(solved(rows, vectors, shared), together, rtol=1e-3, atol=1e-4)


def test_turning_keeps_products_and_makes_a_diagonal():
    _, vectors = world(5)
    shared, other = turned(vectors, 0.5, 0.1)
    np.testing.assert_allclose(other @ other.T, vectors @ vectors.T, atol=1e-3)
    np.testing.assert_allclose(0.5 * other.T @ other, np.diag(shared.diagonal), atol=1e-3)
    assert shared.unobserved == pytest.approx(0.5 * N_ITEMS)


def test_regularization_grows_with_what_was_told():
    shared = Shared(*(np.array(value, dtype=np.float32) for value in ([1, 2], 0.5, 4)))
    np.testing.assert_allclose(shared.ridge(np.array([0, 6])), [[3, 4], [6, 7]])
