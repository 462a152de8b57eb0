"""Matrix factorisation for implicit feedback: items as vectors, a person as a fit to their row."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.models.base import Because, Ranking, Scores, check_fitted, largest_parts
from recsys.models.index import IndexByKind
from recsys.models.lists import Sparse, has_liked

Doubles = NDArray[np.float64]
POWER_STEPS = 20


@dataclass(kw_only=True, slots=True, eq=False)
class ALS:
    """Alternating least squares (Hu, Koren, Volinsky 2008), learned by `implicit`.

    A weight w says with confidence |alpha · w| that the person likes the item (w > 0) or does not
    (w < 0). Persons' vectors are not kept: a row is folded in by the same equation the learner
    solves, so a new person and an old one are answered alike.

    Parameters
    ----------
    factors
        Length of the vectors.
    regularization
        Added to the diagonal of each equation, as a share of the largest singular value of the
        confidences: an absolute value that suits a million events forbids a small shop to learn.
    alpha
        Confidence of weight 1.
    iterations
        Passes over persons and items.
    exact_below
        Up to so many items a request scores them all, which is then cheaper than an index.
    n_scored
        Above that: how many items of a kind a request scores, those the index brings.
    seed
        Of the first vectors.

    Attributes
    ----------
    item_factors_
        Shape (n_items, factors).
    ridge_
        Shape (factors, factors). Product of the item factors with themselves, plus what
        regularization adds to its diagonal: the part of each equation that all persons share.
    kind_
        Shape (n_items,).
    index_
        Finds the vectors near a person's; empty if exact.
    """

    factors: int = 64
    regularization: float = 0.03
    alpha: float = 20.0
    iterations: int = 10
    exact_below: int = 20_000
    n_scored: int = 4_000
    seed: int = 0

    item_factors_: Scores = field(init=False, repr=False)
    ridge_: Scores = field(init=False, repr=False)
    kind_: NDArray[np.int8] = field(init=False, repr=False)
    index_: IndexByKind = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn from both kinds together; dislikes speak against."""
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        matrix = interactions.csr()
        regularization = self.regularization * self.alpha * _largest_singular_value(matrix)
        # Several BLAS threads inside the learner's own threads slow each other down.
        with threadpool_limits(1, "blas"):
            learner = AlternatingLeastSquares(
                factors=self.factors,
                regularization=regularization,
                alpha=self.alpha,
                iterations=self.iterations,
                random_state=self.seed,
            )
            learner.fit(csr_matrix(matrix), show_progress=False)
            self.item_factors_ = np.asarray(learner.item_factors, dtype=np.float32)
            # An item nobody touched gets zeros from the equations, up to what is left of its start.
            self.item_factors_[np.bincount(matrix.indices, minlength=matrix.shape[1]) == 0] = 0
            self.ridge_ = self.item_factors_.T @ self.item_factors_
            self.ridge_ += regularization * np.eye(self.factors, dtype=np.float32)
            self.kind_ = catalog.kind.copy()
            is_exact = len(self.item_factors_) <= self.exact_below
            indexed = self.kind_[:0] if is_exact else self.kind_
            self.index_ = IndexByKind.of(self.item_factors_, indexed, self.seed)
        return self

    def _equation(self, row: Row) -> tuple[Any, Doubles, Doubles]:
        """The person's matrix as a Cholesky factor, their items' factors, and confidences."""
        return row.once((self.index_, "equation"), lambda: self._factored(row))

    def _factored(self, row: Row) -> tuple[Any, Doubles, Doubles]:
        own = self.item_factors_[row.items].astype(np.float64)
        confidence = self.alpha * row.weights.astype(np.float64)
        matrix = self.ridge_ + (own.T * (np.abs(confidence) - 1)) @ own
        return cho_factor(matrix, check_finite=False), own, confidence

    def folded(self, row: Row) -> Scores:
        """The person's vector, shape (factors,); as the library's `recalculate_user` gives it."""
        check_fitted(self)
        return row.once((self.index_, "folded"), lambda: self._folded(row))

    def _folded(self, row: Row) -> Scores:
        factor, own, confidence = self._equation(row)
        liked = np.maximum(confidence, 0) @ own
        return np.asarray(cho_solve(factor, liked, check_finite=False), dtype=np.float32)

    def score(self, rows: Rows) -> Scores:
        """Product of the folded-in row with every item; about 1 for what is surely liked."""
        check_fitted(self)
        persons = np.zeros((len(rows), self.factors), dtype=np.float32)
        for place in np.flatnonzero(has_liked(rows)):
            persons[place] = self.folded(rows[int(place)])
        scores = persons @ self.item_factors_.T
        scores[~has_liked(rows)] = np.nan
        return np.asarray(scores, dtype=np.float32)

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best of all items, or of those that the index brings."""
        check_fitted(self)
        if not (row.weights > 0).any():
            return Ranking.none()
        person = self.folded(row)
        if len(self.item_factors_) <= self.exact_below:
            scores = self.item_factors_ @ person
            kept = np.flatnonzero(
                (scores > 0) if within is None else (scores > 0) & (self.kind_ == within)
            )
            return Ranking.best(kept, scores[kept], k)
        items = self.index_.near(person, self.n_scored, within)
        scores = self.item_factors_[items] @ person
        return Ranking.best(items[scores > 0], scores[scores > 0], k)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """Product of the folded-in row with the items."""
        check_fitted(self)
        if not (row.weights > 0).any():
            return np.full(len(items), np.nan, dtype=np.float32)
        return np.asarray(self.item_factors_[items] @ self.folded(row), dtype=np.float32)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The row's item of largest part in each score, a sum over the row's liked items.

        The decomposition of section 5 of Hu, Koren and Volinsky 2008.
        """
        check_fitted(self)
        if len(row) == 0:
            return [None] * len(items)
        factor, own, confidence = self._equation(row)
        solved = cho_solve(factor, self.item_factors_[items].T.astype(np.float64))
        parts = np.maximum(confidence, 0)[:, None] * (own @ solved)
        return largest_parts(row, parts)


def _largest_singular_value(matrix: Sparse) -> float:
    """By power iteration, as exact as a setting needs; 1 for a matrix of zeros."""
    sizes = abs(matrix)
    vector = np.ones(matrix.shape[1], dtype=np.float64)
    for _ in range(POWER_STEPS):
        image = sizes.T @ (sizes @ vector)
        vector = image / (np.linalg.norm(image) or 1.0)
    return float(np.linalg.norm(sizes @ vector)) or 1.0
