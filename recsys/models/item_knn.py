"""Items that the same persons like: a cosine between items, over products and videos together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Rows
from recsys.models.base import Ranking
from recsys.models.lists import ListsByKind, ScoredLists, Sparse, best_of_rows, liked_only
from recsys.models.neighbours import ByNeighbours

# A block of the item × item product holds at most so many entries, about 200 MB.
MAX_BLOCK_ENTRIES = 16_000_000


@dataclass(kw_only=True, slots=True, eq=False)
class ItemKNN(ByNeighbours):
    """Item neighbours by cosine (Deshpande and Karypis 2004), shrunk as by Koren (2008).

    The similarity of a person's item i to another item j is Σ_u w_ui w_uj divided by
    (|w_i|^(2·source_damping) · |w_j|^(2·target_damping) + shrinkage); one half each is the cosine.
    The most similar products and the most similar videos of each item are kept apart, so that
    who only watched is also sold something.

    Parameters
    ----------
    n_neighbours
        How many items of each kind are kept for each item.
    shrinkage
        Draws similarities that few persons speak for towards 0.
    source_damping, target_damping
        How much a popular item of the person, or a popular item to show, is held back; 0 to 1.
    person_damping
        How much those who like many things are held back: weights are divided by their sum to this
        power; 0 means not at all.
    """

    n_neighbours: int = 100
    shrinkage: float = 20.0
    source_damping: float = 0.5
    target_damping: float = 0.5
    person_damping: float = 0.25

    max_keys: ClassVar[int] = 100

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn from positive weights of both kinds together."""
        user_items = self._damped(liked_only(interactions))

        def of_kind(kind: Kind) -> ScoredLists:
            return ScoredLists.of(self._nearest(user_items, catalog.of_kind(kind)))

        self.neighbours_ = ListsByKind.of(of_kind)
        return self

    def _damped(self, user_items: Sparse) -> Sparse:
        sizes = np.asarray(user_items.sum(axis=1), dtype=np.float32)
        # A person without positive weights has no entries, so any factor will do.
        factors = np.where(sizes > 0, sizes, 1) ** np.float32(-self.person_damping)
        return csr_array(diags_array(factors) @ user_items)

    def _nearest(self, user_items: Sparse, targets: Idxs) -> Iterator[Ranking]:
        norms = np.asarray(user_items.power(2).sum(axis=0), dtype=np.float32)
        source = norms**self.source_damping
        target = norms[targets] ** self.target_damping
        item_users, user_targets = csr_array(user_items.T), csr_array(user_items[:, targets])
        for start, end in blocks(item_users, user_targets):
            together = csr_array(item_users[start:end] @ user_targets)
            keys = np.repeat(np.arange(start, end), np.diff(together.indptr))
            divisor = source[keys] * target[together.indices] + self.shrinkage
            together.data = together.data / divisor
            together.data[targets[together.indices] == keys] = 0
            yield from best_of_rows(together, self.n_neighbours, targets)


def blocks(item_users: Sparse, user_targets: Sparse) -> Iterator[tuple[int, int]]:
    """Ranges of items whose product with the targets stays under the allowed number of entries."""
    reach = item_users.astype(bool).astype(np.float32) @ np.diff(user_targets.indptr)
    upto = np.cumsum(np.minimum(reach, user_targets.shape[1]))
    start, n_items = 0, item_users.shape[0]
    while start < n_items:
        before = upto[start - 1] if start else 0.0
        end = int(np.searchsorted(upto, before + MAX_BLOCK_ENTRIES, side="right"))
        # One item alone may be too much, but cannot be split.
        end = max(end, start + 1)
        yield start, end
        start = end
