"""What people who watched a video to the end buy, and what else they watch to the end."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.events import EventType
from recsys.interactions import Rows
from recsys.models.base import Ranking
from recsys.models.baskets import luck
from recsys.models.behaviours import WATCHED, Behaviours
from recsys.models.item_knn import blocks
from recsys.models.lists import ListsByKind, ScoredLists, Sparse, best_of_rows, liked_only
from recsys.models.neighbours import ByNeighbours


@dataclass(kw_only=True, slots=True, eq=False)
class Finished(ByNeighbours):
    """Of those who watched a video to the end, or bought a product, what more than others did so.

    Two items that n and m of N persons finished are both finished by n·m/N of them by chance. Kept
    is a pair that chance would bring rarer than `chance` (the exact Poisson tail); it counts the
    excess: the share of those of the one that has the other for no reason but the first.

    Parameters
    ----------
    n_neighbours
        How many items of each kind are kept for each item.
    chance
        A pair that luck would bring more often than this is left out; 0 to 1.
    min_together
        A pair of fewer persons than this is left out.
    shrinkage
        Draws what few persons speak for towards 0; in persons.
    """

    n_neighbours: int = 100
    chance: float = 0.01
    min_together: int = 3
    shrinkage: float = 10.0

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn from plays of most of a video and from orders; of rows without acts, from all."""
        finished = _finished(interactions, catalog)

        def of_kind(kind: Kind) -> ScoredLists:
            return ScoredLists.of(self._pairs(finished, catalog.of_kind(kind)))

        self.neighbours_ = ListsByKind.of(of_kind)
        return self

    def _pairs(self, finished: Sparse, targets: Idxs) -> Iterator[Ranking]:
        counts = np.asarray(finished.sum(axis=0), dtype=np.float64)
        n_persons = max(1, int((np.diff(finished.indptr) > 0).sum()))
        sources, aims = csr_array(finished.T), csr_array(finished[:, targets])
        for start, end in blocks(sources, aims):
            found = csr_array(sources[start:end] @ aims)
            keys = np.repeat(np.arange(start, end), np.diff(found.indptr))
            others = targets[found.indices]
            expected = counts[keys] * counts[others] / n_persons
            left_out = luck(found.data, expected) > self.chance
            left_out |= (found.data < self.min_together) | (others == keys)
            excess = (found.data - expected) / (counts[keys] + self.shrinkage)
            found.data = np.where(left_out, 0, excess).astype(np.float32)
            yield from best_of_rows(found, self.n_neighbours, targets)


def _finished(rows: Rows, catalog: Catalog) -> Sparse:
    """Who finished what, ones of shape (n_rows, n_items)."""
    acts = rows.acts
    if acts is None:
        found = liked_only(rows)
    else:
        behaviours = Behaviours.of(acts, catalog.duration_s)
        found = csr_array(
            behaviours.matrix(acts, WATCHED, rows.n_items)
            + behaviours.matrix(acts, int(EventType.ORDER), rows.n_items)
        )
    found.data = np.ones_like(found.data)
    return found
