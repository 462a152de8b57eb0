"""The strongest directions of a large sparse matrix, by products with it alone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.sparse import csr_array

from recsys.models.base import Scores
from recsys.models.lists import Sparse

# So many directions more than wanted are followed, or the last of them would be poor.
SPARE_SHARE, SPARE_LEAST = 0.1, 10
# What is added to a diagonal, as a share of its largest entry, so that directions that are all but
# the same have a Cholesky factor; more where rounding wants more.
JITTERS = (1e-7, 1e-5, 1e-3)
# Directions of which the least adds this share of the most need no keeping apart between rounds:
# single precision holds its square.
LEAST_EVEN = 0.01


def strongest_directions(
    matrix: Sparse, rank: int, seed: int, rounds: int = 3
) -> tuple[Scores, Scores]:
    """Largest singular values of a matrix and their right vectors.

    Randomised subspace iteration (Halko, Martinsson and Tropp 2011), in which directions are kept
    apart by Cholesky factors of their products: several times faster than a QR of a tall matrix.

    Parameters
    ----------
    matrix
        Shape (n_rows, n_columns).
    rank
        How many are wanted; fewer are given if the matrix has fewer.
    rounds
        How often the directions are multiplied by the matrix and back.

    Returns
    -------
    Shape (rank,), falling; and shape (n_columns, rank), of length 1 each.
    """
    rank = min(rank, *matrix.shape)
    n_followed = min(rank + max(SPARE_LEAST, round(SPARE_SHARE * rank)), *matrix.shape)
    if rank == 0:
        return np.zeros(0, np.float32), np.zeros((matrix.shape[1], 0), np.float32)
    rng = np.random.default_rng(seed)
    back = csr_array(matrix.T)
    found = rng.standard_normal((matrix.shape[1], n_followed), dtype=np.float32)
    is_even = False
    for left in range(rounds, 0, -1):
        found = back @ (matrix @ found)
        # What differs little in a round does so after the rounds that are left, too.
        if left == 1 or not is_even:
            found, evenness = _apart(found)
            is_even = evenness > LEAST_EVEN
    # Again: the first time is only as exact as directions that differ much in strength allow.
    found = found if is_even else apart(found)
    image = matrix @ found
    squares, turn = np.linalg.eigh((image.T @ image).astype(np.float64))
    best = np.argsort(-squares, kind="stable")[:rank]
    values = np.sqrt(np.maximum(squares[best], 0)).astype(np.float32)
    return values, found @ turn[:, best].astype(np.float32)


def apart(vectors: NDArray[np.float32]) -> Scores:
    """Columns that span the same, of length 1 and at right angles."""
    return _apart(vectors)[0]


def _apart(vectors: NDArray[np.float32]) -> tuple[Scores, float]:
    """The same, and the length of what was new in the least of them, as a share of the most."""
    products = (vectors.T @ vectors).astype(np.float64)
    lower = _cholesky(products)
    new = np.diag(lower)
    turn = solve_triangular(lower, np.eye(len(lower)), lower=True, check_finite=False).T
    apart_ = np.asarray(vectors @ turn.astype(np.float32), dtype=np.float32)
    return apart_, float(new.min(initial=1) / new.max(initial=1))


def _cholesky(products: NDArray[np.float64]) -> NDArray[Any]:
    largest = np.diag(products).max(initial=0) or 1.0
    for jitter in JITTERS:
        try:
            return np.linalg.cholesky(products + jitter * largest * np.eye(len(products)))
        except np.linalg.LinAlgError:
            continue
    raise ValueError(f"{len(products)} directions cannot be told apart; allowed: finite weights")
