"""What rises now: items by what people did lately, for everybody and among people of like taste."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.histories import UNDATED
from recsys.interactions import DAY_MS, Row, Rows
from recsys.models.base import Because, Ranking, Scores, check_fitted
from recsys.models.likings import shares
from recsys.models.lists import ListsByKind, ScoredLists, Sparse, liked_only, opinions
from recsys.models.popularity import Popularity
from recsys.models.telling import topics_of
from recsys.models.traits import Group, Traits

MAX_KEYS = 100


@dataclass(kw_only=True, slots=True, eq=False)
class Trend(Popularity):
    """Items by recent weight, of each kind apart; the same for everybody.

    Recent is what happened within a few half-lives. A few events are no trend: an item's share of
    the recent weight is drawn towards its share of all weight (a Dirichlet prior), which alone
    counts where events have no time.

    Parameters
    ----------
    half_life_days
        After this long an event counts half; short against that of the rows.
    prior
        Recent weight, in persons who like one item, at which the trend is believed half.
    n_listed
        How many items of each kind are kept for answering.

    Attributes
    ----------
    weights_
        Shape (n_items,). Each item's share of its kind.
    lists_
        One list of each kind, best first.
    """

    half_life_days: float = 3.0
    prior: float = 30.0

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Add up what people did lately, and what they did at all."""
        usual = np.asarray(liked_only(interactions).sum(axis=0), dtype=np.float64)
        lately = np.asarray(recent(interactions, self.half_life_days).sum(axis=0), np.float64)
        self.weights_ = np.zeros(len(catalog), dtype=np.float32)

        def of_kind(kind: Kind) -> ScoredLists:
            items = catalog.of_kind(kind)
            self.weights_[items] = drawn(lately[items], usual[items], self._prior(interactions))
            items = items[self.weights_[items] > 0]
            return ScoredLists.of([Ranking.best(items, self.weights_[items], self.n_listed)])

        self.lists_ = ListsByKind.of(of_kind)
        return self

    def _prior(self, interactions: Rows) -> float:
        return self.prior * typical_weight(interactions)


