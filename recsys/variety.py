"""What lists are like, whoever likes them: variety, surprise, popularity, commerce.

Lists come as `Links`, row p being person p's list, best first; where a metric has one value a
person, it is NaN for who has no list, or none of whose items it is defined for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.ids import Ints, Mask
from recsys.links import Links
from recsys.metrics import Estimate

Values = NDArray[np.float64]
# Pairs of items compared at once, so that long lists of many persons need no more memory.
PAIRS_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Takers:
    """How many persons had to do with each item before lists were asked for.

    Attributes
    ----------
    counts
        Shape (n_items,).
    n_persons
        How many persons had to do with anything.
    """

    counts: Ints
    n_persons: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Traits:
    """What metrics ask of the items of a catalogue.

    Attributes
    ----------
    kind
        Shape (n_items,).
    may_show
        Shape (n_items,). What a list may hold.
    words
        Each item's tags and its category, as numbers.
    category, creator
        Shape (n_items,). 0 where there is none.
    takers
        None where it is not known; then there is no popularity either.
    percentile
        Shape (n_items,). Share of its kind that is less popular, ties counting half, 0 to 1.
    surprise
        Shape (n_items,), bits.
    """

    kind: NDArray[np.int8]
    may_show: Mask
    words: Links
    category: Idxs
    creator: Idxs
    takers: Takers | None
    percentile: Values = field(repr=False)
    surprise: Values = field(repr=False)

    @classmethod
    def of(cls, catalog: Catalog, takers: Takers | None) -> Self:
        """Those of a catalogue."""
        unknown = np.full(len(catalog), np.nan)
        return cls(
            kind=catalog.kind,
            may_show=catalog.on_sale,
            words=_words(catalog),
            category=catalog.category,
            creator=catalog.creator,
            takers=takers,
            percentile=unknown if takers is None else _percentile(catalog, takers),
            surprise=unknown if takers is None else _surprise(takers),
        )

    @property
    def is_product(self) -> Values:
        """1 for a product, 0 for a video."""
        return np.asarray(self.kind == Kind.PRODUCT, dtype=np.float64)

    def is_cold(self, items: Idxs) -> Mask:
        """Which items nobody had to do with before; one beyond the catalogue is one of them."""
        known = np.zeros(len(items), dtype=np.int64)
        here = items < len(self.kind)
        if self.takers is not None:
            known[here] = self.takers.counts[items[here]]
        return np.asarray(known == 0)


def _words(catalog: Catalog) -> Links:
    owners, tags = catalog.tags.rows(np.arange(len(catalog)))
    filed = np.flatnonzero(catalog.category)
    owners = np.concatenate([owners, filed])
    words = np.concatenate([tags, catalog.category[filed] + len(catalog.tag_names)])
    counts = np.bincount(owners, minlength=len(catalog))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Links(offsets, words[np.argsort(owners, kind="stable")].astype(np.int32))


def _percentile(catalog: Catalog, takers: Takers) -> Values:
    found = np.full(len(catalog), np.nan)
    for kind in Kind:
        counts = np.sort(takers.counts[(catalog.kind == kind) & catalog.on_sale])
        own = takers.counts[catalog.kind == kind]
        below, upto = (np.searchsorted(counts, own, side=side) for side in ("left", "right"))
        found[catalog.kind == kind] = (below + upto) / 2 / max(1, len(counts))
    return found


def _surprise(takers: Takers) -> Values:
    # The surprise of an item without takers would be endless; it counts as having half of one.
    shares = np.maximum(takers.counts, 0.5) / max(1, takers.n_persons)
    return np.asarray(-np.log2(shares))


def firsts(lists: Links, k: int) -> tuple[Ints, Idxs]:
    """Whose they are, and the items, of everybody's first k."""
    owners, items = lists.rows(np.arange(len(lists.offsets) - 1))
    kept = np.arange(len(items)) - lists.offsets[owners] < k
    return owners[kept], items[kept]


def mean_of(lists: Links, k: int, values: NDArray[Any]) -> Values:
    """Shape (n_persons,). Mean of a value over everybody's first k; items with NaN do not count.

    Of surprise it is the novelty of a list (Zhou et al. 2010: self-information −log2 of the share
    of persons that had the item); of percentiles its popularity; of `is_product` its commerce.
    """
    owners, items = firsts(lists, k)
    kept = ~np.isnan(values[items])
    owners, items = owners[kept], items[kept]
    n = len(lists.offsets) - 1
    return _ratio(
        np.bincount(owners, weights=values[items], minlength=n), np.bincount(owners, minlength=n)
    )


def at_rank(lists: Links, rank: int, values: NDArray[Any]) -> Values:
    """Shape (n_persons,). The value of the item at a rank that counts from 0."""
    lengths = np.diff(lists.offsets)
    found = np.full(len(lengths), np.nan)
    there = lengths > rank
    found[there] = values[lists.targets[lists.offsets[:-1][there] + rank]]
    return found


