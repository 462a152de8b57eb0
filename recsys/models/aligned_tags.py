"""Items that fit what a person likes by tags, categories and titles, across videos and products."""

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.models.affinity import Affinity
from recsys.models.base import Because, Ranking, Scores, check_fitted
from recsys.models.lists import ScoredLists, best_above_zero, liked_only, opinions
from recsys.models.traits import Group


@dataclass(kw_only=True, slots=True, eq=False)
class AlignedTags:
    """A profile of traits, led to the traits that mean the same, led to the items that have them.

    What videos and products call the same differs: how one leads to the other is learned from
    people and texts (`recsys.models.alignment`), and how much each trait tells from what it stands
    with (`recsys.models.telling`). The score is times (1 + popularity)^boost, because traits alone
    cannot tell two items apart that have the same.

    Parameters
    ----------
    categories, words, creators
        How much the nodes of a category's path, the words of a title and the creator count; a tag
        counts 1.
    n_postings
        How many items are kept for each trait.
    n_traits
        How many of the traits wanted of a kind bring candidates.
    boost
        How much popularity counts; 0 means not at all.

    Attributes
    ----------
    affinity_
        What fits what.
    boost_
        Shape (n_items,).
    postings_
        For each trait its items, best first.
    """

    categories: float = 0.5
    words: float = 0.3
    creators: float = 0.5
    n_postings: int = 100
    n_traits: int = 16
    boost: float = 0.75

    affinity_: Affinity = field(init=False, repr=False)
    boost_: Scores = field(init=False, repr=False)
    postings_: ScoredLists = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn what tells, what means the same, and what is popular."""
        worth = {Group.TAG: 1.0, Group.CATEGORY: self.categories, Group.WORD: self.words}
        worth[Group.CREATOR] = self.creators
        popularity = np.asarray(liked_only(interactions).sum(axis=0))
        self.boost_ = ((1 + popularity) ** self.boost).astype(np.float32)
        self.affinity_ = Affinity.of(interactions, catalog, worth)
        trait_items = csr_array((diags_array(self.boost_) @ self.affinity_.item_traits()).T)
        self.postings_ = ScoredLists.of_matrix(trait_items, self.n_postings)
        return self

    def score(self, rows: Rows) -> Scores:
        """How well each item's traits fit those aligned with the row's, times its boost."""
        check_fitted(self)
        return opinions(csr_array(self.affinity_.dense(rows) @ diags_array(self.boost_)), rows)

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best of the postings of the traits that can lift an item most."""
        check_fitted(self)
        if not row.likes:
            return Ranking.none()
        items = self.affinity_.pool(row, self.postings_, self.n_traits, within)
        return best_above_zero(items, self._scores(row, items), k)

    def _scores(self, row: Row, items: Idxs) -> Scores:
        return self.affinity_.scores(row, items) * self.boost_[items]

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """As `candidates` scores them; NaN where no trait speaks."""
        check_fitted(self)
        if not row.likes:
            return np.full(len(items), np.nan, dtype=np.float32)
        scores = self._scores(row, items)
        return np.where(scores == 0, np.float32(np.nan), scores)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The row's own tag, or the own item whose category, title or creator speaks most."""
        check_fitted(self)
        return self.affinity_.because(row, items)
