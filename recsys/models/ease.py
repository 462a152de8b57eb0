"""A linear autoencoder: the weights by which items speak for each other, all learned at once."""

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from recsys.catalog import Catalog, Idxs, Kind
from recsys.ids import Ints
from recsys.interactions import Row, Rows
from recsys.models.base import Because, Ranking, Scores, check_fitted
from recsys.models.lists import Sparse, has_liked, liked_only


@dataclass(frozen=True, slots=True, eq=False)
class ItemWeights:
    """What each of some items adds to each other one.

    Attributes
    ----------
    items
        Shape (n,). The items that take part, ascending.
    place
        Shape (n_items,). Where an item is among them; -1 if it is not.
    weights
        Shape (n, n). What an item of the row (first) adds to another.
    kind
        Shape (n,).
    """

    items: Idxs
    place: Ints
    weights: Scores
    kind: NDArray[np.int8]

    def summed(self, row: Row) -> Scores:
        """Shape (n,). What a row's items add to each item that takes part.

        What is unlike an item that the person dislikes is not liked for that: a dislike only
        takes away.
        """
        own = self.place[row.items]
        has_place = own >= 0
        weights, given = row.weights[has_place], self.weights[own[has_place]]
        liked, disliked = np.maximum(weights, 0), np.minimum(weights, 0)
        scores: Scores = liked @ given + disliked @ np.maximum(given, 0)
        return scores

    def all_summed(self, rows: Rows) -> Scores:
        """Shape (n_rows, n). The same for many rows."""
        own = rows.csr()[:, self.items]
        scores: Scores = own.maximum(0) @ self.weights
        if (own.data < 0).any():
            scores += own.minimum(0) @ np.maximum(self.weights, 0)
        return scores

    def parts(self, row: Row, items: Idxs) -> Scores:
        """Shape (n of the row, n items). What each liked item of a row adds to some others."""
        own, wanted = self.place[row.items], self.place[items]
        parts: Scores = np.maximum(row.weights, 0)[:, None] * self.weights[own][:, wanted]
        parts[own < 0] = 0
        parts[:, wanted < 0] = 0
        return parts


@dataclass(kw_only=True, slots=True, eq=False)
class EASE:
    """EASE (Steck 2019): the ridge regression of every item on all others, in closed form.

    Its weights are dense, so of a large catalogue only the items liked most take part; the others
    are left to other models.

    Parameters
    ----------
    n_items
        How many items take part at most: weights take 4 n² bytes, learning n³ steps.
    regularization
        Added to the diagonal of the items' products, as a multiple of its mean.
    noise
        Share of a person's items that is thought to be missing when the rest are to bring them
        back (Steck 2020): holds back what is popular more than what is not.
    target_damping
        How much a popular item to show is held back, 0 to 1.

    Attributes
    ----------
    learned_
        The items that take part, and their weights.
    """

    n_items: int = 8_000
    regularization: float = 5.0
    noise: float = 0.5
    target_damping: float = 0.05

    learned_: ItemWeights = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn from positive weights of both kinds together."""
        matrix = liked_only(interactions)
        counts = np.bincount(matrix.indices, minlength=matrix.shape[1])
        most = np.argsort(-counts, kind="stable")[: self.n_items]
        items = np.sort(most[counts[most] > 0]).astype(np.int32)
        place = np.full(matrix.shape[1], -1, dtype=np.int64)
        place[items] = np.arange(len(items))
        weights = self._weights(matrix[:, items])
        self.learned_ = ItemWeights(items, place, weights, catalog.kind[items])
        return self

    def _weights(self, matrix: Sparse) -> Scores:
        products = (matrix.T @ matrix).toarray().astype(np.float32)
        n = len(products)
        if n == 0:
            return products
        strengths = np.diag(products).copy()
        added = self.regularization * strengths.mean() + self.noise / (1 - self.noise) * strengths
        products[np.arange(n), np.arange(n)] += added
        inverse = _inverse(products)
        weights = -inverse / np.diag(inverse)
        weights[np.arange(n), np.arange(n)] = 0
        return np.asarray(weights * strengths**-self.target_damping, dtype=np.float32)

    def _scores(self, row: Row) -> Scores:
        check_fitted(self)
        return row.once((self.learned_, "summed"), lambda: self.learned_.summed(row))

    def score(self, rows: Rows) -> Scores:
        """Sum of weights over the row's items; NaN for items that take no part."""
        check_fitted(self)
        scores = np.full((len(rows), rows.n_items), np.nan, dtype=np.float32)
        scores[:, self.learned_.items] = self.learned_.all_summed(rows)
        scores[~has_liked(rows)] = np.nan
        return scores

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best of all items that take part."""
        scores = self._scores(row)
        if not (row.weights > 0).any():
            return Ranking.none()
        is_wanted = scores > 0
        if within is not None:
            is_wanted &= self.learned_.kind == within
        kept = np.flatnonzero(is_wanted)
        return Ranking.best(self.learned_.items[kept], scores[kept], k)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """As `score` gives them."""
        summed = self._scores(row)
        scores = np.full(len(items), np.nan, dtype=np.float32)
        if (row.weights > 0).any():
            places = self.learned_.place[items]
            scores[places >= 0] = summed[places[places >= 0]]
        return scores

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The row's item that adds most to each score."""
        check_fitted(self)
        if len(row) == 0 or len(self.learned_.items) == 0:
            return [None] * len(items)
        parts = self.learned_.parts(row, items)
        return [
            Because(item_idx=int(row.items[best])) if part > 0 else None
            for best, part in zip(parts.argmax(axis=0), parts.max(axis=0), strict=True)
        ]


def _inverse(matrix: Scores) -> Scores:
    """Of a positive definite matrix, in its own memory and single precision."""
    factor, failed = lapack.spotrf(matrix.T, lower=0, overwrite_a=1)
    if not failed:
        factor, failed = lapack.spotri(factor, lower=0, overwrite_c=1)
    if failed:
        raise ValueError(f"items' products have no inverse, got {failed}; allowed: a larger ridge")
    upper: Scores = np.triu(factor)
    return upper + np.triu(upper, 1).T