@dataclass(kw_only=True, slots=True, eq=False)
class TasteTrend:
    """What rises among people of the same taste; no opinion of who did nothing.

    A taste is a topic: the root of a category, or where there are none a tag. A person belongs to
    tastes as their liking does to topics. What a taste lately likes is drawn towards what everybody
    lately likes. Events without a time are no trend: where no event has one, there is no opinion.

    Parameters
    ----------
    half_life_days
        As in `Trend`.
    prior
        Recent weight, in persons who like one item, at which the word of a taste is believed half;
        a taste of less has no trend.
    n_listed
        How many items of each kind are kept for each taste.

    Attributes
    ----------
    products_, videos_
        For each topic what rises among those who like it.
    topics_
        For each item its topics, as parts of one.
    """

    half_life_days: float = 5.0
    prior: float = 30.0
    n_listed: int = 500

    products_: ScoredLists = field(init=False, repr=False)
    videos_: ScoredLists = field(init=False, repr=False)
    topics_: ScoredLists = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn what the people of each taste did lately."""
        topics, _ = topics_of(Traits.of(catalog, frozenset({Group.TAG})), catalog)
        self.topics_ = ScoredLists.of_matrix(topics, topics.shape[1])
        usual = liked_only(interactions)
        tastes = shares(csr_array(usual @ topics)).T
        lately = recent(interactions, self.half_life_days)
        prior = self.prior * typical_weight(interactions)

        def of_kind(kind: Kind) -> ScoredLists:
            items = catalog.of_kind(kind)
            of_all = np.asarray(lately[:, items].sum(axis=0), np.float64)
            everybody = drawn(of_all, np.asarray(usual[:, items].sum(axis=0), np.float64), prior)
            own = _drawn_each(csr_array(tastes @ lately[:, items]), everybody, prior)
            return ScoredLists.of_matrix(own, self.n_listed, items)

        self.products_, self.videos_ = of_kind(Kind.PRODUCT), of_kind(Kind.VIDEO)
        return self

    def _lists(self) -> ListsByKind:
        check_fitted(self)
        return ListsByKind(self.products_, self.videos_)

    def _tastes(self, row: Row) -> Row:
        return row.once((self.topics_, "tastes"), lambda: self._worked_out(row))

    def _worked_out(self, row: Row) -> Row:
        """The topics a row likes, as parts of one."""
        strongest = row.strongest(MAX_KEYS)
        topics, weights = self.topics_.summed(strongest.items, np.maximum(strongest.weights, 0))
        liked = weights > 0
        return Row(topics[liked], weights[liked] / max(float(weights.sum()), 1e-12))

    def score(self, rows: Rows) -> Scores:
        """What rises in a row's tastes, by how much of each it has."""
        lists = self._lists()
        n_topics = len(lists.products.offsets) - 1
        tastes = shares(csr_array(liked_only(rows) @ self.topics_.csr(n_topics)))
        both = lists.products.csr(rows.n_items) + lists.videos.csr(rows.n_items)
        return opinions(csr_array(tastes @ both), rows)

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best of the lists of the row's tastes."""
        return self._lists().ranking(self._tastes(row), k, within)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """As `candidates` scores them."""
        return self._lists().score_of(self._tastes(row), items)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The row's own item liked most of the taste that gives most for each item."""
        topics = self._lists().strongest_keys(self._tastes(row), items)
        return [None if topic is None else self._told(row, topic) for topic in topics]

    def _told(self, row: Row, topic: int) -> Because:
        strongest = row.strongest(MAX_KEYS)
        found, parts, place = self.topics_.entries(strongest.items, strongest.weights)
        mine = found == topic
        return Because(item_idx=int(strongest.items[place[mine][np.argmax(parts[mine])]]))


def recent(interactions: Rows, half_life_days: float) -> Sparse:
    """What each person did lately, shape (n_rows, n_items): nothing where no event has a time.

    Rows whose acts are not known are taken as of now.
    """
    acts = interactions.acts
    shape = (len(interactions), interactions.n_items)
    if acts is None:
        return liked_only(interactions)
    at_ms = acts.events.at_ms
    kept = np.flatnonzero((at_ms != UNDATED) & (at_ms <= acts.at_ms) & (acts.weights > 0))
    age_days = (acts.at_ms - at_ms[kept]) / DAY_MS
    weights = acts.weights[kept] * np.exp2(-age_days / half_life_days)
    persons = acts.histories.persons()[kept]
    return csr_array((weights, (persons, acts.events.item[kept])), shape=shape)


def typical_weight(interactions: Rows) -> float:
    """What one person's liking of one item weighs, in the middle; 1 where nobody likes anything."""
    liked = interactions.weights[interactions.weights > 0]
    return float(np.median(liked)) if len(liked) else 1.0


def drawn(lately: NDArray[Any], usual: NDArray[Any], prior: float) -> Scores:
    """Shares of the recent weight, drawn towards shares of the usual one by a prior weight."""
    shares_usual = usual / max(float(usual.sum()), 1e-12)
    drawn_to = (lately + prior * shares_usual) / max(float(lately.sum()) + prior, 1e-12)
    return np.asarray(drawn_to, dtype=np.float32)


def _drawn_each(lately: Sparse, everybody: Scores, prior: float) -> Sparse:
    """For each topic its recent shares drawn towards everybody's; only of what it lately liked.

    A topic of less recent weight than the prior has none: ranks do not show how little it was.
    """
    total = np.asarray(lately.sum(axis=1), dtype=np.float64)
    drawn_to = lately.copy()
    drawn_to.data = lately.data + prior * everybody[lately.indices]
    return csr_array(
        diags_array(np.where(total < prior, 0, 1 / (total + max(prior, 1e-12)))) @ drawn_to
    )