def distinct(lists: Links, k: int, labels: Idxs) -> Values:
    """Shape (n_persons,). How many labels there are among everybody's first k; 0 is none."""
    owners, items = firsts(lists, k)
    found = labels[items]
    pairs = np.unique(np.stack([owners, found.astype(np.int64)])[:, found > 0], axis=1)
    counts = np.bincount(pairs[0], minlength=len(lists.offsets) - 1).astype(np.float64)
    return np.where(counts > 0, counts, np.nan)


def diversity(lists: Links, k: int, words: Links) -> Values:
    """Shape (n_persons,). 1 − mean overlap of the words of two items of the first k, 0 to 1.

    The overlap of two items is what they share of all their words (Jaccard); the mean over pairs is
    the intra-list similarity of Ziegler et al. 2005 turned round. Pairs in which an item has no
    word at all do not count.
    """
    n = len(lists.offsets) - 1
    sums, counts = np.zeros(n), np.zeros(n)
    sizes, user_words = np.diff(words.offsets), _matrix(words)
    for owners, one, other in _pairs(lists, k):
        known = (sizes[one] > 0) & (sizes[other] > 0)
        owners, one, other = owners[known], one[known], other[known]
        shared = np.asarray(user_words[one].multiply(user_words[other]).sum(axis=1)).ravel()
        overlaps = shared / (sizes[one] + sizes[other] - shared)
        sums += np.bincount(owners, weights=overlaps, minlength=n)
        counts += np.bincount(owners, minlength=n)
    return 1 - _ratio(sums, counts)


def _matrix(links: Links) -> csr_array[Any, tuple[int, int]]:
    n_columns = int(links.targets.max(initial=0)) + 1
    ones = np.ones(len(links.targets), dtype=np.float32)
    shape = (len(links.offsets) - 1, n_columns)
    return csr_array((ones, links.targets, links.offsets), shape=shape)


def _pairs(lists: Links, k: int) -> Iterator[tuple[Ints, Idxs, Idxs]]:
    """Every two of the first k of each list, some persons at a time."""
    lengths = np.minimum(np.diff(lists.offsets), k)
    left, right = np.triu_indices(int(lengths.max(initial=0)), 1)
    step = max(1, PAIRS_AT_ONCE // max(1, len(left)))
    for start in range(0, len(lengths), step):
        persons = np.arange(start, min(start + step, len(lengths)))
        owners, pairs = np.nonzero(right < lengths[persons][:, None])
        starts = lists.offsets[persons[owners]]
        one, other = lists.targets[starts + left[pairs]], lists.targets[starts + right[pairs]]
        yield persons[owners], one, other


def _ratio(sums: NDArray[Any], counts: NDArray[Any]) -> Values:
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def coverage(lists: Links, k: int, n_items: int) -> Estimate:
    """Share of the `n_items` that could be shown which are among anybody's first k."""
    owners, items = firsts(lists, k)
    n = len(lists.offsets) - 1
    if n_items == 0 or n == 0:
        return Estimate.of([])
    shown, where, counts = np.unique(items, return_inverse=True, return_counts=True)
    only_here = np.bincount(owners, weights=counts[where] == 1, minlength=n)
    return Estimate.of_share(len(shown) / n_items, only_here / n_items)


def gini(lists: Links, k: int, may_show: Mask) -> Estimate:
    """How unevenly the places go to the items that may be shown: 0 evenly, 1 all to one.

    Σ (2j − n − 1) x_j ÷ ((n − 1) Σ x_j) over items by ascending number of places x, as Castells,
    Hurley and Vargas 2015; items that are never shown count.
    """
    owners, items = firsts(lists, k)
    n, n_persons = int(may_show.sum()), len(lists.offsets) - 1
    if n < 2 or len(items) == 0:
        return Estimate.of([])
    places = np.bincount(items, minlength=len(may_show))
    ascending = np.sort(places[may_show | (places > 0)])
    slopes = 2 * np.arange(1, len(ascending) + 1) - len(ascending) - 1
    total, spread = len(items), float(slopes @ ascending)
    # Who leaves takes one place from each item of theirs. In its order an item with x places may
    # stand first of all that have x, the next such one second, so that the order holds.
    order = np.lexsort((places[items], owners))
    own, x = owners[order], places[items[order]]
    run = np.arange(len(x)) - np.maximum.accumulate(
        np.where(np.diff(own, prepend=-1) | np.diff(x, prepend=-1), np.arange(len(x)), 0)
    )
    lost = np.bincount(
        own, weights=slopes[np.searchsorted(ascending, x) + run], minlength=n_persons
    )
    rest = total - np.bincount(owners, minlength=n_persons)
    scale = len(ascending) - 1
    share = spread / (scale * total)
    without = np.where(rest > 0, (spread - lost) / (scale * np.maximum(rest, 1)), share)
    return Estimate.of_share(share, share - without)
