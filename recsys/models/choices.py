"""Answers in interactive videos ("black or white?") as a wish for items with that attribute."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from recsys.catalog import Catalog, Kind
from recsys.events import EventType
from recsys.ids import Ints
from recsys.interactions import Row, Rows
from recsys.links import Links
from recsys.models.keyed import ByKeys, strongest
from recsys.models.lists import ListsByKind, ScoredLists, Sparse, liked_only

CHOOSE = int(EventType.CHOOSE)


@dataclass(kw_only=True, slots=True, eq=False)
class Choices(ByKeys):
    """Items whose attributes have a value that a person chose, or that what they like has.

    An answer is matched with values of attributes by its text, small and capital letters alike. A
    value that many items have says less.

    Parameters
    ----------
    n_postings
        How many items of each kind are kept for each value.
    chosen
        How much an answer counts; the values of an item that a person likes count 1 in all.

    Attributes
    ----------
    values_
        Shape (n_values,), ascending keys of the values.
    links_
        Each item's values.
    """

    n_postings: int = 100
    chosen: float = 10.0

    values_: Ints = field(init=False, repr=False)
    links_: Links = field(init=False, repr=False)

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Take the catalogue's attributes; the interactions only order the items of one value."""
        self.values_ = np.array(catalog.attributes.keys, dtype=np.int64)
        links = catalog.attributes.links
        self.links_ = Links(np.array(links.offsets), np.array(links.targets))
        liked = np.asarray(liked_only(interactions).sum(axis=0), dtype=np.float64)
        rare = self._rare(len(catalog))
        worth = 1 + liked / (1 + liked.max(initial=0))

        def of_kind(kind: Kind) -> ScoredLists:
            items = catalog.of_kind(kind)
            owners, values = links.rows(items)
            shape = (len(self.values_), len(catalog))
            entries = (worth[items[owners]] * rare[values]).astype(np.float32)
            matrix = csr_array((entries, (values, items[owners])), shape=shape)
            return ScoredLists.of_matrix(matrix, self.n_postings)

        self.postings_ = ListsByKind.of(of_kind)
        return self

    def _rare(self, n_items: int) -> np.ndarray:
        counts = np.bincount(self.links_.targets, minlength=len(self.values_))
        return np.asarray(np.log1p(n_items / np.maximum(counts, 1)))

    def keys(self, rows: Rows) -> Sparse:
        """How much each row wants each value."""
        person = np.repeat(np.arange(len(rows)), np.diff(rows.offsets))
        owners, values = self.links_.rows(rows.items)
        sizes = np.maximum(np.diff(self.links_.offsets)[rows.items], 1)
        weights = (rows.weights / sizes)[owners]
        answerers, answers, said = self._answers(rows)
        entries = np.concatenate([weights, self.chosen * said]).astype(np.float32)
        cells = (np.concatenate([person[owners], answerers]), np.concatenate([values, answers]))
        found = csr_array((entries, cells), shape=(len(rows), len(self.values_)))
        found.sum_duplicates()
        found.data = np.maximum(found.data, 0)
        found.eliminate_zeros()
        return found

    def _answers(self, rows: Rows) -> tuple[Ints, Ints, np.ndarray]:
        """Person, value and weight of each answer that names a value there is."""
        if rows.acts is None or len(self.values_) == 0:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
        events, weights = rows.acts.events, rows.acts.weights
        told = np.flatnonzero((events.type == CHOOSE) & (events.order != 0) & (weights > 0))
        at = np.minimum(np.searchsorted(self.values_, events.order[told]), len(self.values_) - 1)
        is_known = self.values_[at] == events.order[told]
        told, at = told[is_known], at[is_known]
        return rows.acts.histories.persons()[told], at, weights[told]

    def own(self, row: Row, key: int) -> int | None:
        """The item of the answer, else the own item with the value that the person likes most."""
        if row.acts is not None:
            events = row.acts.events
            told = np.flatnonzero((events.type == CHOOSE) & (events.order == self.values_[key]))
            if len(told):
                return int(events.item[told[-1]])
        owners, values = self.links_.rows(row.items)
        has_it = np.zeros(len(row), dtype=np.bool_)
        has_it[owners[values == key]] = True
        return strongest(row, has_it)
