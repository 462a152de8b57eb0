"""Prepared lists: for each key (an item, a tag) its best items of each kind with their scores.

A request adds up a few of them; its cost depends on the keys asked for, not on the catalogue.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recsys.catalog import Idxs, Kind, spans
from recsys.ids import Ints
from recsys.interactions import Row, Rows
from recsys.models.base import Ranking, Scores

# Distinct last bits by which entries are sieved.
SIEVE = 4_096

Sparse = csr_array[Any, tuple[int, int]]


def sums(items: Idxs, values: NDArray[Any]) -> tuple[Idxs, Scores]:
    """The distinct items, ascending, and the sum of each one's values."""
    # Keys that carry their own place sort several times faster than np.unique with an inverse.
    packed = (items.astype(np.int64) << 32) | np.arange(len(items))
    packed.sort()
    ordered = packed >> 32
    firsts = np.flatnonzero(np.diff(ordered, prepend=-1))
    if len(firsts) == 0:
        return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
    added = np.add.reduceat(values[packed & 0xFFFFFFFF], firsts)
    return ordered[firsts].astype(np.int32), added.astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ScoredLists:
    """Lists of scored items: key i has `items[offsets[i]:offsets[i + 1]]`, best first.

    Attributes
    ----------
    offsets
        Shape (n_keys + 1,).
    items, scores
        Shape (n entries,).
    """

    offsets: Ints
    items: Idxs
    scores: Scores

    @classmethod
    def of(cls, rankings: Iterable[Ranking]) -> Self:
        """One list a key, in the order given."""
        lists = list(rankings)
        offsets = np.zeros(len(lists) + 1, dtype=np.int64)
        np.cumsum([len(one.items) for one in lists], out=offsets[1:])
        return cls(
            offsets,
            np.concatenate([np.empty(0, np.int32), *(one.items for one in lists)]),
            np.concatenate([np.empty(0, np.float32), *(one.scores for one in lists)]),
        )

    @classmethod
    def of_matrix(cls, keys_items: Sparse, k: int, items: Idxs | None = None) -> Self:
        """The k best positive entries of each row; `items` are the columns, else 0, 1 and so on."""
        return cls.of(best_of_rows(keys_items, k, items))

    def entries(self, keys: NDArray[Any], weights: NDArray[Any]) -> tuple[Idxs, Scores, Ints]:
        """Every entry of some keys: item, score times its key's weight, place of its key."""
        at, lengths = spans(self.offsets, keys)
        key = np.repeat(np.arange(len(keys)), lengths)
        return self.items[at], self.scores[at] * weights[key], key

    def summed(self, keys: NDArray[Any], weights: NDArray[Any]) -> tuple[Idxs, Scores]:
        """The distinct items of some keys' lists, ascending, with their weighted sums."""
        items, values, _ = self.entries(keys, weights)
        return sums(items, values)

    def pool(self, keys: NDArray[Any]) -> Idxs:
        """The distinct items of some keys' lists, ascending."""
        at, _ = spans(self.offsets, keys)
        items = np.sort(self.items[at])
        return items[np.flatnonzero(np.diff(items, prepend=-1))]

    def csr(self, n_items: int) -> Sparse:
        """The same as a matrix, shape (n_keys, n_items), for dense work."""
        shape = (len(self.offsets) - 1, n_items)
        return csr_array((self.scores, self.items, self.offsets), shape=shape)


def best_of_rows(keys_items: Sparse, k: int, items: Idxs | None = None) -> Iterable[Ranking]:
    """For each row of a matrix its k best positive entries."""
    ends = keys_items.indptr
    for start, end in zip(ends, ends[1:], strict=False):
        columns, scores = keys_items.indices[start:end], keys_items.data[start:end]
        kept = np.flatnonzero(scores > 0)
        named = columns[kept] if items is None else items[columns[kept]]
        yield Ranking.best(named, scores[kept], k)


