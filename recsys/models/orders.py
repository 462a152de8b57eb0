"""Persons' orders as baskets, one after the other: what models of buying count."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recsys.catalog import Idxs
from recsys.events import EventType
from recsys.histories import UNDATED, History
from recsys.ids import Ints
from recsys.interactions import DAY_MS, Rows
from recsys.models.lists import Sparse, liked_only

ORDERED = frozenset({EventType.ORDER})


@dataclass(frozen=True, slots=True, eq=False)
class Orders:
    """Baskets person by person, each person's oldest first, each item once a basket.

    Of rows whose acts are not known, what each likes is one basket.

    Attributes
    ----------
    offsets, items
        Basket b has `items[offsets[b]:offsets[b + 1]]`, ascending.
    persons
        Shape (n baskets,), ascending. The row of each basket.
    at_ms
        Shape (n baskets,). When it was ordered; `UNDATED` where that is not known.
    """

    offsets: Ints
    items: Idxs
    persons: Ints
    at_ms: Ints
    n_persons: int
    n_items: int

    @classmethod
    def of(cls, rows: Rows, *, may_be_likings: bool) -> Self:
        """The baskets of persons' orders that stand.

        Parameters
        ----------
        may_be_likings
            Whether to take what each row likes as one basket: for shops where nobody ordered.
        """
        if rows.acts is not None and not may_be_likings:
            ordered = rows.acts.only(ORDERED)
            spoken = ordered.histories.keeping(ordered.weights > 0)
            return cls._of_events(spoken.events, spoken.persons(), rows)
        liked = liked_only(rows)
        has_any = np.flatnonzero(np.diff(liked.indptr)).astype(np.int64)
        offsets = np.append(liked.indptr[has_any], liked.nnz).astype(np.int64)
        undated = np.full(len(has_any), UNDATED, dtype=np.int64)
        items = liked.indices.astype(np.int32)
        return cls(offsets, items, has_any, undated, len(rows), rows.n_items)

    @classmethod
    def _of_events(cls, events: History, persons: Ints, rows: Rows) -> Self:
        entries, first = _baskets(events, persons)
        cells = np.unique(entries * max(1, rows.n_items) + events.item)
        baskets, items = np.divmod(cells, max(1, rows.n_items))
        offsets = np.concatenate([[0], np.cumsum(np.bincount(baskets, minlength=len(first)))])
        return cls(
            offsets.astype(np.int64),
            items.astype(np.int32),
            persons[first],
            events.at_ms[first],
            len(rows),
            rows.n_items,
        )

    def __len__(self) -> int:
        """How many baskets there are."""
        return len(self.persons)

    def baskets(self) -> Ints:
        """Shape (n entries,). The basket of each item."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.offsets))

    def counts(self) -> Ints:
        """Shape (n persons,). How many baskets each person has."""
        return np.bincount(self.persons, minlength=self.n_persons).astype(np.int64)

    def steps(self) -> Ints:
        """Shape (n baskets,). Which basket of its person's it is, the first is 0."""
        counts = self.counts()
        starts = np.cumsum(counts) - counts
        return np.arange(len(self), dtype=np.int64) - starts[self.persons]

    def csr(self) -> Sparse:
        """Which basket holds which item, as a matrix of ones, shape (n baskets, n_items)."""
        ones = np.ones(len(self.items), dtype=np.float32)
        return csr_array((ones, self.items, self.offsets), shape=(len(self), self.n_items))


def has_orders(rows: Rows) -> bool:
    """Whether anybody is known to have ordered something."""
    return rows.acts is not None and bool((rows.acts.events.type == EventType.ORDER).any())


def _baskets(events: History, persons: Ints) -> tuple[Ints, NDArray[Any]]:
    """The basket of each event, numbered person by person and by time, and its first event.

    A basket is an order's id; where there is none, a day; undated ones of a person are one.
    """
    days = np.where(events.at_ms == UNDATED, -1, events.at_ms // DAY_MS)
    named = events.order != 0
    # An id is of one basket however long after midnight it was paid.
    key = np.where(named, events.order, days)
    order = np.lexsort((key, named, persons))
    is_new = np.ones(len(order), dtype=np.bool_)
    for column in (persons, named, key):
        is_new[1:] &= column[order[1:]] == column[order[:-1]]
    is_new[1:] = ~is_new[1:]
    groups = np.cumsum(is_new) - 1
    first = order[is_new]
    # Events are in time order, so baskets are in the order of their first events.
    rank = np.argsort(np.argsort(first))
    baskets = np.empty(len(order), dtype=np.int64)
    baskets[order] = rank[groups]
    return baskets, np.sort(first)
