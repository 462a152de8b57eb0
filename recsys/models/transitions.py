"""What follows what: the item a person turns to next, from the order of what they did."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.models.base import Because, Ranking, Scores, check_fitted
from recsys.models.item_knn import blocks
from recsys.models.lists import (
    ListsByKind,
    ScoredLists,
    Sparse,
    Sums,
    best_above_zero,
    best_of_rows,
    liked_only,
    opinions,
)
from recsys.models.visits import STEPS, TURNS, Visits

# A request reads the lists of so many items, the latest.
MAX_KEYS = 50
# Of each item so many of the nearest are walked on from.
MAX_WALKED = 50
# Second steps are taken from so many items at a time.
BLOCK = 2_048


@dataclass(kw_only=True, slots=True, eq=False)
class Transitions:
    """Items near each other in a visit, walked over once and twice, and returns to own items.

    Two acts of a visit that are d steps apart count 1/d for each other's items: sequential rules
    (Ludewig and Jannach 2018), but in both directions, which is better. Divided by how often the
    items occur these are chances of one step; a second step also reaches what was never seen
    together. How often people return to an item after so many acts is one table for all items.

    Parameters
    ----------
    n_neighbours
        How many items of each kind are kept for each item.
    window
        Acts further apart than so many steps are no pair.
    visit_hours
        After a pause of so long a new visit begins; undated acts are one visit.
    persistence
        How much of its weight an item keeps with each one turned to later, 0 to 1.
    backwards
        How much the earlier item of a pair counts for the later one, 0 to 1.
    source_damping, target_damping
        How much a frequent item of the person, or a frequent item to show, is held back; 0 to 1.
    second
        How much two steps count against one; 0 means one step only.
    returns
        How much the chance of a return counts against what follows; 0 means own items are not
        told apart.

    Attributes
    ----------
    followers_
        For each item what follows it, of each kind.
    returns_
        Shape (STEPS, TURNS, 2). Chances of a return; see `Visits.returns`.
    is_product_
        Shape (n_items,). The kind of each item.
    """

    n_neighbours: int = 100
    window: int = 10
    visit_hours: float = 12.0
    persistence: float = 0.5
    backwards: float = 1.0
    source_damping: float = 0.8
    target_damping: float = 0.2
    second: float = 1.5
    returns: float = 30.0

    followers_: ListsByKind = field(init=False, repr=False)
    returns_: Scores = field(init=False, repr=False)
    is_product_: NDArray[np.bool_] = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn from acts in their order; where they are not known, from what a row likes."""
        self.is_product_ = catalog.kind == Kind.PRODUCT
        if interactions.acts is None:
            liked = liked_only(interactions).astype(bool).astype(np.float32)
            counts = np.asarray(liked.sum(axis=0), dtype=np.float32)
            near = _together(liked)
            self.returns_ = np.zeros((STEPS, TURNS, 2), dtype=np.float32)
        else:
            visits = Visits.of(interactions.acts, interactions.n_items, self.visit_hours)
            counts = visits.counts().astype(np.float32)
            near = visits.near(self.window, self.backwards)
            self.returns_ = visits.returns()
        self.followers_ = self._walked(near, counts)
        return self

    def _walked(self, near: Iterator[Sparse], counts: Scores) -> ListsByKind:
        """Lists of one step and two, from counts of near pairs block by block."""
        first: list[Ranking] = []
        kept: dict[bool, list[Ranking]] = {True: [], False: []}
        for block in near:
            chances = self._chances(block, len(first), counts)
            first += best_of_rows(chances, MAX_WALKED)
            for is_product, lists in kept.items():
                lists += self._of_kind(chances, is_product)
        if self.second == 0 or not first:
            return ListsByKind(ScoredLists.of(kept[True]), ScoredLists.of(kept[False]))
        steps = ScoredLists.of(first).csr(len(counts))
        once = {is_product: ScoredLists.of(lists) for is_product, lists in kept.items()}
        return ListsByKind(
            ScoredLists.of(self._twice(once[True], steps, is_product=True)),
            ScoredLists.of(self._twice(once[False], steps, is_product=False)),
        )

    def _chances(self, block: Sparse, start: int, counts: Scores) -> Sparse:
        """Chances of one step from the items `start`, `start` + 1 and so on."""
        keys = np.repeat(np.arange(start, start + block.shape[0]), np.diff(block.indptr))
        # 1 holds back what few acts speak for.
        divisor = counts[keys] ** self.source_damping * counts[block.indices] ** (
            self.target_damping
        )
        block.data = np.where(block.indices == keys, 0, block.data / (divisor + 1)).astype(
            np.float32
        )
        totals = np.asarray(block.sum(axis=1), dtype=np.float32)
        return csr_array(diags_array(1 / np.where(totals > 0, totals, 1)) @ block)

    def _of_kind(self, chances: Sparse, is_product: bool) -> Iterator[Ranking]:
        items = np.flatnonzero(self.is_product_ == is_product).astype(np.int32)
        yield from best_of_rows(csr_array(chances[:, items]), self.n_neighbours, items)

    def _twice(self, once: ScoredLists, steps: Sparse, *, is_product: bool) -> Iterator[Ranking]:
        near = once.csr(steps.shape[1])
        for start in range(0, steps.shape[0], BLOCK):
            rows = slice(start, start + BLOCK)
            both = csr_array(near[rows] + self.second * (steps[rows] @ steps))
            keys = np.repeat(np.arange(start, start + both.shape[0]), np.diff(both.indptr))
            both.data[both.indices == keys] = 0
            yield from self._of_kind(both, is_product)

    def score(self, rows: Rows) -> Scores:
        """What follows the row's items, the later ones counting more, plus chances of a return."""
        check_fitted(self)
        asked = [self._asked(rows[number]) for number in range(len(rows))]
        keys = Rows.of([recent for recent, _ in asked], rows.n_items).csr()
        own = Rows.of([back for _, back in asked], rows.n_items).csr()
        lists = self.followers_.products.csr(rows.n_items) + self.followers_.videos.csr(
            rows.n_items
        )
        return opinions(csr_array(keys @ lists + own), rows)

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best of what follows the latest items, and of these themselves."""
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
        """The item itself where it is one to return to, else the one that it follows most."""
        check_fitted(self)
        recent, back = self._asked(row)
        keys = self.followers_.strongest_keys(recent, items)
        mine = set(back.items.tolist())
        return [
            Because(item_idx=item) if item in mine else None if key is None else Because(key)
            for item, key in zip(items.tolist(), keys, strict=True)
        ]

    def _asked(self, row: Row) -> tuple[Row, Row]:
        """The latest items with what their followers weigh, and returns with what they weigh."""
        return row.once((self.followers_, "asked"), lambda: self._ask(row))

    def _ask(self, row: Row) -> tuple[Row, Row]:
        liked = row.weights > 0
        weights = (self.persistence ** row.steps()[liked]).astype(np.float32)
        recent = Row(row.items[liked], weights).strongest(MAX_KEYS)
        if row.acts is None or not liked.any() or not self.returns:
            return recent, Row(row.items[:0], row.weights[:0])
        visits = Visits.of(row.acts, len(self.is_product_), self.visit_hours)
        items, cells = visits.latest()
        chances = np.float32(self.returns) * self.returns_.ravel()[cells]
        return recent, Row(items[chances > 0], chances[chances > 0])

    def _scored(self, row: Row) -> Sums:
        """Every item with an opinion, and its score."""
        return row.once((self.followers_, "scored"), lambda: self._score(row))

    def _score(self, row: Row) -> Sums:
        recent, back = self._asked(row)
        found = [lists.sums(recent.items, recent.weights) for lists in self.followers_.within(None)]
        return Sums.of(
            np.concatenate([back.items, *(one.items for one in found)]),
            np.concatenate([back.weights, *(one.scores for one in found)]),
        )


def _together(liked: Sparse) -> Iterator[Sparse]:
    """For all items, block by block, how many rows like both: what is near without an order."""
    sources = csr_array(liked.T)
    for start, end in blocks(sources, liked):
        yield csr_array(sources[start:end] @ liked)
