"""A graph filter without factors: two steps from item to person to item, damped at each."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.models.base import Because, Ranking, Scores, check_fitted
from recsys.models.item_knn import blocks
from recsys.models.lists import ListsByKind, ScoredLists, Sparse, best_of_rows, liked_only

# The lists of one kind hold at most so many entries, 1.6 GB, whatever the catalogue.
MAX_ENTRIES = 200_000_000
# A request reads the lists of so many of a person's items, the strongest.
MAX_KEYS = 200


@dataclass(kw_only=True, slots=True, eq=False)
class Graph:
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

    Attributes
    ----------
    neighbours_
        For each item its neighbours of each kind.
    """

    n_neighbours: int = 500
    person_damping: float = 0.5
    source_damping: float = 0.5
    target_damping: float = 0.4
    sharpness: float = 0.7

    neighbours_: ListsByKind = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

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

    def score(self, rows: Rows) -> Scores:
        """Sum of what the row's items add."""
        check_fitted(self)
        return self.neighbours_.scores(rows)

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best of the neighbours of the row's strongest items."""
        check_fitted(self)
        return self.neighbours_.ranking(row.strongest(MAX_KEYS), k, within)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """As `candidates` scores them."""
        check_fitted(self)
        return self.neighbours_.score_of(row.strongest(MAX_KEYS), items)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The row's item that adds most."""
        check_fitted(self)
        keys = self.neighbours_.strongest_keys(row.strongest(MAX_KEYS), items)
        return [None if key is None else Because(item_idx=key) for key in keys]


def _power(sizes: Scores, exponent: float) -> Scores:
    """Sizes to a power; 1 where there is nothing to divide."""
    return np.where(sizes > 0, sizes, 1).astype(np.float32) ** np.float32(exponent)
