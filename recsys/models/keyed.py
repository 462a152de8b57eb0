"""The answering half of models that go from a row to keys (creators, values), and on to items."""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from recsys.catalog import Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.models.base import Because, Ranking, Scores, check_fitted
from recsys.models.lists import ListsByKind, Sparse, opinions


@dataclass(kw_only=True, slots=True, eq=False)
class ByKeys:
    """Answers with the weighted sum of the lists of keys that a row's items stand for.

    Attributes
    ----------
    postings_
        For each key its best items of each kind.
    """

    postings_: ListsByKind = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    @abstractmethod
    def keys(self, rows: Rows) -> Sparse:
        """How much each row likes each key, shape (n_rows, n_keys); nothing below 0."""

    @abstractmethod
    def own(self, row: Row, key: int) -> int | None:
        """The row's item that speaks most for a key."""

    def _wanted(self, row: Row) -> Row:
        return row.once((self.postings_, "keys"), lambda: self._keys_of(row))

    def _keys_of(self, row: Row) -> Row:
        if not row.likes:
            return Row(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32))
        found = self.keys(Rows.of([row], int(row.items[-1]) + 1))
        order = np.argsort(found.indices)
        return Row(found.indices[order].astype(np.int32), found.data[order].astype(np.float32))

    def score(self, rows: Rows) -> Scores:
        """Sum over the keys of each row."""
        check_fitted(self)
        lists = [one.csr(rows.n_items) for one in self.postings_.within(None)]
        return opinions(csr_array(self.keys(rows) @ (lists[0] + lists[1])), rows)

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best of the lists of the row's keys."""
        check_fitted(self)
        return self.postings_.ranking(self._wanted(row), k, within)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """As `candidates` scores them."""
        check_fitted(self)
        return self.postings_.score_of(self._wanted(row), items)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The own item that speaks most for the key that adds most."""
        check_fitted(self)
        keys = self.postings_.strongest_keys(self._wanted(row), np.asarray(items, dtype=np.int32))
        owns = [None if key is None else self.own(row, key) for key in keys]
        return [None if own is None else Because(item_idx=own) for own in owns]


def strongest(row: Row, is_meant: np.ndarray) -> int | None:
    """The item of a row liked most of some of its places."""
    places = np.flatnonzero(is_meant & (row.weights > 0))
    if len(places) == 0:
        return None
    return int(row.items[places[np.argmax(row.weights[places])]])
