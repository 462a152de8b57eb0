"""A linear autoencoder of a whole catalogue: each item's regression on those nearest to it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Catalog, Kind
from recsys.interactions import Rows
from recsys.models.base import Scores
from recsys.models.lists import ListsByKind, ScoredLists, Sparse, liked_only
from recsys.models.neighbours import ByNeighbours
from recsys.models.ridge import Pairs, Rule, learned

# All weights together are at most so many, 800 MB, whatever the catalogue.
MAX_ENTRIES = 100_000_000


@dataclass(kw_only=True, slots=True, eq=False)
class LocalEASE(ByNeighbours):
    """EASE (Steck 2019) in which only the items nearest to a target tell of it.

    The choice is that of fsSLIM (Ning and Karypis 2011), by co-occurrence over the root of how
    often the other item is met; the regression on it is EASE's, so that each target costs a small
    system of its own and no catalogue is too large. Weights below 0, one in two hundred, are left
    out: lists of what speaks for an item serve what was learned as it is.

    Parameters
    ----------
    n_neighbours
        How many items tell of each: learning costs the cube of it for each item.
    n_listed
        How many items of each kind are kept for each item of a person, at most.
    regularization
        Added to the diagonal of the items' products, as a multiple of its mean.
    noise
        Share of a person's items that is thought to be missing when the rest are to bring them
        back (Steck 2020): holds back what is popular more than what is not.
    person_damping
        How much those who like many things are held back: weights are divided by their sum to this
        power; 0 to 1.
    target_damping
        How much a popular item to show is held back, 0 to 1.
    """

    n_neighbours: int = 150
    n_listed: int = 1_000
    regularization: float = 3.0
    noise: float = 0.67
    person_damping: float = 0.15
    target_damping: float = 0.1

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn from positive weights of both kinds together."""
        liked = liked_only(interactions)
        sizes = _power(np.asarray(liked.sum(axis=1)), -self.person_damping)
        weights = self._weights(csr_array(diags_array(sizes) @ liked))

        def of_kind(kind: Kind) -> ScoredLists:
            targets = catalog.of_kind(kind)
            told = csr_array(weights[targets].T)
            return ScoredLists.of_matrix(told, self.n_listed, targets)

        self.neighbours_ = ListsByKind.of(of_kind)
        return self

    def _weights(self, damped: Sparse) -> Sparse:
        """Shape (n_items, n_items). What the items of each column add to those of each row."""
        n_items = damped.shape[1]
        strengths = np.asarray(damped.power(2).sum(axis=0), dtype=np.float32)
        mean = strengths[strengths > 0].mean() if strengths.any() else 1.0
        ridge = self.regularization * mean + self.noise / (1 - self.noise) * strengths
        n_kept = max(1, min(self.n_neighbours, MAX_ENTRIES // max(1, n_items)))
        rule = Rule(_power(strengths, -0.5), ridge.astype(np.float32), n_kept)
        lengths, items, weights = learned(_pairs(damped), rule, 0, n_items)
        weights *= np.repeat(_power(strengths, -self.target_damping), lengths)
        ends = np.concatenate([[0], np.cumsum(lengths)])
        return csr_array((weights, items, ends), shape=(n_items, n_items))


def _pairs(damped: Sparse) -> Pairs:
    by_item = csr_array(damped.T)
    return Pairs(
        damped.indptr.astype(np.int64),
        damped.indices.astype(np.int32),
        damped.data.astype(np.float32),
        by_item.indptr.astype(np.int64),
        by_item.indices.astype(np.int32),
        by_item.data.astype(np.float32),
    )


def _power(sizes: NDArray[np.floating], exponent: float) -> Scores:
    """Sizes to a power; 1 where there is nothing to divide."""
    return np.where(sizes > 0, sizes, 1).astype(np.float32) ** np.float32(exponent)
