"""What goes together in one order: pairs that chance does not explain, and no others."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import gammainc

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.models.base import Because, Ranking, Scores, check_fitted
from recsys.models.item_knn import blocks
from recsys.models.lists import ListsByKind, ScoredLists, best_of_rows
from recsys.models.orders import Orders, has_orders

# A request reads the lists of so many items.
MAX_KEYS = 100


@dataclass(kw_only=True, slots=True, eq=False)
class Baskets:
    """Items bought together more often than if the same baskets had been filled at random.

    Filled at random, two items in n and m baskets meet n·m·Σs(s−1)/(Σs)² times, where s are the
    sizes of the baskets. A pair is kept if to meet as often as it did would then be rarer than
    `chance`: the exact Poisson tail, as the log-likelihood ratio of Dunning (1993) is far too
    kind to pairs seen once or twice. Its score is the excess: of the baskets with the one, the
    share that has the other for no reason but the first. So a bestseller that is in every other
    basket goes with nothing, and where little is known nothing is said.

    Parameters
    ----------
    n_neighbours
        How many items of each kind are kept for each item.
    chance
        A pair that luck would bring more often than this is left out; 0 to 1.
    min_together
        A pair seen in fewer baskets than this is left out.
    shrinkage
        Draws what few baskets speak for towards 0; in baskets.

    Attributes
    ----------
    together_
        For each item what goes with it, of each kind.
    """

    n_neighbours: int = 100
    chance: float = 0.001
    min_together: int = 3
    shrinkage: float = 5.0

    together_: ListsByKind = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn from orders; where nobody ordered, a person's likings are one basket."""
        orders = Orders.of(interactions, may_be_likings=not has_orders(interactions))

        def of_kind(kind: Kind) -> ScoredLists:
            return ScoredLists.of(self._pairs(orders, catalog.of_kind(kind)))

        self.together_ = ListsByKind.of(of_kind)
        return self

    def _pairs(self, orders: Orders, targets: Idxs) -> Iterator[Ranking]:
        sizes = np.diff(orders.offsets).astype(np.float64)
        meeting = (sizes * (sizes - 1)).sum() / max(1.0, sizes.sum() ** 2)
        counts = np.bincount(orders.items, minlength=orders.n_items).astype(np.float64)
        baskets = orders.csr()
        sources, aims = csr_array(baskets.T), csr_array(baskets[:, targets])
        for start, end in blocks(sources, aims):
            found = csr_array(sources[start:end] @ aims)
            keys = np.repeat(np.arange(start, end), np.diff(found.indptr))
            others = targets[found.indices]
            expected = counts[keys] * counts[others] * meeting
            is_luck = luck(found.data, expected) > self.chance
            excess = (found.data - expected) / (counts[keys] + self.shrinkage)
            left_out = is_luck | (found.data < self.min_together) | (others == keys)
            found.data = np.where(left_out, 0, excess).astype(np.float32)
            yield from best_of_rows(found, self.n_neighbours, targets)

    def score(self, rows: Rows) -> Scores:
        """Sum of excess times weight over the row's items."""
        check_fitted(self)
        return self.together_.scores(rows)

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best of what goes with the row's strongest items."""
        check_fitted(self)
        return self.together_.ranking(row.strongest(MAX_KEYS), k, within)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """As `candidates` scores them."""
        check_fitted(self)
        return self.together_.score_of(row.strongest(MAX_KEYS), items)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The row's item that it goes with most."""
        check_fitted(self)
        keys = self.together_.strongest_keys(row.strongest(MAX_KEYS), items)
        return [None if key is None else Because(item_idx=key) for key in keys]


def luck(together: NDArray[Any], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """The chance to meet at least so often when this often is expected."""
    return np.asarray(gammainc(np.maximum(together.astype(np.float64), 1), expected))
