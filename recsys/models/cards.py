"""Videos and the products on their cards: who watched one may want the other."""

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.links import Links
from recsys.models.base import Because, Ranking, Scores, check_fitted
from recsys.models.lists import ListsByKind, ScoredLists, liked_only

MAX_KEYS = 100


@dataclass(kw_only=True, slots=True, eq=False)
class Cards:
    """From a video to the products it sells, from a product to the videos that show it.

    A link counts 1 and up to 1 more the more popular its target is, so that of a hundred videos
    of one product the liked ones come first.

    Parameters
    ----------
    n_linked
        How many targets of each item are kept, the most popular ones.

    Attributes
    ----------
    links_
        For each video its products, for each product its videos.
    """

    n_linked: int = 200

    links_: ListsByKind = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Take the catalogue's cards; the interactions only order the targets of one item."""
        popularity = np.asarray(liked_only(interactions).sum(axis=0), dtype=np.float32)
        strength = 1 + popularity / (1 + popularity.max(initial=0))

        def of_kind(kind: Kind) -> ScoredLists:
            links = catalog.cards if kind is Kind.PRODUCT else catalog.shown_by
            return self._lists(links, strength)

        self.links_ = ListsByKind.of(of_kind)
        return self

    def _lists(self, links: Links, strength: Scores) -> ScoredLists:
        parts = (strength[links.targets], links.targets, links.offsets)
        return ScoredLists.of_matrix(
            csr_array(parts, shape=(len(links.offsets) - 1, len(strength))), self.n_linked
        )

    def score(self, rows: Rows) -> Scores:
        """Sum of link strength times weight over the row's items."""
        check_fitted(self)
        return self.links_.scores(rows)

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The strongest linked items."""
        check_fitted(self)
        return self.links_.ranking(row.strongest(MAX_KEYS), k, within)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """As `candidates` scores them."""
        check_fitted(self)
        return self.links_.score_of(row.strongest(MAX_KEYS), items)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The row's video that sells the product, or product that the video shows."""
        check_fitted(self)
        keys = self.links_.strongest_keys(row.strongest(MAX_KEYS), items)
        return [None if key is None else Because(item_idx=key) for key in keys]
