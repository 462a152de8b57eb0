"""What everybody likes: the list for people nobody knows, and the bar for every other model."""

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.models.base import Because, Ranking, Scores, check_fitted
from recsys.models.lists import ListsByKind, ScoredLists, liked_only


@dataclass(kw_only=True, slots=True, eq=False)
class Popularity:
    """Items by the summed weights of all persons, which the rows have already decayed by age.

    Parameters
    ----------
    n_listed
        How many items of each kind are kept for answering.
    damping
        How much the most popular are held back, 0 to 1: sums are raised to the power of what is
        left. The order stays; it matters where scores are added to others.

    Attributes
    ----------
    weights_
        Shape (n_items,). Summed positive weights, damped.
    lists_
        One list of each kind, best first.
    """

    n_listed: int = 2_000
    damping: float = 0.0

    weights_: Scores = field(init=False, repr=False)
    lists_: ListsByKind = field(init=False, repr=False)
    is_personal: ClassVar[bool] = False

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Add up the positive weights; a dislike of one is no dislike of all."""
        summed = np.asarray(liked_only(interactions).sum(axis=0), dtype=np.float32)
        self.weights_ = np.where(summed > 0, summed ** np.float32(1 - self.damping), summed)

        def of_kind(kind: Kind) -> ScoredLists:
            items = catalog.of_kind(kind)
            items = items[self.weights_[items] > 0]
            return ScoredLists.of([Ranking.best(items, self.weights_[items], self.n_listed)])

        self.lists_ = ListsByKind.of(of_kind)
        return self

    def score(self, rows: Rows) -> Scores:
        """The same scores for every row; NaN for items nobody liked."""
        check_fitted(self)
        scores = np.where(self.weights_ > 0, self.weights_, np.nan).astype(np.float32)
        return np.tile(scores, (len(rows), 1))

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The k most popular items, whatever the row holds."""
        check_fitted(self)
        lists = self.lists_.within(within)
        items = np.concatenate([one.items[:k] for one in lists])
        return Ranking.best(items, np.concatenate([one.scores[:k] for one in lists]), k)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """Their summed weights, whatever the row holds; NaN for items nobody liked."""
        check_fitted(self)
        weights = self.weights_[items]
        return np.where(weights > 0, weights, np.float32(np.nan))

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """True of everybody: popular."""
        check_fitted(self)
        return [Because() if weight > 0 else None for weight in self.weights_[items]]
