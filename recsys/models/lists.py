"""Prepared lists: for each key (an item, a tag) its best items of each kind with their scores.

A request adds up a few of them; its cost depends on the keys asked for, not on the catalogue.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recsys import kernels_best, kernels_lists
from recsys.catalog import Idxs, Kind
from recsys.ids import Ints
from recsys.interactions import Row, Rows
from recsys.links import spans
from recsys.models.base import Ranking, Scores

Sparse = csr_array[Any, tuple[int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """What lists add up to: asked for the best items, then for some items' scores.

    Attributes
    ----------
    items, scores
        Shape (n,), each item once, in no order.
    slots
        A hash table of the items' places.
    """

    items: Idxs
    scores: Scores
    slots: Idxs

    @classmethod
    def of(cls, items: Idxs, scores: Scores) -> Self:
        """The sums of each item's scores."""
        one_list = np.array([0, len(items)], dtype=np.int64)
        key, weight = np.zeros(1, dtype=np.int32), np.ones(1, dtype=np.float32)
        return cls(*kernels_lists.summed(one_list, items, scores, key, weight))

    def best(self, k: int) -> Ranking:
        """The k items of highest score, only above 0."""
        return best_above_zero(self.items, self.scores, k)

    def of_items(self, items: Idxs) -> Scores:
        """The scores of some items, shape (n items,); NaN where no list has the item."""
        found: Scores = kernels_lists.looked_up(self.items, self.scores, self.slots, items)
        return found

    def ascending(self) -> tuple[Idxs, Scores]:
        """The items, ascending, and their scores."""
        order = np.argsort(self.items)
        return self.items[order], self.scores[order]


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

    def sums(self, keys: Idxs, weights: Scores) -> Sums:
        """The distinct items of some keys' lists, with their weighted sums."""
        return Sums(*kernels_lists.summed(self.offsets, self.items, self.scores, keys, weights))

    def summed(self, keys: Idxs, weights: Scores) -> tuple[Idxs, Scores]:
        """The same, the items ascending."""
        return self.sums(keys, weights).ascending()

    def pool(self, keys: Idxs) -> Idxs:
        """The distinct items of some keys' lists, in no order."""
        found: Idxs = kernels_lists.pooled(self.offsets, self.items, keys)
        return found

    def products(self, keys: Idxs, weights: Sums) -> Scores:
        """For each key the sum over its list of score times weight, shape (n keys,)."""
        told = (keys, weights.items, weights.scores)
        found: Scores = kernels_lists.products(self.offsets, self.items, self.scores, *told)
        return found

    def best_products(self, keys: Idxs, weights: Sums, worth: Scores, k: int) -> Ranking:
        """The k keys of highest product, each times what it is worth; only above 0."""
        told = (keys, weights.items, weights.scores, k)
        return Ranking(
            *kernels_lists.best_products(self.offsets, self.items, self.scores, worth, *told)
        )

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
        return self._summed(row).best(k, within)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """The weighted sums of some items, shape (n items,); NaN where no list has the item."""
        if not row.likes:
            return np.full(len(items), np.nan, dtype=np.float32)
        return self._summed(row).of_items(items)

    def _summed(self, row: Row) -> "KindSums":
        """What the lists of a row's items add up to: asked for candidates, scores and reasons."""
        return row.once((self.products, "summed"), lambda: KindSums.of(self, row))

    def pool(self, keys: Idxs, within: Kind | None) -> Idxs:
        """The distinct items of some keys' lists."""
        return np.concatenate([lists.pool(keys) for lists in self.within(within)])

    def scores(self, rows: Rows) -> Scores:
        """Weighted sums for every item, shape (n_rows, n_items); NaN where no list has the item."""
        both = self.products.csr(rows.n_items) + self.videos.csr(rows.n_items)
        return opinions(csr_array(rows.csr() @ both), rows)

    def strongest_keys(self, row: Row, items: Idxs) -> list[int | None]:
        """For each item the row's item whose list gives most for it; None if none gives any."""
        places = self._summed(row).strongest(items).tolist()
        keys = row.items.tolist()
        return [None if place < 0 else keys[place] for place in places]


@dataclass(frozen=True, slots=True, eq=False)
class KindSums:
    """What lists of both kinds add up to.

    Attributes
    ----------
    items, scores, keys
        Shape (n,), each item once, products first; `keys` are places in the row that gave most.
    slots
        A hash table of the items' places.
    n_products
        How many of them are products.
    """

    items: Idxs
    scores: Scores
    keys: Idxs
    slots: Idxs
    n_products: int

    @classmethod
    def of(cls, lists: ListsByKind, row: Row) -> Self:
        """The lists of a row's items, by their weights."""
        one, other = lists.products, lists.videos
        return cls(
            *kernels_lists.summed_by_kind(
                *(one.offsets, one.items, one.scores),
                *(other.offsets, other.items, other.scores),
                *(row.items, row.weights),
            )
        )

    def best(self, k: int, within: Kind | None) -> Ranking:
        """The k items of highest score, only above 0."""
        start = self.n_products if within is Kind.VIDEO else 0
        end = self.n_products if within is Kind.PRODUCT else len(self.items)
        return Ranking(*kernels_best.best(self.items, self.scores, start, end, k))

    def of_items(self, items: Idxs) -> Scores:
        """The scores of some items, shape (n items,); NaN where no list has the item."""
        found: Scores = kernels_lists.looked_up(self.items, self.scores, self.slots, items)
        return found

    def strongest(self, items: Idxs) -> Idxs:
        """The place in the row that gave most for each of some items; −1 for none."""
        found: Idxs = kernels_lists.places_told(self.items, self.keys, self.slots, items)
        return found


def merged(rankings: list[Ranking], k: int) -> Ranking:
    """The k best of rankings of different items."""
    return Ranking.best(
        np.concatenate([one.items for one in rankings]),
        np.concatenate([one.scores for one in rankings]),
        k,
    )


def looked_up(known: Idxs, scores: Scores, items: Idxs) -> Scores:
    """The scores of some items among known ones, which ascend; NaN for the others."""
    found = np.full(len(items), np.nan, dtype=np.float32)
    if len(known):
        at = np.minimum(np.searchsorted(known, items), len(known) - 1)
        is_known = known[at] == items
        found[is_known] = scores[at[is_known]]
    return found


def best_above_zero(items: Idxs, scores: Scores, k: int) -> Ranking:
    """The k items of highest score, only above 0; ties go to the lower position."""
    return Ranking(*kernels_best.best(items, scores, 0, len(items), k))


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
