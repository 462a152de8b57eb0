"""Many small least-squares equations over the same vectors, solved many at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.ids import Ints
from recsys.models.base import Scores
from recsys.models.lists import Sparse

# Numbers in a block of equations, about 100 MB.
MAX_BLOCK_ENTRIES = 24_000_000
# Equations of almost the same length are solved together; the shorter ones are filled up.
LENGTH_STEP = 1.15


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """What all equations over some vectors share.

    The equation of a row of weights w over vectors Y is (D + A'A) x = A'p, where A has the rows
    √|w_i| y_i, p is √|w_i| where w_i > 0 and else 0, and D is what `ridge` gives.

    Attributes
    ----------
    diagonal
        Shape (n_factors,). What the weight of the unobserved makes of the vectors' products.
    regularization
        Shape (). What is added for each unit of confidence.
    unobserved
        Shape (). Confidence that is in every equation before anything is told.
    """

    diagonal: Scores
    regularization: NDArray[np.float32]
    unobserved: NDArray[np.float32]

    def ridge(self, told: NDArray[np.floating]) -> Scores:
        """Shape (n equations, n_factors), from the confidence that was told in each, (n,)."""
        added = self.regularization * (told + self.unobserved)
        # Never 0, which no confidence at all would give.
        ridge: Scores = (self.diagonal + added[:, None] + np.float32(1e-12)).astype(np.float32)
        return ridge


def turned(vectors: Scores, unobserved: float, regularization: float) -> tuple[Shared, Scores]:
    """Vectors turned so that what equations over them share is diagonal, and that.

    Parameters
    ----------
    unobserved
        Confidence that one vector says 0 before anything is told.
    regularization
        Added for each unit of confidence.
    """
    values, turn = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
    shared = Shared(
        (unobserved * np.maximum(values, 0)).astype(np.float32),
        np.array(regularization, dtype=np.float32),
        np.array(unobserved * len(vectors), dtype=np.float32),
    )
    return shared, vectors @ turn.astype(np.float32)


def solved(rows: Sparse, vectors: Scores, shared: Shared) -> Scores:
    """The vector of each row, shape (n_rows, n_factors); zeros for an empty row.

    A row shorter than the vectors is solved in its own length n, not in that of the vectors f: by
    (D + A'A)⁻¹ A' = D⁻¹ A' (1 + A D⁻¹ A')⁻¹ it costs n²f instead of f³.
    """
    lengths = np.diff(rows.indptr)
    told = np.zeros(len(lengths), dtype=np.float32)
    filled = np.flatnonzero(lengths)
    if len(filled):
        told[filled] = np.add.reduceat(np.abs(rows.data), rows.indptr[filled])
    answers = np.zeros((len(lengths), vectors.shape[1]), dtype=np.float32)
    for block in _blocks(lengths, vectors.shape[1]):
        ridge = shared.ridge(told[block])
        if lengths[block[-1]] > vectors.shape[1]:
            answers[block] = _long(rows, int(block[0]), vectors, ridge[0])
        else:
            answers[block] = _short(rows, block, vectors, ridge)
    return answers


def _blocks(lengths: Ints, n_factors: int) -> Iterator[Ints]:
    """Rows of about the same length; one by one those longer than the vectors."""
    order = np.argsort(lengths, kind="stable")
    ordered, start = lengths[order], int(np.searchsorted(lengths[order], 1))
    while start < len(order):
        longest = min(int(max(ordered[start] + 2, ordered[start] * LENGTH_STEP)), n_factors)
        fitting = max(1, MAX_BLOCK_ENTRIES // (longest * max(longest, n_factors) + 1))
        same = int(np.searchsorted(ordered, longest, side="right"))
        end = max(start + 1, min(same, start + fitting))
        yield order[start:end]
        start = end


def _short(rows: Sparse, block: Ints, vectors: Scores, ridge: Scores) -> Scores:
    lengths = np.diff(rows.indptr)[block]
    step = np.arange(lengths.max())
    is_own = step < lengths[:, None]
    at = np.where(is_own, rows.indptr[block][:, None] + step, 0)
    weights = np.where(is_own, rows.data[at], 0).astype(np.float32)
    sizes = np.sqrt(np.abs(weights))
    damped = vectors[rows.indices[at]] * (sizes[:, :, None] / np.sqrt(ridge)[:, None, :])
    products = damped @ damped.transpose(0, 2, 1)
    products[:, step, step] += 1
    parts = np.linalg.solve(products, (sizes * (weights > 0))[:, :, None])
    found = (parts.transpose(0, 2, 1) @ damped)[:, 0] / np.sqrt(ridge)
    return found.astype(np.float32)


def _long(rows: Sparse, row: int, vectors: Scores, ridge: Scores) -> Scores:
    span = slice(rows.indptr[row], rows.indptr[row + 1])
    own, weights = vectors[rows.indices[span]], rows.data[span]
    matrix = (own.T * np.abs(weights)) @ own + np.diag(ridge)
    return np.linalg.solve(matrix, np.maximum(weights, 0) @ own).astype(np.float32)
