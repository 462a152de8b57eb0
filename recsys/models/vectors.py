"""Items as vectors, and how a person's vector finds its best: among all, or among what is near."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.models.base import Ranking, Scores
from recsys.models.graph import Graph
from recsys.models.lists import ListsByKind, ScoredLists

# What a request scores where it does not score all: of each of its strongest items' lists, so long,
# so many that these most speak for. Vectors of a thousand numbers are found so for a third of the
# cost of an index of cells, which loses a fourth of them; this loses one in fifty.
N_NEAR, N_KEYS, N_SCORED = 150, 100, 1_500


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Vectors of items; an item's score for a person is the product with theirs.

    Attributes
    ----------
    vectors
        Shape (n_items, n_factors); zeros for an item of which nothing is known.
    kind
        Shape (n_items,).
    near
        For each item those of each kind that the same people liked; empty if all are scored.
    """

    vectors: Scores
    kind: NDArray[np.int8]
    near: ListsByKind

    @classmethod
    def of(
        cls, vectors: NDArray[np.floating], interactions: Rows, catalog: Catalog, exact_below: int
    ) -> Self:
        """Up to `exact_below` items are all scored, which is then cheaper than lists."""
        if len(vectors) <= exact_below:
            near = ListsByKind.of(lambda _: ScoredLists.of([Ranking.none()] * len(catalog)))
        else:
            near = Graph(n_neighbours=N_NEAR).fit(interactions, catalog).neighbours_
        return cls(np.ascontiguousarray(vectors, dtype=np.float32), catalog.kind.copy(), near)

    def best(self, row: Row, person: Scores, k: int, within: Kind | None) -> Ranking:
        """The k items of highest product with the vector of a row's person; only above 0."""
        items = self._asked(row, max(N_SCORED, 4 * k), within)
        scores = self.score_of(person, items)
        return Ranking.best(items[scores > 0], scores[scores > 0], k)

    def _asked(self, row: Row, n: int, within: Kind | None) -> Idxs:
        if len(self.near.products.items) + len(self.near.videos.items):
            return self.near.ranking(row.strongest(N_KEYS), n, within).items
        is_asked = np.ones(len(self.kind), np.bool_) if within is None else self.kind == within
        return np.flatnonzero(is_asked).astype(np.int32)

    def score_of(self, person: Scores, items: Idxs) -> Scores:
        """Shape (n items,). Products with a person's vector."""
        # Nearly all of the vectors are sooner multiplied than picked out.
        if 2 * len(items) > len(self.vectors):
            return np.asarray((self.vectors @ person)[items], dtype=np.float32)
        return np.asarray(self.vectors[items] @ person, dtype=np.float32)