@dataclass(frozen=True, slots=True, eq=False)
class ListsByKind:
    """The same keys' lists twice: once of products, once of videos."""

    products: ScoredLists
    videos: ScoredLists

    @classmethod
    def of(cls, lists_of: Callable[[Kind], ScoredLists]) -> Self:
        """What `lists_of` gives for each kind."""
        return cls(lists_of(Kind.PRODUCT), lists_of(Kind.VIDEO))

    def within(self, kind: Kind | None) -> tuple[ScoredLists, ...]:
        """The lists of one kind; None: of both."""
        if kind is None:
            return self.products, self.videos
        return (self.products if kind is Kind.PRODUCT else self.videos,)

    def ranking(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The k items of highest weighted sum over the lists of the row's items; only above 0."""
        found = [_summed(lists, row) for lists in self.within(within)]
        items = np.concatenate([items for items, _ in found])
        scores = np.concatenate([scores for _, scores in found])
        kept = scores > 0
        return Ranking.best(items[kept], scores[kept], k)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """The weighted sums of some items, shape (n items,); NaN where no list has the item."""
        scores = np.full(len(items), np.nan, dtype=np.float32)
        for lists in self.within(None):
            scores = np.fmax(scores, looked_up(*_summed(lists, row), items))
        return scores if (row.weights > 0).any() else np.full_like(scores, np.nan)

    def pool(self, keys: NDArray[Any], within: Kind | None) -> Idxs:
        """The distinct items of some keys' lists."""
        return np.concatenate([lists.pool(keys) for lists in self.within(within)])

    def scores(self, rows: Rows) -> Scores:
        """Weighted sums for every item, shape (n_rows, n_items); NaN where no list has the item."""
        both = self.products.csr(rows.n_items) + self.videos.csr(rows.n_items)
        return opinions(csr_array(rows.csr() @ both), rows)

    def strongest_keys(self, row: Row, items: Idxs) -> list[int | None]:
        """For each item the row's item whose list gives most for it; None if none gives any."""
        strongest: list[int | None] = [None] * len(items)
        if len(items) == 0:
            return strongest
        best = np.zeros(len(items))
        place = {int(item): number for number, item in enumerate(items)}
        # Few of thousands of entries are of the items asked for: their last bits rule most out.
        has_bits = np.zeros(SIEVE, dtype=np.bool_)
        has_bits[items % SIEVE] = True
        for lists in self.within(None):
            at, lengths = spans(lists.offsets, row.items)
            sieved = np.flatnonzero(has_bits[lists.items[at] % SIEVE])
            key = np.searchsorted(np.cumsum(lengths), sieved, side="right")
            values = lists.scores[at[sieved]] * row.weights[key]
            listed = lists.items[at[sieved]].tolist()
            for item, value, own in zip(listed, values.tolist(), key.tolist(), strict=True):
                number = place.get(item)
                if number is not None and value > best[number]:
                    best[number], strongest[number] = value, int(row.items[own])
        return strongest


def looked_up(known: Idxs, scores: Scores, items: Idxs) -> Scores:
    """The scores of some items among known ones, which ascend; NaN for the others."""
    found = np.full(len(items), np.nan, dtype=np.float32)
    if len(known):
        at = np.minimum(np.searchsorted(known, items), len(known) - 1)
        is_known = known[at] == items
        found[is_known] = scores[at[is_known]]
    return found


def _summed(lists: ScoredLists, row: Row) -> tuple[Idxs, Scores]:
    """What the lists of a row's items add up to: asked for candidates, then for their scores."""
    return row.once((lists, "summed"), lambda: lists.summed(row.items, row.weights))


def opinions(scores: Sparse, rows: Rows) -> Scores:
    """Stored entries as a dense array, NaN elsewhere and in rows in which nothing is liked."""
    dense = np.full(scores.shape, np.nan, dtype=np.float32)
    where = scores.tocoo()
    dense[where.coords] = where.data
    dense[~has_liked(rows)] = np.nan
    return dense


def has_liked(rows: Rows) -> NDArray[np.bool_]:
    """Shape (n_rows,). Whether a row has a positive weight: without one nobody has an opinion."""
    person = np.repeat(np.arange(len(rows)), np.diff(rows.offsets))
    return np.bincount(person[rows.weights > 0], minlength=len(rows)) > 0


def liked_only(rows: Rows) -> Sparse:
    """The positive weights as a matrix, shape (n_rows, n_items): what learners count."""
    liked = rows.csr().copy()
    liked.data = np.maximum(liked.data, 0)
    liked.eliminate_zeros()
    return liked
