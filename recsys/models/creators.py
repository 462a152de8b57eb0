"""Trust in creators: who follows, watches or buys from one again is near to what comes next."""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import DAY_MS, Row, Rows
from recsys.models.keyed import ByKeys, strongest
from recsys.models.lists import ListsByKind, ScoredLists, Sparse, liked_only

# So much weight (two orders, or a follow and some videos) makes half of full trust.
HALF_TRUST = 16.0


def trusted(sums: NDArray[Any], counts: NDArray[Any]) -> NDArray[np.float32]:
    """Trust, 0 to 1, from the weight of what a person did with a creator, on how many items.

    Once is chance: a second video or product of the same creator makes half of it two thirds.
    """
    sums = np.maximum(sums, 0)
    return np.asarray(sums / (sums + HALF_TRUST) * counts / (counts + 1), dtype=np.float32)


def trust(row: Row, creator: Idxs, n_creators: int) -> NDArray[np.float32]:
    """Shape (n_creators,). One person's trust in every creator; position 0, nobody, has none."""
    of_items = creator[row.items]
    sums = np.bincount(of_items, weights=row.weights, minlength=n_creators)
    counts = np.bincount(of_items[row.weights > 0], minlength=n_creators)
    found = trusted(sums, counts.astype(np.float64))
    found[:1] = 0
    return found


@dataclass(kw_only=True, slots=True, eq=False)
class Creators(ByKeys):
    """What creators a person trusts made and sell: the new before the old, the liked before both.

    What a person did on videos and products of a creator adds up to trust, whichever kind it was:
    who watched somebody's videos for weeks and bought once is near to buying what comes next.

    Parameters
    ----------
    n_postings
        How many items of each kind are kept for each creator.
    half_life_days
        After this long what is new about an item counts half.

    Attributes
    ----------
    creator_
        Shape (n_items,). Position of each item's creator; 0 is nobody.
    """

    n_postings: int = 100
    half_life_days: float = 7.0

    creator_: Idxs = field(init=False, repr=False)

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn how well liked each creator's items are, and which are new."""
        self.creator_ = np.array(catalog.creator, dtype=np.int32)
        liked = np.asarray(liked_only(interactions).sum(axis=0), dtype=np.float64)
        published = catalog.published_ms
        acts = interactions.acts
        now_ms = int(published.max(initial=0)) if acts is None else acts.at_ms
        age_days = np.where(published > 0, np.abs(now_ms - published) / DAY_MS, np.inf)
        worth = 1 + liked / (1 + liked.max(initial=0)) + np.exp2(-age_days / self.half_life_days)

        def of_kind(kind: Kind) -> ScoredLists:
            items = catalog.of_kind(kind)
            items = items[self.creator_[items] > 0]
            shape = (len(catalog.creators), len(catalog))
            entries = (worth[items].astype(np.float32), (self.creator_[items], items))
            return ScoredLists.of_matrix(csr_array(entries, shape=shape), self.n_postings)

        self.postings_ = ListsByKind.of(of_kind)
        return self

    def keys(self, rows: Rows) -> Sparse:
        """Trust in each creator."""
        n_creators = len(self.postings_.products.offsets) - 1
        person = np.repeat(np.arange(len(rows)), np.diff(rows.offsets))
        cells, where = np.unique(
            person * n_creators + self.creator_[rows.items], return_inverse=True
        )
        sums = np.bincount(where, weights=rows.weights, minlength=len(cells))
        counts = np.bincount(where, weights=rows.weights > 0, minlength=len(cells))
        persons, creators = np.divmod(cells, max(1, n_creators))
        found = trusted(sums, counts)
        kept = (creators > 0) & (found > 0)
        shape = (len(rows), n_creators)
        return csr_array((found[kept], (persons[kept], creators[kept])), shape=shape)

    def own(self, row: Row, key: int) -> int | None:
        """The creator's item that the person likes most."""
        return strongest(row, self.creator_[row.items] == key)
