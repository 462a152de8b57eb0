"""What persons did one after the other, visit by visit: pairs of near items, and returns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from recsys.catalog import Idxs
from recsys.histories import UNDATED
from recsys.ids import Ints, Mask
from recsys.interactions import Acts
from recsys.models.base import Scores
from recsys.models.lists import Sparse

# The table of returns distinguishes so many steps back and so many turns to an item.
STEPS, TURNS = 15, 3
HOUR_MS = 3_600_000
# Pairs of the acts on so many items are counted at a time, about 300 MB.
MAX_PAIRS = 16_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """Acts that say something for an item, in order, and the visit that each belongs to.

    Attributes
    ----------
    items
        Shape (n acts,).
    numbers
        Shape (n acts,), ascending. Number of the visit; visits of two persons are different.
    """

    items: Idxs
    numbers: Ints
    n_items: int

    @classmethod
    def of(cls, acts: Acts, n_items: int, visit_hours: float) -> Self:
        """Everybody's visits; after a pause of so many hours a new one begins."""
        spoken = acts.histories.keeping(acts.weights > 0)
        persons, at_ms = spoken.persons(), spoken.events.at_ms
        begins = np.ones(len(persons), dtype=np.bool_)
        # UNDATED is far below zero: its difference to a time would overflow.
        hours = np.where(at_ms == UNDATED, 0, at_ms) / HOUR_MS
        begins[1:] = (np.diff(persons) != 0) | (np.diff(hours) > visit_hours)
        return cls(spoken.events.item, np.cumsum(begins) - 1, n_items)

    def __len__(self) -> int:
        """How many acts there are."""
        return len(self.items)

    def counts(self) -> Ints:
        """Shape (n_items,). How many acts there are on each item."""
        return np.bincount(self.items, minlength=self.n_items).astype(np.int64)

    def near(self, window: int, backwards: float) -> Iterator[Sparse]:
        """For all items, block by block, what is near each: 1 / steps for each pair of acts.

        Parameters
        ----------
        window
            Acts further apart than so many steps are no pair.
        backwards
            How much the earlier of a pair counts for the later one.
        """
        by_item = np.argsort(self.items, kind="stable")
        upto = np.cumsum(self.counts()) * 2 * window
        start = 0
        while start < self.n_items:
            before = upto[start - 1] if start else 0
            found = int(np.searchsorted(upto, before + MAX_PAIRS, side="right"))
            # One item alone may be too much, but cannot be split.
            end = max(found, start + 1)
            acts = by_item[before // (2 * window) : upto[end - 1] // (2 * window)]
            yield self._near(acts, (start, end), window, backwards)
            start = end

    def _near(self, acts: Ints, span: tuple[int, int], window: int, backwards: float) -> Sparse:
        keys, others, values = [], [], []
        for step in range(1, window + 1):
            for direction, weight in ((step, 1.0), (-step, backwards)):
                found = acts[self._reaches(acts, direction)] if weight else acts[:0]
                keys.append(self.items[found] - span[0])
                others.append(self.items[found + direction])
                values.append(np.full(len(found), weight / step, dtype=np.float32))
        entries = (np.concatenate(values), (np.concatenate(keys), np.concatenate(others)))
        return csr_array(entries, shape=(span[1] - span[0], self.n_items))

    def _reaches(self, acts: Ints, direction: int) -> Mask:
        """Whether so many steps from an act there is another of the same visit."""
        there = np.clip(acts + direction, 0, max(0, len(self) - 1))
        same: Mask = (there == acts + direction) & (self.numbers[there] == self.numbers[acts])
        return same

    def returns(self) -> Scores:
        """Shape (STEPS, TURNS, 2). The chance that the next act is back on an item.

        By how many acts ago the last one on it was, by how many of the visit were, and by whether
        it came next when the person was last where they are now.
        """
        ends = np.searchsorted(self.numbers, self.numbers, side="right")
        left = ends - np.arange(len(self)) - 1
        turn, before, after = self._turns()
        gap = after - np.arange(len(self))
        n_cells = TURNS * 2
        hits, chances = np.zeros((STEPS, n_cells)), np.zeros((STEPS, n_cells))
        for step in range(1, STEPS + 1):
            waiting = np.flatnonzero((left >= step) & (gap >= step))
            # The act that the person is at, and the one before it on the same item.
            last = before[waiting + step - 1]
            came_next = (last >= 0) & (self.items[last + 1] == self.items[waiting])
            cells = turn[waiting] * 2 + came_next
            chances[step - 1] = np.bincount(cells, minlength=n_cells)
            hits[step - 1] = np.bincount(cells[gap[waiting] == step], minlength=n_cells)
        table = (hits / np.maximum(chances, 1)).astype(np.float32)
        return table.reshape(STEPS, TURNS, 2)

    def _turns(self) -> tuple[Ints, Ints, Ints]:
        """Of each act: which on its item in the visit it is, from 0, and the ones before and after.

        Before the first is -1, after the last a place far behind all.
        """
        n = len(self)
        order = np.lexsort((self.items, self.numbers))
        same = np.zeros(n, dtype=np.bool_)
        same[1:] = (np.diff(self.items[order]) == 0) & (np.diff(self.numbers[order]) == 0)
        firsts = np.maximum.accumulate(np.where(same, 0, np.arange(n)))
        turn = np.empty(n, dtype=np.int64)
        before, after = np.full(n, -1, dtype=np.int64), np.full(n, 2 * n, dtype=np.int64)
        turn[order] = np.minimum(np.arange(n) - firsts, TURNS - 1)
        again = np.flatnonzero(same)
        before[order[again]] = order[again - 1]
        after[order[again - 1]] = order[again]
        return turn, before, after

    def latest(self) -> tuple[Idxs, Ints]:
        """Of the last visit the items whose last act is not long ago, and their cells of `returns`.

        Returns
        -------
        Items, ascending, and positions in the flattened table.
        """
        if len(self) == 0:
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
        visit = self.items[np.searchsorted(self.numbers, self.numbers[-1]) :]
        items, steps, turns = np.unique(visit[::-1], return_index=True, return_counts=True)
        here = np.flatnonzero(visit[:-1] == visit[-1])
        came_next = items == visit[here[-1] + 1] if len(here) else np.zeros(len(items), np.bool_)
        cells = (steps * TURNS + np.minimum(turns, TURNS) - 1) * 2 + came_next
        near = steps < STEPS
        return items[near], cells[near].astype(np.int64)
