"""A graph filter: what is left of a row when only the strongest shared tastes pass."""

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.models.base import Because, Ranking, Scores, check_fitted, largest_parts
from recsys.models.decompose import strongest_directions
from recsys.models.lists import Sparse, has_liked, liked_only
from recsys.models.vectors import Vectors

# The vectors hold at most so many numbers, 400 MB, so that memory does not grow with the catalogue.
MAX_ENTRIES = 100_000_000
# A shop of a few items has this many tastes.
LEAST_FACTORS = 16


@dataclass(kw_only=True, slots=True, eq=False)
class Spectral:
    """The low-pass filter of GF-CF (Shen et al. 2021) on the graph of persons and items.

    Weights are divided by powers of how much a person and an item have in all; a row is projected
    on the strongest right singular vectors of that matrix, and what comes out is multiplied by a
    power of how much an item has. Only the projection is kept: no person is.

    Parameters
    ----------
    factors, share
        How many directions pass: this share of the number of items or of persons, whichever is
        smaller, but at most so many.
    person_damping, item_damping
        Powers by which weights are divided before directions are looked for, 0 to 1.
    source_damping
        How much a popular item of the row is held back, 0 to 1.
    target_lift
        How much a popular item is preferred; `item_damping` would undo the division exactly.
    smoothing
        How much weaker directions are held back: their squared singular value to this power.
    exact_below
        Up to so many items a request scores them all; above that those near the row's in the graph.
    seed
        Of the first directions.

    Attributes
    ----------
    source_
        Shape (n_items, n_factors). What an item of the row adds to a person's vector.
    target_
        What that vector is multiplied with.
    """

    factors: int = 1_500
    share: float = 1 / 20
    person_damping: float = 0.3
    item_damping: float = 0.5
    source_damping: float = 0.5
    target_lift: float = 0.5
    smoothing: float = 0.0
    exact_below: int = 20_000
    seed: int = 0

    source_: Scores = field(init=False, repr=False)
    target_: Vectors = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn from positive weights of both kinds together."""
        matrix = liked_only(interactions)
        sizes = np.asarray(matrix.sum(axis=0), dtype=np.float32)
        scaled = self._scaled(matrix, sizes)
        values, vectors = strongest_directions(scaled, self._rank(matrix), self.seed)
        # Where there is nothing to learn there are no directions, only the start of the search.
        kept = values > 1e-4 * values[:1].sum()
        values, vectors = values[kept], vectors[:, kept]
        gains = (values / values[:1]) ** (2 * self.smoothing)
        self.source_ = _power(sizes, -self.source_damping)[:, None] * vectors * gains
        target = _power(sizes, self.target_lift)[:, None] * vectors
        self.target_ = Vectors.of(target, interactions, catalog, self.exact_below)
        return self

    def _scaled(self, matrix: Sparse, sizes: Scores) -> Sparse:
        persons = _power(np.asarray(matrix.sum(axis=1)), -self.person_damping)
        items = _power(sizes, -self.item_damping)
        return csr_array(diags_array(persons) @ matrix @ diags_array(items))

    def _rank(self, matrix: Sparse) -> int:
        wanted = min(self.factors, round(self.share * min(matrix.shape)))
        return max(LEAST_FACTORS, min(wanted, MAX_ENTRIES // max(1, matrix.shape[1])))

    def _person(self, row: Row) -> Scores:
        check_fitted(self)
        return row.once((self.target_, "projected"), lambda: row.weights @ self.source_[row.items])

    def score(self, rows: Rows) -> Scores:
        """What comes out of the filter for every item."""
        check_fitted(self)
        scores = np.asarray((rows.csr() @ self.source_) @ self.target_.vectors.T, np.float32)
        scores[~has_liked(rows)] = np.nan
        return scores

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best of all items, or of those near the row's."""
        check_fitted(self)
        if not (row.weights > 0).any():
            return Ranking.none()
        return self.target_.best(row, self._person(row), k, within)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """What comes out of the filter for some items."""
        check_fitted(self)
        if not (row.weights > 0).any():
            return np.full(len(items), np.nan, dtype=np.float32)
        return self.target_.score_of(self._person(row), items)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The row's item that adds most to each score."""
        check_fitted(self)
        if len(row) == 0:
            return [None] * len(items)
        own = np.maximum(row.weights, 0)[:, None] * self.source_[row.items]
        parts = own @ self.target_.vectors[items].T
        return largest_parts(row, parts)


def _power(sizes: NDArray[np.floating], exponent: float) -> Scores:
    """Sizes to a power; 0 where there is nothing, whatever the power."""
    safe = np.where(sizes > 0, sizes, 1)
    return np.where(sizes > 0, safe**exponent, 0).astype(np.float32)
