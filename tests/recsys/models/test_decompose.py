import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from recsys.models.decompose import apart, strongest_directions


def planted(n_rows=80, n_columns=50, seed=0):
    """A matrix of known singular values, each half of the one before."""
    rng = np.random.default_rng(seed)
    left, _ = np.linalg.qr(rng.standard_normal((n_rows, 12)))
    right, _ = np.linalg.qr(rng.standard_normal((n_columns, 12)))
    values = 0.5 ** np.arange(12)
    return csr_array((left * values @ right.T).astype(np.float32)), values, right


def test_planted_values_and_directions_are_found():
    matrix, values, right = planted()
    found, vectors = strongest_directions(matrix, 6, seed=0)
    np.testing.assert_allclose(found, values[:6], rtol=1e-3)
    cosines = np.abs(np.einsum("ij,ij->j", vectors, right[:, :6]))
    np.testing.assert_allclose(cosines, 1, atol=1e-3)


@pytest.mark.parametrize(("rank", "given_"), [(0, 0), (3, 3), (99, 50)])
def test_no_more_than_there_are(rank, given_):
    values, vectors = strongest_directions(planted()[0], rank, seed=0)
    assert values.shape == (given_,)
    assert vectors.shape == (50, given_)


def test_nothing_has_no_strength():
    values, vectors = strongest_directions(csr_array((5, 4), dtype=np.float32), 2, seed=0)
    assert (values == 0).all()
    assert np.isfinite(vectors).all()


@given(st.integers(0, 1000), st.integers(1, 12))
def test_columns_are_apart(seed, n):
    vectors = np.random.default_rng(seed).standard_normal((40, n)).astype(np.float32)
    once = apart(apart(vectors))
    np.testing.assert_allclose(once.T @ once, np.eye(n), atol=1e-4)
    # They span the same.
    np.testing.assert_allclose(once @ (once.T @ vectors), vectors, atol=1e-3)
