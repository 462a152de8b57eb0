"""Matrix factorisation for implicit feedback: items as vectors, a person as a fit to their row."""

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys import kernels_vectors
from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.models.base import Because, Ranking, Scores, check_fitted
from recsys.models.index import IndexByKind
from recsys.models.lists import Sparse, best_above_zero, has_liked, merged

Doubles = NDArray[np.float64]
POWER_STEPS = 20
# Of what the index brings, so many times the items asked for are scored exactly.
N_EXACT = 2


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
        Above that: how many items of a kind the index looks at.
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

    def _equation(self, row: Row) -> tuple[Doubles, Doubles]:
        """The person's matrix as a Cholesky factor, and their vector."""
        found: tuple[Doubles, Doubles] = row.once(
            (self.index_, "equation"),
            lambda: kernels_vectors.folded(
                self.item_factors_, self.ridge_, row.items, self._confidence(row)
            ),
        )
        return found

    def _confidence(self, row: Row) -> Doubles:
        return self.alpha * row.weights.astype(np.float64)

    def folded(self, row: Row) -> Scores:
        """The person's vector, shape (factors,); as the library's `recalculate_user` gives it."""
        check_fitted(self)
        return row.once((self.index_, "folded"), lambda: self._equation(row)[1].astype(np.float32))

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
        if not row.likes:
            return Ranking.none()
        person = self.folded(row)
        if len(self.item_factors_) <= self.exact_below:
            scores = row.once((self.index_, "exact"), lambda: self.item_factors_ @ person)
            kind = -1 if within is None else int(within)
            items, scores = kernels_vectors.of_kind(scores, self.kind_, kind)
            return best_above_zero(items, scores, k)
        asked = (person, self.n_scored, self.item_factors_, N_EXACT * k, k)
        found = [index.best(*asked) for index in self.index_.within(within)]
        return found[0] if len(found) == 1 else merged(found, k)

    def _products(self, person: Scores, items: Idxs) -> Scores:
        found: Scores = kernels_vectors.products_of(self.item_factors_, person, items)
        return found

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """Product of the folded-in row with the items."""
        check_fitted(self)
        if not row.likes:
            return np.full(len(items), np.nan, dtype=np.float32)
        return self._products(self.folded(row), items)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The row's item of largest part in each score, a sum over the row's liked items.

        The decomposition of section 5 of Hu, Koren and Volinsky 2008.
        """
        check_fitted(self)
        if len(row) == 0:
            return [None] * len(items)
        factor, _ = self._equation(row)
        places = kernels_vectors.largest_part(
            self.item_factors_, factor, row.items, self._confidence(row), items
        )
        return [None if at < 0 else Because(item_idx=int(row.items[at])) for at in places.tolist()]


def _largest_singular_value(matrix: Sparse) -> float:
    """By power iteration, as exact as a setting needs; 1 for a matrix of zeros."""
    sizes = abs(matrix)
    vector = np.ones(matrix.shape[1], dtype=np.float64)
    for _ in range(POWER_STEPS):
        image = sizes.T @ (sizes @ vector)
        vector = image / (np.linalg.norm(image) or 1.0)
    return float(np.linalg.norm(sizes @ vector)) or 1.0
