"""New items on their first day: by what they say of themselves, their creator and their cards."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.ids import Ints
from recsys.interactions import DAY_MS, Row, Rows
from recsys.models.affinity import Affinity
from recsys.models.base import Because, Ranking, Scores, check_fitted
from recsys.models.lists import ScoredLists, best_above_zero, liked_only, opinions
from recsys.models.traits import Group


@dataclass(kw_only=True, slots=True, eq=False)
class Newness:
    """Items published lately that fit a person's tags, categories, creators and cards.

    Nobody need have touched them: what fits is learned from other items (`Affinity`). The score
    halves every half-life after publication, as of the moment of the row, and an item people
    already like counts up to twice. Who follows a creator or watches their videos gets their new
    ones; who looked at a product gets new videos that show it.

    Parameters
    ----------
    days
        What was published longer ago is not new.
    half_life_days
        After this long a new item counts half.
    categories, words, creators, cards
        How much each counts; a tag counts 1.
    n_postings
        How many items are kept for each trait.
    n_traits
        How many of the traits wanted of a kind bring candidates.

    Attributes
    ----------
    affinity_
        What fits what.
    liking_
        Shape (n_items,). 1, and up to 2 for what people already like.
    published_ms_
        Shape (n_items,). Milliseconds since 1970; 0 where unknown, which is never new.
    known_ms_
        Shape (1,). The moment it was learned; that of rows that do not know theirs.
    postings_
        For each trait the new items that carry it.
    """

    days: float = 14.0
    half_life_days: float = 4.0
    categories: float = 0.5
    words: float = 0.3
    creators: float = 1.0
    cards: float = 1.0
    n_postings: int = 100
    n_traits: int = 24

    affinity_: Affinity = field(init=False, repr=False)
    liking_: Scores = field(init=False, repr=False)
    published_ms_: Ints = field(init=False, repr=False)
    known_ms_: Ints = field(init=False, repr=False)
    postings_: ScoredLists = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn what fits from everything, and list what is new."""
        worth = {Group.TAG: 1.0, Group.CATEGORY: self.categories, Group.WORD: self.words}
        worth |= {Group.CREATOR: self.creators, Group.CARD: self.cards}
        self.affinity_ = Affinity.of(interactions, catalog, worth)
        liked = np.asarray(liked_only(interactions).sum(axis=0), dtype=np.float32)
        self.liking_ = 1 + liked / (1 + liked.max(initial=0))
        self.published_ms_ = catalog.published_ms.copy()
        acts = interactions.acts
        now_ms = int(catalog.published_ms.max(initial=0)) if acts is None else acts.at_ms
        self.known_ms_ = np.array([now_ms], dtype=np.int64)
        newness = diags_array(self._newness(np.arange(len(catalog)), now_ms))
        trait_items = csr_array((newness @ self.affinity_.item_traits()).T)
        self.postings_ = ScoredLists.of_matrix(trait_items, self.n_postings)
        return self

    def _newness(self, items: NDArray[Any], at_ms: int) -> Scores:
        """What being new and liked makes of each item; 0 if it is not new, or not out yet."""
        published_ms = self.published_ms_[items]
        age_days = (at_ms - published_ms) / DAY_MS
        is_new = (published_ms > 0) & (age_days >= 0) & (age_days <= self.days)
        decay = np.exp2(-np.where(is_new, age_days, 0) / self.half_life_days)
        return np.asarray(np.where(is_new, decay * self.liking_[items], 0), dtype=np.float32)

    def _moment(self, row: Row | Rows) -> int:
        return int(self.known_ms_[0]) if row.acts is None else row.acts.at_ms

    def score(self, rows: Rows) -> Scores:
        """How well each new item fits, times its newness."""
        check_fitted(self)
        newness = self._newness(np.arange(rows.n_items), self._moment(rows))
        scores = csr_array(self.affinity_.dense(rows) @ diags_array(newness))
        scores.eliminate_zeros()
        return opinions(scores, rows)

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best of the new items of the traits that can lift one most."""
        check_fitted(self)
        if not row.likes:
            return Ranking.none()
        items = self.affinity_.pool(row, self.postings_, self.n_traits, within)
        return best_above_zero(items, self._scores(row, items), k)

    def _scores(self, row: Row, items: Idxs) -> Scores:
        return self.affinity_.scores(row, items) * self._newness(items, self._moment(row))

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """As `candidates` scores them; NaN for what is not new or fits nothing."""
        check_fitted(self)
        if not row.likes:
            return np.full(len(items), np.nan, dtype=np.float32)
        scores = self._scores(row, items)
        return np.where(scores == 0, np.float32(np.nan), scores)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The row's own tag, or the own item whose category, title, creator or card fits most."""
        check_fitted(self)
        return self.affinity_.because(row, items)
