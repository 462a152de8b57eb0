"""What a person's next order holds: what they buy again, and what follows what they bought."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.events import EventType
from recsys.histories import UNDATED
from recsys.ids import Mask
from recsys.interactions import DAY_MS, Acts, Row, Rows
from recsys.models.base import Because, Ranking, Scores, check_fitted
from recsys.models.item_knn import blocks
from recsys.models.lists import (
    ListsByKind,
    ScoredLists,
    Sparse,
    Sums,
    best_above_zero,
    best_of_rows,
    has_liked,
    opinions,
)
from recsys.models.orders import Orders, has_orders
from recsys.models.repurchase import Floats, Rhythm, Shelf

# So many of a person's baskets before one can lead to it; older ones hardly count.
MAX_BACK = 20
# What was bought less than this share of its usual interval ago is not due whoever buys it.
EARLIEST = 0.3
# Up to this share of it nobody needs to be shown it, unless they buy it faster.
RESTS = 0.5
ORDER = int(EventType.ORDER)
# A request reads the lists of so many of a person's items, those of the latest baskets.
MAX_KEYS = 200


@dataclass(kw_only=True, slots=True, eq=False)
class NextBasket:
    """A chance for each of the person's own items, and what follows their baskets besides.

    Own items come with the chance that they are bought again: from each item's interval and the
    person's own rhythm (`Rhythm`). What follows is a sum over the person's items, later baskets
    counting more, of the share of such baskets that were followed by one with the other item; a
    nearest-item form of the model of Faggioli, Polato and Aiolli (2020). Who is known by one
    basket only is asked what goes with it.

    Parameters
    ----------
    n_neighbours
        How many followers of each kind are kept for each item.
    horizon_days
        0 asks about the next order, whenever it comes, with intervals in orders. Above 0 it asks
        about so many days from now, with intervals in days: who bought a month's supply yesterday
        is then not reminded.
    persistence
        How much of its weight a basket keeps with each later one, 0 to 1.
    together
        How much going together in one basket counts against following it.
    shrinkage
        Draws what few baskets speak for towards 0; in baskets.
    others
        How much what follows counts against the chance of the own items; 0 leaves only these.

    Attributes
    ----------
    rhythm_
        How items come back.
    followers_
        For each item what follows it, of each kind.
    is_product_
        Shape (n_items,). The kind of each item.
    takes_likings_
        Shape (1,). Whether nobody ordered, and what a person likes counts as one basket.
    """

    n_neighbours: int = 100
    horizon_days: float = 0.0
    persistence: float = 0.8
    together: float = 0.3
    shrinkage: float = 20.0
    others: float = 0.7

    rhythm_: Rhythm = field(init=False, repr=False)
    followers_: ListsByKind = field(init=False, repr=False)
    is_product_: NDArray[np.bool_] = field(init=False, repr=False)
    takes_likings_: NDArray[np.bool_] = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn from orders; where nobody ordered, a person's likings are one basket."""
        self.takes_likings_ = np.array([not has_orders(interactions)])
        orders = self._orders(interactions)
        now_ms = interactions.acts.at_ms if interactions.acts else 0
        self.rhythm_ = Rhythm.fit(
            orders, now_ms, catalog.category, may_count_days=self.horizon_days > 0
        )
        before, after = self._before(orders), _share(orders)

        def of_kind(kind: Kind) -> ScoredLists:
            return ScoredLists.of(self._following(before, after, catalog.of_kind(kind)))

        self.followers_ = ListsByKind.of(of_kind)
        self.is_product_ = catalog.kind == Kind.PRODUCT
        return self

    def _orders(self, rows: Rows) -> Orders:
        return Orders.of(rows, may_be_likings=bool(self.takes_likings_[0]))

    def _before(self, orders: Orders) -> Sparse:
        """For each basket the weighted items of it and of those of its person before it."""
        steps, n = orders.steps(), len(orders)
        rows, columns = [np.arange(n)], [np.arange(n)]
        values = [np.full(n, self.together, dtype=np.float32)]
        for back in range(1, min(MAX_BACK, int(steps.max(initial=0))) + 1):
            has_one = np.flatnonzero(steps >= back)
            rows.append(has_one)
            columns.append(has_one - back)
            weight = self.persistence ** (back - 1)
            values.append(np.full(len(has_one), weight, dtype=np.float32))
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return csr_array(csr_array(entries, shape=(n, n)) @ _share(orders))

    def _following(self, before: Sparse, after: Sparse, targets: Idxs) -> Iterator[Ranking]:
        # Large baskets are weighed down on both sides: their items have less to do with each other.
        sizes = np.maximum(np.diff(after.indptr), 1)
        weighed = csr_array(diags_array((sizes**-0.5).astype(np.float32)) @ before)
        n_before = np.asarray(weighed.sum(axis=0), dtype=np.float32)
        sources, aims = csr_array(weighed.T), csr_array(after.astype(bool)[:, targets])
        aims = aims.astype(np.float32)
        for start, end in blocks(sources, aims):
            found = csr_array(sources[start:end] @ aims)
            keys = np.repeat(np.arange(start, end), np.diff(found.indptr))
            found.data = found.data / (n_before[keys] + self.shrinkage)
            # Coming back is the rhythm's to say.
            found.data[targets[found.indices] == keys] = 0
            yield from best_of_rows(found, self.n_neighbours, targets)

    def _recent(self, orders: Orders) -> Rows:
        """What each person has bought, the later baskets counting more."""
        age = orders.counts()[orders.persons] - 1 - orders.steps()
        weights = self.persistence**age / np.sqrt(np.diff(orders.offsets))
        baskets = orders.baskets()
        width = max(1, orders.n_items)
        cells = orders.persons[baskets] * width + orders.items
        distinct, where = np.unique(cells, return_inverse=True)
        recent = np.bincount(where, weights=weights[baskets], minlength=len(distinct))
        persons, items = np.divmod(distinct, width)
        totals = np.bincount(persons, weights=recent, minlength=orders.n_persons)
        # Twice as much behind a follower makes it surer, but not twice as likely.
        scaled = self.others * recent / np.sqrt(totals[persons])
        ends = np.cumsum(np.bincount(persons, minlength=orders.n_persons))
        offsets = np.concatenate([[0], ends]).astype(np.int64)
        return Rows(offsets, items.astype(np.int32), scaled.astype(np.float32), orders.n_items)

    def _own(self, rows: Rows, orders: Orders) -> tuple[Shelf, Scores]:
        shelf = self.rhythm_.shelf(orders, rows.acts.at_ms if rows.acts else 0)
        chances = self.rhythm_.chances(shelf, self.horizon_days or 1.0)
        return shelf, chances.astype(np.float32)

    def score(self, rows: Rows) -> Scores:
        """Chance of the own items plus what follows."""
        check_fitted(self)
        orders = self._orders(rows)
        shelf, chances = self._own(rows, orders)
        shape = (len(rows), rows.n_items)
        own = csr_array((chances, (shelf.persons, shelf.items)), shape=shape)
        lists = self.followers_.products.csr(rows.n_items) + self.followers_.videos.csr(
            rows.n_items
        )
        return opinions(csr_array(own + self._recent(orders).csr() @ lists), rows)

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best of the own items and of what follows the latest."""
        check_fitted(self)
        found = self._scored(row)
        if within is None:
            return found.best(k)
        kept = self.is_product_[found.items] == (within is Kind.PRODUCT)
        return best_above_zero(found.items[kept], found.scores[kept], k)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """As `candidates` scores them."""
        check_fitted(self)
        return self._scored(row).of_items(items)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The item itself where it is the person's own, else the one that it follows most."""
        check_fitted(self)
        own, _, recent = self._asked(row)
        keys = self.followers_.strongest_keys(recent, items)
        mine = set(own.tolist())
        return [
            Because(item_idx=item) if item in mine else None if key is None else Because(key)
            for item, key in zip(items.tolist(), keys, strict=True)
        ]

    def due(self, row: Row, lasting: Mask, k: int, least: float) -> Idxs:
        """Up to k of the person's own items that are bought again within the horizon this likely.

        Parameters
        ----------
        lasting
            Shape (n_items,). Which items are bought once and not asked about.
        least
            The chance from which on an item is due, 0 to 1.
        """
        check_fitted(self)
        if row.acts is None or not self._may_be_due(row.acts, lasting):
            return np.empty(0, dtype=np.int32)
        own, chances, _ = self._asked(row)
        is_due = ~lasting[own] & (chances >= least)
        return Ranking.best(own[is_due], chances[is_due], k).items

    def resting(self, row: Row, lasting: Mask, least: float) -> Idxs:
        """The person's own items that were bought too lately to be bought again; as of `due`."""
        check_fitted(self)
        if row.acts is None:
            return np.empty(0, dtype=np.int32)
        items, waited = self._waited(row.acts, lasting)
        young = items[waited < RESTS]
        if len(young) == 0:
            return young
        due = self.due(row, lasting, len(row), least)
        return np.setdiff1d(young, due).astype(np.int32)

    def _may_be_due(self, acts: Acts, lasting: Mask) -> bool:
        """Whether for any item the last order is old enough; most lists need ask no further."""
        return bool((self._waited(acts, lasting)[1] >= EARLIEST).any())

    def _waited(self, acts: Acts, lasting: Mask) -> tuple[Idxs, Floats]:
        """Items of dated orders, and how long ago the last was, as a share of usual intervals."""
        events = acts.events
        places = np.flatnonzero((events.type == ORDER) & (events.at_ms != UNDATED))
        places = places[~lasting[events.item[places]]] if self.rhythm_.by_days[0] else places[:0]
        # The last order of an item counts; np.unique finds first ones, so look from the end.
        items, lasts = np.unique(events.item[places][::-1], return_index=True)
        days = (acts.at_ms - events.at_ms[places][::-1][lasts]) / DAY_MS
        return items, days / np.exp(self.rhythm_.log_gap[items])

    def _asked(self, row: Row) -> tuple[Idxs, Scores, Row]:
        """The person's own items, their chances, and the weights of what others follow."""
        return row.once((self.followers_, "asked"), lambda: self._ask(row))

    def _ask(self, row: Row) -> tuple[Idxs, Scores, Row]:
        rows = Rows.of([row], len(self.is_product_))
        if not has_liked(rows)[0]:
            nothing = Ranking.none()
            return nothing.items, nothing.scores, Row(nothing.items, nothing.scores)
        orders = self._orders(rows)
        shelf, chances = self._own(rows, orders)
        return shelf.items, chances, self._recent(orders)[0].strongest(MAX_KEYS)

    def _scored(self, row: Row) -> Sums:
        """Every item with an opinion, and its score."""
        return row.once((self.followers_, "scored"), lambda: self._score(row))

    def _score(self, row: Row) -> Sums:
        own, chances, recent = self._asked(row)
        found = [lists.sums(recent.items, recent.weights) for lists in self.followers_.within(None)]
        return Sums.of(
            np.concatenate([own, *(one.items for one in found)]),
            np.concatenate([chances, *(one.scores for one in found)]),
        )


def _share(orders: Orders) -> Sparse:
    """What is in each basket; of two items each counts less than one alone."""
    sizes = np.maximum(np.diff(orders.offsets), 1)
    return csr_array(diags_array((sizes**-0.5).astype(np.float32)) @ orders.csr())
