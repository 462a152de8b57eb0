"""Items as vectors, and how a person's vector finds its best items: among all, or by an index."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Idxs, Kind
from recsys.models.base import Ranking, Scores
from recsys.models.index import IndexByKind

# How many items of a kind a request scores at most, where it does not score them all.
N_SCORED = 4_000


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Vectors of items; an item's score for a person is the product with theirs.

    Attributes
    ----------
    vectors
        Shape (n_items, n_factors); zeros for an item of which nothing is known.
    kind
        Shape (n_items,).
    index
        Finds the vectors near a person's; it has no cells if all items are to be scored.
    """

    vectors: Scores
    kind: NDArray[np.int8]
    index: IndexByKind

    @classmethod
    def of(cls, vectors: Scores, kind: NDArray[np.int8], exact_below: int, seed: int) -> Self:
        """Up to `exact_below` items are all scored, which is then cheaper than an index."""
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        indexed = kind[:0] if len(vectors) <= exact_below else kind
        return cls(vectors, kind.copy(), IndexByKind.of(vectors, indexed, seed))

    def best(self, person: Scores, k: int, within: Kind | None) -> Ranking:
        """The k items of highest product with a person's vector; only above 0."""
        if self._is_exact():
            scores = self.vectors @ person
            kept = np.flatnonzero(
                (scores > 0) if within is None else (scores > 0) & (self.kind == within)
            )
            return Ranking.best(kept, scores[kept], k)
        items = self.index.near(person, max(N_SCORED, 4 * k), within)
        scores = self.vectors[items] @ person
        return Ranking.best(items[scores > 0], scores[scores > 0], k)

    def _is_exact(self) -> bool:
        return len(self.index.products.centres) + len(self.index.videos.centres) == 0

    def score_of(self, person: Scores, items: Idxs) -> Scores:
        """Shape (n items,). Products with a person's vector."""
        return np.asarray(self.vectors[items] @ person, dtype=np.float32)
