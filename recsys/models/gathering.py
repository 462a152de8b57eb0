"""From acts to evidence: what each behaviour on each item leads to, counted over everybody."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Acts
from recsys.models.association import (
    MAX_BLOCK_ENTRIES,
    crossing_lists,
    filter_between,
    filter_lists,
    filter_within,
)
from recsys.models.base import Ranking
from recsys.models.behaviours import Behaviours, ones
from recsys.models.effects import Numbers
from recsys.models.evidence import EXTRA, N_LATEST, Evidence
from recsys.models.heldout import has_order
from recsys.models.lists import ListsByKind, ScoredLists, Sparse

# Persons that a filter from one kind to the other is learned from.
MAX_BOTH = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """How evidence is gathered; the parameters are those of `Crossing`."""

    n_neighbours: int
    significance: float
    ridge: float
    ridge_between: float
    carry: float
    most_filtered: int
    seed: int

    def evidence(
        self, acts: Acts, behaviours: Behaviours, aims: Mapping[Kind, int], catalog: Catalog
    ) -> Evidence:
        """What acts say of items, each sum in a scale of 1."""
        n_items, n = len(catalog), len(behaviours)
        n_latest = N_LATEST if has_order(acts) else 0
        done = [behaviours.matrix(acts, int(code), n_items) for code in behaviours.codes]
        aimed = {
            k: _of_kind(behaviours.matrix(acts, a, n_items), catalog.kind, k)
            for k, a in aims.items()
        }
        every = _total(done, (len(acts.histories), n_items))
        goal = aimed[Kind.PRODUCT] + aimed[Kind.VIDEO]
        filtered = {k: self._filters(every, one, catalog, k) for k, one in aimed.items()}
        return Evidence(
            behaviours=behaviours,
            kind=catalog.kind.copy(),
            crossings=ListsByKind.of(
                lambda kind: self._crossings(done, aimed[kind], catalog, kind)
            ),
            filters=ListsByKind.of(lambda kind: ScoredLists.of(filtered[kind][0])),
            usual=filtered[Kind.PRODUCT][1] + filtered[Kind.VIDEO][1],
            n_latest=np.array([n_latest]),
            rates=_rates(done, csr_array(goal)),
            columns=_columns(acts, every, csr_array(goal), catalog.kind, n_latest),
            scales=np.ones(n + len(EXTRA), dtype=np.float32),
        )

    def _crossings(
        self, done: list[Sparse], aimed: Sparse, catalog: Catalog, kind: Kind
    ) -> ScoredLists:
        """For each behaviour and item what it leads to of a kind."""
        targets, lists = catalog.of_kind(kind), list[Ranking]()
        is_inside = catalog.kind == kind
        for one in done:
            inside = self._surest(_of_kind(one, catalog.kind, kind), aimed, targets)
            outside = _of_kind(one, catalog.kind, _other(kind))
            # Who knows only one of the kinds could never do both: they would make chance look sure.
            both = np.flatnonzero((outside.sum(axis=1) > 0) & (aimed.sum(axis=1) > 0))
            across = self._surest(csr_array(outside[both]), csr_array(aimed[both]), targets)
            lists += [i if at else o for at, i, o in zip(is_inside, inside, across, strict=True)]
        return ScoredLists.of(lists)

    def _surest(self, done: Sparse, aimed: Sparse, targets: Idxs) -> Iterator[Ranking]:
        return crossing_lists(
            done, aimed, targets, significance=self.significance, k=self.n_neighbours
        )

    def _filters(
        self, every: Sparse, aimed: Sparse, catalog: Catalog, kind: Kind
    ) -> tuple[list[Ranking], Numbers]:
        """For each item what filters say for items of a kind, and what they say to everybody."""
        counts = every.sum(axis=0)
        inside = _most(counts, catalog.of_kind(kind), self.most_filtered)
        lists, within = [Ranking.none()] * len(catalog), np.empty((0, 0), dtype=np.float32)
        if len(inside):
            within = filter_within(csr_array(every[:, inside]), self.ridge)
            lists = filter_lists(within, inside, inside, len(catalog), self.n_neighbours)
        other = catalog.of_kind(_other(kind))
        crossed, usual = self._between(csr_array(every[:, other]), aimed, (inside, within))
        for item, ranking in zip(other.tolist(), crossed, strict=False):
            lists[item] = ranking
        return lists, usual

    def _between(
        self, outside: Sparse, aimed: Sparse, filtered: tuple[Idxs, Numbers]
    ) -> tuple[list[Ranking], Numbers]:
        """What a filter over those who have both says: for each outside item, and for all.

        Few have both, many have items of the aim's kind: what the few say of an item is carried on
        to those that go with it according to the many.
        """
        usual = np.zeros(aimed.shape[1], dtype=np.float32)
        both = np.flatnonzero((outside.sum(axis=1) > 0) & (aimed.sum(axis=1) > 0))
        if len(both) == 0:
            return [], usual
        if len(both) > MAX_BOTH:
            both = np.sort(np.random.default_rng(self.seed).choice(both, MAX_BOTH, replace=False))
        done, aimed = csr_array(outside[both]), csr_array(aimed[both])
        targets = _most(aimed.sum(axis=0), np.arange(aimed.shape[1]), self.most_filtered)
        sources, shared, said = filter_between(
            done, csr_array(aimed[:, targets]), self.ridge_between
        )
        shared, usual[targets] = _carried(shared, said, targets, filtered, self.carry)
        lists, step = [], max(1, MAX_BLOCK_ENTRIES // len(targets))
        for start in range(0, sources.shape[0], step):
            block = np.asarray(sources[start : start + step] @ shared)
            places = np.arange(len(block), dtype=np.int32)
            lists += filter_lists(block, places, targets, len(block), self.n_neighbours)
        return lists, usual


def _carried(
    shared: Numbers, usual: Numbers, targets: Idxs, filtered: tuple[Idxs, Numbers], carry: float
) -> tuple[Numbers, Numbers]:
    """What is said of targets, and so often what a filter among them makes of it; of equal size."""
    inside, within = filtered
    known, at, there = np.intersect1d(targets, inside, assume_unique=True, return_indices=True)
    both = np.concatenate([shared, usual[None]])
    if carry == 0 or len(known) == 0 or not shared.any():
        return shared, usual
    both[:, at] += carry * (both[:, at] @ within[np.ix_(there, there)])
    both *= np.linalg.norm(shared) / np.linalg.norm(both[:-1])
    return both[:-1], both[-1]


def _most(counts: NDArray[Any], items: NDArray[Any], n: int) -> Idxs:
    """The n items with the largest counts above 0, ascending."""
    items = items[counts[items] > 0]
    return np.sort(items[np.argsort(-counts[items], kind="stable")][:n]).astype(np.int32)


def _total(matrices: list[Sparse], shape: tuple[int, int]) -> Sparse:
    nobody = np.empty(0, dtype=np.int32)
    total = ones(nobody, nobody, shape)
    for one in matrices:
        total = csr_array(total + one)
    return total


def _other(kind: Kind) -> Kind:
    return Kind.VIDEO if kind is Kind.PRODUCT else Kind.PRODUCT


def _of_kind(matrix: Sparse, kinds: NDArray[np.int8], kind: Kind) -> Sparse:
    """The same with only the columns of one kind filled."""
    kept = kinds[matrix.indices] == kind
    counts = np.concatenate([[0], np.cumsum(kept)])
    parts = (matrix.data[kept], matrix.indices[kept], counts[matrix.indptr])
    return csr_array(parts, shape=matrix.shape)


def _rates(done: list[Sparse], goal: Sparse) -> Numbers:
    """How much more often than usual a behaviour on an item came to the aim on it, as a log."""
    rates = np.zeros((len(done), goal.shape[1]), dtype=np.float32)
    for place, one in enumerate(done):
        there = one.sum(axis=0)
        came = one.multiply(goal).sum(axis=0)
        usual = (came.sum() + 1) / (there.sum() + 10)
        # Ten persons' worth of the usual rate: what one person did once is no rate.
        rates[place] = np.log((came + 10 * usual) / (there + 10) / usual)
    return rates


def _columns(
    acts: Acts, every: Sparse, goal: Sparse, kinds: NDArray[np.int8], n_latest: int
) -> Numbers:
    """Logarithms of how many persons did this and that with each item."""
    persons, n_items = acts.histories.persons(), len(kinds)
    speaks = acts.weights > 0
    to_end = acts.histories.offsets[persons + 1] - 1 - np.arange(len(persons))
    latest = acts.events.item[speaks & (to_end < n_latest)]
    has = [_of_kind(every, kinds, kind).sum(axis=1) > 0 for kind in Kind]
    has_both = np.logical_and.reduce(has).astype(np.float32)
    counts = [
        goal.sum(axis=0),
        (every > 0).sum(axis=0),
        np.bincount(latest, minlength=n_items),
        goal.T @ has_both,
    ]
    return np.log1p(np.array(counts, dtype=np.float32)).T.copy()
