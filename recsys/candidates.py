"""Items in the race: joined from what sources send, and fewer with every filter."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys import kernels_race
from recsys.catalog import Idxs
from recsys.ids import Mask
from recsys.models.base import Ranking

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Items still in the race.

    Attributes
    ----------
    items
        Shape (n,), each once.
    scores
        Shape (n,).
    parts
        Shape (n_sources, n). What each source added to the score.
    """

    items: Idxs
    scores: Floats
    parts: Floats

    def __len__(self) -> int:
        """How many items are left."""
        return len(self.items)

    def take(self, index: NDArray[Any]) -> "Candidates":
        """The chosen candidates, in the order chosen; a mask keeps their order."""
        if index.dtype == np.bool_:
            return self.without(~index)
        order = index.astype(np.int32, copy=False)
        return Candidates(*kernels_race.taken(self.items, self.scores, self.parts, order))

    def without(self, removed: Mask) -> "Candidates":
        """Those that are not removed, in their order; `removed` has one value a candidate."""
        if not removed.any():
            return self
        return Candidates(*kernels_race.left_over(self.items, self.scores, self.parts, removed))


def among(items: Idxs, chosen: NDArray[np.integer[Any]]) -> Mask:
    """Shape (n items,). Which of the items are among the chosen; a tenth of the cost of np.isin."""
    if len(chosen) == 0:
        return np.zeros(len(items), dtype=np.bool_)
    found: Mask = kernels_race.among(items, chosen)
    return found


def fuse(rankings: list[tuple[Ranking, ...]], weights: list[float], fusion_k: float) -> Candidates:
    """Reciprocal-rank fusion (Cormack, Clarke, Büttcher 2009) with a weight a source.

    A source's scores have no unit in common with another's; its order has.

    Parameters
    ----------
    rankings
        By source; of one source the rankings hold different items.
    """
    lists = [ranking.items for one in rankings for ranking in one]
    ends = np.array(list(accumulate(map(len, lists))), dtype=np.int64)
    source_of = np.array([n for n, one in enumerate(rankings) for _ in one], dtype=np.int32)
    items, worth = np.concatenate([np.empty(0, np.int32), *lists]), np.array(weights, np.float64)
    return Candidates(*kernels_race.fused(items, ends, source_of, worth, fusion_k))
