"""Items with the tags of what a person likes; the first model that knows a new item."""

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.models.base import Because, Ranking, Scores, check_fitted
from recsys.models.lists import (
    ListsByKind,
    ScoredLists,
    Sparse,
    Sums,
    liked_only,
    opinions,
)

MAX_KEYS = 100
# Of what postings bring, so many times the items asked for are scored with all tags.
N_EXACT = 2


@dataclass(kw_only=True, slots=True, eq=False)
class TagProfile:
    """TF-IDF over tags (Salton and Buckley 1988); a person is the weighted sum of their items.

    The score of an item is the product of both tag vectors, times (1 + popularity)^boost, because
    a tag alone cannot tell two items that both carry it apart.

    Parameters
    ----------
    n_postings
        How many items of each kind are kept for each tag.
    n_tags
        How many of a person's strongest tags bring candidates.
    boost
        How much popularity counts; 0 means not at all.

    Attributes
    ----------
    vectors_
        For each item its tags, heaviest first; each item's weights have length 1.
    boost_
        Shape (n_items,).
    postings_
        For each tag its items of each kind.
    """

    n_postings: int = 100
    n_tags: int = 12
    boost: float = 0.75

    vectors_: ScoredLists = field(init=False, repr=False)
    boost_: Scores = field(init=False, repr=False)
    postings_: ListsByKind = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Weigh the catalogue's tags; the interactions only say what is popular."""
        vectors = _tfidf(catalog)
        popularity = np.asarray(liked_only(interactions).sum(axis=0))
        boost = ((1 + popularity) ** self.boost).astype(np.float32)
        tag_items = csr_array((diags_array(boost) @ vectors).T)

        def of_kind(kind: Kind) -> ScoredLists:
            items = catalog.of_kind(kind)
            return ScoredLists.of_matrix(csr_array(tag_items[:, items]), self.n_postings, items)

        self.vectors_ = ScoredLists.of_matrix(vectors, vectors.shape[1])
        self.boost_, self.postings_ = boost, ListsByKind.of(of_kind)
        return self

    def score(self, rows: Rows) -> Scores:
        """Product of the row's tags with each item's, times its boost."""
        check_fitted(self)
        vectors = self.vectors_.csr(len(self.postings_.products.offsets) - 1)
        profiles = rows.csr() @ vectors
        scores = csr_array(profiles @ vectors.T) @ diags_array(self.boost_)
        return opinions(csr_array(scores), rows)

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best by the postings of the row's strongest tags, scored with all its tags."""
        check_fitted(self)
        profile = self._profile(row)
        # What the strongest tags say is nearly all: only the best by these are scored with all.
        asked = row.once((self.postings_, "asked"), lambda: self._strongest_tags(profile))
        items = self.postings_.ranking(asked, N_EXACT * k, within).items
        return self.vectors_.best_products(items, profile, self.boost_, k)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """Product of all the row's tags with the items', times their boost; NaN without a tag."""
        check_fitted(self)
        if not row.likes:
            return np.full(len(items), np.nan, dtype=np.float32)
        scores = self._scores(items, self._profile(row))
        return np.where(scores == 0, np.float32(np.nan), scores)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The tag that adds most to each item's score."""
        check_fitted(self)
        profile = self._profile(row)
        own, parts, place = self.vectors_.entries(items, np.ones(len(items), dtype=np.float32))
        parts = np.nan_to_num(profile.of_items(own)) * parts
        found: list[Because | None] = [None] * len(items)
        # The largest part of an item comes last, and of equal ones the lower tag.
        for at in np.lexsort((-own, parts)).tolist():
            if parts[at] > 0:
                found[place[at]] = Because(tag_idx=int(own[at]))
        return found

    def _profile(self, row: Row) -> Sums:
        strongest = row.strongest(MAX_KEYS)
        return row.once(
            (self.vectors_, "profile"),
            lambda: self.vectors_.sums(strongest.items, strongest.weights),
        )

    def _strongest_tags(self, profile: Sums) -> Row:
        strongest = profile.best(self.n_tags)
        return Row(strongest.items, strongest.scores)

    def _scores(self, items: Idxs, profile: Sums) -> Scores:
        return self.vectors_.products(items, profile) * self.boost_[items]


def _tfidf(catalog: Catalog) -> Sparse:
    from sklearn.feature_extraction.text import TfidfTransformer

    ones = np.ones(len(catalog.tags.targets), dtype=np.float32)
    shape = (len(catalog), len(catalog.tag_names))
    counts = csr_array((ones, catalog.tags.targets, catalog.tags.offsets), shape=shape)
    if counts.nnz == 0:
        return counts
    return csr_array(TfidfTransformer().fit_transform(counts))
