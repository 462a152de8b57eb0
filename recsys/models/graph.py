"""A graph filter without factors: two steps from item to person to item, damped at each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Rows
from recsys.models.base import Ranking, Scores
from recsys.models.item_knn import blocks
from recsys.models.lists import ListsByKind, ScoredLists, Sparse, best_of_rows, liked_only
from recsys.models.neighbours import ByNeighbours

# The lists of one kind hold at most so many entries, 1.6 GB, whatever the catalogue.
MAX_ENTRIES = 200_000_000


@dataclass(kw_only=True, slots=True, eq=False)
class Graph(ByNeighbours):
    """The first filter of Turbo-CF (Park, Shin and Shin 2024), with the powers apart.

    What an item i of the row adds to another j is (Σ_u w_ui w_uj / |u|^(2·person_damping) /
    (|i|^source_damping · |j|^target_damping))^sharpness, where |·| is the sum of weights.

    Parameters
    ----------
    n_neighbours
        How many items of each kind are kept for each item.
    person_damping
        How much those who like many things are held back, 0 to 1.
    source_damping, target_damping
        How much a popular item of the row, or a popular item to show, is held back; 0 to 1.
    sharpness
        Below 1 many weak neighbours count more against a strong one.
    """

    n_neighbours: int = 500
    person_damping: float = 0.5
    source_damping: float = 0.5
    target_damping: float = 0.4
    sharpness: float = 0.7

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn from positive weights of both kinds together."""
        liked = liked_only(interactions)
        persons = _power(np.asarray(liked.sum(axis=1), dtype=np.float32), -self.person_damping)
        damped = csr_array(diags_array(persons) @ liked)
        sizes = np.asarray(liked.sum(axis=0), dtype=np.float32)

        def of_kind(kind: Kind) -> ScoredLists:
            return ScoredLists.of(self._nearest(damped, sizes, catalog.of_kind(kind)))

        self.neighbours_ = ListsByKind.of(of_kind)
        return self

    def _nearest(self, damped: Sparse, sizes: Scores, targets: Idxs) -> Iterator[Ranking]:
        source = _power(sizes, -self.source_damping)
        target = _power(sizes[targets], -self.target_damping)
        n_kept = min(self.n_neighbours, MAX_ENTRIES // max(1, len(sizes)))
        item_users, user_targets = csr_array(damped.T), csr_array(damped[:, targets])
        for start, end in blocks(item_users, user_targets):
            together = csr_array(item_users[start:end] @ user_targets)
            keys = np.repeat(np.arange(start, end), np.diff(together.indptr))
            raised = together.data * source[keys] * target[together.indices]
            together.data = raised ** np.float32(self.sharpness)
            together.data[targets[together.indices] == keys] = 0
            yield from best_of_rows(together, n_kept, targets)


def _power(sizes: Scores, exponent: float) -> Scores:
    """Sizes to a power; 1 where there is nothing to divide."""
    return np.where(sizes > 0, sizes, 1).astype(np.float32) ** np.float32(exponent)
