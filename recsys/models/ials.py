"""Matrix factorisation whose regularisation grows with how often a person or an item is met."""

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.models.base import Because, Ranking, Scores, check_fitted, largest_parts
from recsys.models.decompose import strongest_directions
from recsys.models.equations import Shared, solved, turned
from recsys.models.lists import Sparse, has_liked
from recsys.models.vectors import Vectors

# The vectors hold at most so many numbers, so that memory does not grow with the catalogue.
MAX_ENTRIES = 100_000_000
# The length of the first vectors: what they say is then about a third of what is to be said.
START = 0.3
LARGEST_SHARE = 0.05


@dataclass(kw_only=True, slots=True, eq=False)
class IALS:
    """Implicit ALS (Hu, Koren, Volinsky 2008) as tuned by Rendle, Krichene, Zhang, Koren (2022).

    The regularisation of each vector is a multiple of all confidence that speaks in its equation,
    so that who did much is held back no less than who did little. The first vectors are the
    strongest directions of the damped matrix, from where two passes are enough. Persons' vectors
    are not kept: a row is folded in by the equation that the learner solves.

    Parameters
    ----------
    factors
        Length of the vectors; at most a twelfth of the number of items or of persons.
    unobserved
        Confidence that an item nobody told of is not liked, all items and persons together, as a
        multiple of the confidence in all that was told; a told weight w counts |w|.
    regularization
        Added to the diagonal of each equation, as a share of all confidence that is in it: this
        by the geometric mean of the numbers of items and of persons, but at most `LARGEST_SHARE`.
        The more there is to learn from, the more may be learned.
    iterations
        Passes over persons and items.
    exact_below
        Up to so many items a request scores them all; above that those near the row's in the graph.
    seed
        Of the first vectors.

    Attributes
    ----------
    items_
        Vectors of items, turned so that the part of the equations that all share is a diagonal.
    shared_
        That part.
    """

    factors: int = 256
    unobserved: float = 7.0
    regularization: float = 40.0
    iterations: int = 2
    exact_below: int = 20_000
    seed: int = 0

    items_: Vectors = field(init=False, repr=False)
    shared_: Shared = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn from both kinds together; dislikes speak against."""
        told = interactions.csr()
        total = float(np.abs(told.data).sum())
        each = self.unobserved * total / max(1, told.shape[0] * told.shape[1])
        share = min(
            LARGEST_SHARE, self.regularization / max(1, told.shape[0] * told.shape[1]) ** 0.5
        )
        items, by_item = self._first(told), csr_array(told.T)
        for _ in range(self.iterations if total else 0):
            shared, items = turned(items, each, share)
            persons = solved(told, items, shared)
            shared, persons = turned(persons, each, share)
            items = solved(by_item, persons, shared)
        self.shared_, items = turned(items, each, share)
        self.items_ = Vectors.of(items, interactions, catalog, self.exact_below)
        return self

    def _first(self, told: Sparse) -> Scores:
        """The strongest directions of the matrix of what is liked, damped by sizes."""
        liked = told.copy()
        liked.data = np.maximum(liked.data, 0)
        scales = [np.maximum(liked.sum(axis=axis), 1) ** -0.5 for axis in (1, 0)]
        damped = csr_array(diags_array(scales[0]) @ liked @ diags_array(scales[1]))
        rank = max(
            1, min(self.factors, min(told.shape) // 12, MAX_ENTRIES // max(1, told.shape[1]))
        )
        values, vectors = strongest_directions(damped.astype(np.float32), rank, self.seed)
        first = vectors * values / np.sqrt(scales[1])[:, None]
        mean_square = np.mean(np.einsum("ij,ij->i", first, first)) if first.size else 0
        return np.asarray(first * (START / np.sqrt(mean_square or 1.0)), dtype=np.float32)

    def _person(self, row: Row) -> Scores:
        check_fitted(self)
        return row.once((self.items_, "folded"), lambda: self._folded(row))

    def _folded(self, row: Row) -> Scores:
        alone = Rows.of([row], len(self.items_.vectors))
        return np.asarray(solved(alone.csr(), self.items_.vectors, self.shared_)[0])

    def score(self, rows: Rows) -> Scores:
        """Product of the folded-in row with every item; about 1 for what is surely liked."""
        check_fitted(self)
        scores = solved(rows.csr(), self.items_.vectors, self.shared_) @ self.items_.vectors.T
        scores[~has_liked(rows)] = np.nan
        return scores

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best of all items, or of those near the row's."""
        check_fitted(self)
        if not (row.weights > 0).any():
            return Ranking.none()
        return self.items_.best(row, self._person(row), k, within)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """Product of the folded-in row with the items."""
        check_fitted(self)
        if not (row.weights > 0).any():
            return np.full(len(items), np.nan, dtype=np.float32)
        return self.items_.score_of(self._person(row), items)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The row's item of largest part in each score, a sum over the row's liked items."""
        check_fitted(self)
        if len(row) == 0:
            return [None] * len(items)
        parts = self._parts(row, items)
        return largest_parts(row, parts)

    def _parts(self, row: Row, items: Idxs) -> NDArray[np.float64]:
        """Shape (n of the row, n items); section 5 of Hu, Koren and Volinsky 2008."""
        own = self.items_.vectors[row.items].astype(np.float64)
        confidence = np.abs(row.weights).astype(np.float64)
        ridge = self.shared_.ridge(confidence.sum(keepdims=True))[0]
        matrix = np.diag(ridge) + (own.T * confidence) @ own
        found = np.linalg.solve(matrix, self.items_.vectors[items].T.astype(np.float64))
        return np.asarray(np.maximum(row.weights, 0)[:, None] * (own @ found))
