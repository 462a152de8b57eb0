"""Histories → weighted, time-decayed rows of items, as of a moment; the same code for one and all.

An event weighs what its type is worth, times how much was watched (plays), halved every half-life.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recsys import kernels_acts, kernels_lists
from recsys.catalog import Idxs
from recsys.events import PLATFORM_NUMBERS, EventType, Platform
from recsys.histories import Histories, History
from recsys.ids import Ints, Mask
from recsys.once import Once
from recsys.watching import WatchCurve

Weights = NDArray[np.float32]
DAY_MS = 86_400_000
IMPRESSION = int(EventType.IMPRESSION)
# What an impression counts of an item that a friend sent; a view counts 1.
SENT = 0.5
# What somebody is after now says more of the next list than what they liked before; this long
# before the last act one counts as half of that visit.
VISIT, VISIT_HALF_MS = 2.0, 3 * 3_600_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Acts:
    """What rows were made of: events that stand, what each of them weighs, and as of when.

    Attributes
    ----------
    weights
        Shape (n events,). 0 where an event says nothing.
    """

    histories: Histories
    weights: Weights
    at_ms: int

    @property
    def events(self) -> History:
        """All of the events, person by person."""
        return self.histories.events

    def of_person(self, person: int) -> "Acts":
        """Those of one person; nothing is copied."""
        offsets = self.histories.offsets
        span = slice(int(offsets[person]), int(offsets[person + 1]))
        alone = Histories(self.events.take(span), offsets[[person, person + 1]] - offsets[person])
        return Acts(alone, self.weights[span], self.at_ms)

    def only(self, types: frozenset[EventType]) -> "Acts":
        """Those of some types."""
        wanted = np.zeros(len(EventType), dtype=np.bool_)
        wanted[list(types)] = True
        return self.chosen(wanted[self.events.type])

    def chosen(self, kept: Mask) -> "Acts":
        """Some of them, one value an event."""
        return Acts(self.histories.keeping(kept), self.weights[kept], self.at_ms)

    def cells(self, n_items: int) -> tuple[Ints, Idxs, Weights]:
        """Rows' offsets, items and weights: the sums over each person's events of each item."""
        keys = self.histories.persons() * n_items + self.events.item
        cells, where = np.unique(keys, return_inverse=True)
        sums = np.bincount(where, weights=self.weights, minlength=len(cells)).astype(np.float32)
        kept = sums != 0
        cells, sums = cells[kept], sums[kept]
        persons, items = np.divmod(cells, n_items) if n_items else (cells, cells)
        counts = np.bincount(persons, minlength=len(self.histories))
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return offsets, items.astype(np.int32), sums


@dataclass(frozen=True, slots=True, eq=False)
class Row(Once):
    """One person's items, each once, with a weight; a negative weight means disliked.

    What a model makes of a row is kept in it, as a list asks each model several times.

    Attributes
    ----------
    items
        Shape (n,), ascending.
    weights
        Shape (n,), none zero.
    acts
        What the row was made of, where that is known; a model that cares for order, times or types
        looks there.
    """

    items: Idxs
    weights: Weights
    acts: Acts | None = None

    @classmethod
    def of_acts(cls, acts: Acts) -> Self:
        """The row of one person's acts; items whose weights cancel out are left out."""
        items, sums = kernels_lists.gathered(acts.events.item, acts.weights)
        if sums.all():
            return cls(items, sums, acts)
        kept = sums != 0
        return cls(items[kept], sums[kept], acts)

    def __len__(self) -> int:
        """How many items there are."""
        return len(self.items)

    @property
    def likes(self) -> bool:
        """Whether there is a positive weight: without one nobody has an opinion."""
        return self.once("likes", lambda: bool((self.weights > 0).any()))

    def strongest(self, n: int) -> "Row":
        """The n items of largest absolute weight, ascending; ties go to the later position."""
        return self if len(self) <= n else self.once(n, lambda: self._strongest(n))

    def _strongest(self, n: int) -> "Row":
        kept = np.sort(np.argsort(np.abs(self.weights), kind="stable")[-n:])
        return Row(self.items[kept], self.weights[kept], self.acts)

    def only(self, types: frozenset[EventType]) -> "Row":
        """The row of the same person's events of some types; itself if its acts are not known."""
        acts = self.acts
        if acts is None:
            return self
        return self.once(types, lambda: Row.of_acts(acts.only(types)))

    def steps(self) -> Ints:
        """Shape (n,). How many other items the person turned to after each item; the last has 0.

        All 0 where the acts, and with them their order, are not known.
        """
        if self.acts is None:
            return np.zeros(len(self), dtype=np.int64)
        # The last event of an item counts; np.unique finds first ones, so look from the end.
        spoken = self.acts.events.item[self.acts.weights != 0]
        items, firsts = np.unique(spoken[::-1], return_index=True)
        steps = np.argsort(np.argsort(firsts))
        return np.asarray(steps[np.searchsorted(items, self.items)], dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Many persons' rows: person p has `items[offsets[p]:offsets[p + 1]]`, ascending.

    Attributes
    ----------
    offsets
        Shape (n_rows + 1,).
    items, weights
        Shape (n entries,).
    n_items
        How many items the catalogue has.
    acts
        What they were made of, where that is known.
    """

    offsets: Ints
    items: Idxs
    weights: Weights
    n_items: int
    acts: Acts | None = None

    @classmethod
    def of(cls, rows: list[Row], n_items: int) -> Self:
        """One row a person, in the order given."""
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        return cls(
            offsets,
            np.concatenate([np.empty(0, np.int32), *(row.items for row in rows)]),
            np.concatenate([np.empty(0, np.float32), *(row.weights for row in rows)]),
            n_items,
            _together([row.acts for row in rows]),
        )

    @classmethod
    def of_acts(cls, acts: Acts, n_items: int) -> Self:
        """One row a person, made of their acts."""
        return cls(*acts.cells(n_items), n_items, acts)

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Row:
        """One person's row; nothing is copied."""
        span = slice(int(self.offsets[row]), int(self.offsets[row + 1]))
        acts = None if self.acts is None else self.acts.of_person(row)
        return Row(self.items[span], self.weights[span], acts)

    def only(self, types: frozenset[EventType]) -> "Rows":
        """The same persons' rows of some event types; themselves if their acts are not known."""
        if self.acts is None:
            return self
        return Rows.of_acts(self.acts.only(types), self.n_items)

    def csr(self) -> csr_array[Any, tuple[int, int]]:
        """The same as a scipy matrix, shape (n_rows, n_items), for learners."""
        shape = (len(self), self.n_items)
        return csr_array((self.weights, self.items, self.offsets), shape=shape)


# What an act says about liking the item, relative to a view; a dislike and a refund's own row speak
# against it. An impression alone says nothing.
EVENT_WEIGHTS: dict[EventType, float] = {
    EventType.PLAY: 2.0,
    EventType.LIKE: 3.0,
    EventType.DISLIKE: -5.0,
    EventType.COMMENT: 3.0,
    EventType.SHARE: 4.0,
    EventType.FAVOURITE: 4.0,
    EventType.FOLLOW: 4.0,
    EventType.CHOOSE: 2.0,
    EventType.VIEW: 1.0,
    EventType.TRY_ON: 4.0,
    EventType.CART: 4.0,
    EventType.UNCART: -2.0,
    EventType.ORDER: 8.0,
}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Weighting(Once):
    """How much each event of a history counts.

    Parameters
    ----------
    by_type
        Weight of one event; types not named count nothing.
    half_life_days
        After this long an event counts half; 0 means no decay. Undated events never decay.
    visit
        In a list, what was done in the person's last visit counts so much more than what is older,
        as a share; undated events are of no visit.
    watch
        How strongly a play of so many seconds of so long a video speaks, 0 to 1.
    by_platform
        What an event counts by where it happened; a platform not named counts 1.
    sent
        What an impression counts if a friend sent the item: their taste's weak vote.
    """

    by_type: dict[EventType, float] = field(default_factory=lambda: dict(EVENT_WEIGHTS))
    half_life_days: float = 60.0
    visit: float = VISIT
    watch: WatchCurve
    by_platform: dict[Platform, float] = field(default_factory=dict)
    sent: float = 0.0

    def only(self, types: frozenset[EventType]) -> "Weighting":
        """The same with every other type counting nothing."""
        kept = {kind: weight for kind, weight in self.by_type.items() if kind in types}
        sent = self.sent if EventType.IMPRESSION in types else 0.0
        return replace(self, by_type=kept, sent=sent)

    def of_events(self, events: History, video_s: Weights, as_of_ms: int) -> Weights:
        """The weight of each event; events after `as_of_ms` count nothing.

        Parameters
        ----------
        video_s
            Shape (n_items,). Length by position, for plays that did not say it; NaN unknown.
        """
        worth = self.once("worth", self._worth)
        weights: Weights = kernels_acts.weighed(
            *(events.type, events.at_ms, events.item, events.value, events.duration_s),
            *(worth, as_of_ms, self.half_life_days, video_s),
            *self.watch.learned(),
        )
        if self.sent:
            sent = np.flatnonzero((events.type == IMPRESSION) & (events.order != 0))
            if len(sent):
                vote = replace(
                    self, by_type={EventType.IMPRESSION: self.sent}, sent=0, by_platform={}
                )
                weights[sent] = vote.of_events(events.take(sent), video_s, as_of_ms)
        return self._by_platform(events, weights)

    def _worth(self) -> Weights:
        """Shape (n event types,). The weight of each type."""
        worth = np.zeros(len(EventType), dtype=np.float32)
        worth[list(self.by_type)] = list(self.by_type.values())
        return worth

    def _by_platform(self, events: History, weights: Weights) -> Weights:
        if not self.by_platform:
            return weights
        worth = np.ones(len(PLATFORM_NUMBERS), dtype=np.float32)
        for platform, weight in self.by_platform.items():
            worth[PLATFORM_NUMBERS[platform]] = weight
        return np.asarray(weights * worth[events.platform])


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Taste:
    """From a history to its row, the same for the one person of a request and for all of a job.

    Parameters
    ----------
    video_s
        Shape (n_items,). Length of each video in seconds; NaN where unknown.
    """

    weighting: Weighting
    video_s: Weights

    def row(self, history: History, as_of_ms: int) -> Row:
        """One person's row; items whose weights cancel out are left out."""
        return Row.of_acts(self._of_one(history, as_of_ms))

    def row_now(self, history: History, as_of_ms: int) -> Row:
        """The row that a list is asked with: what was done in the last visit counts more.

        Not so where others learn from it: of whom came last every act would count more.
        """
        acts, more = self._of_one(history, as_of_ms), self.weighting.visit
        weights = kernels_acts.lately(acts.weights, acts.events.at_ms, more, VISIT_HALF_MS)
        return Row.of_acts(Acts(acts.histories, weights, as_of_ms))

    def rows(self, histories: Histories, as_of_ms: int) -> Rows:
        """Everybody's rows."""
        return Rows.of_acts(self.acts(histories, as_of_ms), len(self.video_s))

    def acts(self, histories: Histories, as_of_ms: int) -> Acts:
        """What rows are made of: events that stand, with their weights."""
        return self._acts(histories.keeping(~histories.undone(as_of_ms)), as_of_ms)

    def _of_one(self, history: History, as_of_ms: int) -> Acts:
        standing = history.standing(as_of_ms)
        offsets = np.array([0, len(standing)], dtype=np.int64)
        return self._acts(Histories(standing, offsets), as_of_ms)

    def _acts(self, standing: Histories, as_of_ms: int) -> Acts:
        weights = self.weighting.of_events(standing.events, self.video_s, as_of_ms)
        return Acts(standing, weights, as_of_ms)


def _together(acts: list[Acts | None]) -> Acts | None:
    """The acts of many persons as one; None unless everybody's are known, as of one moment."""
    known = [one for one in acts if one is not None]
    if not known or len(known) < len(acts) or len({one.at_ms for one in known}) > 1:
        return None
    histories = Histories.of([one.events for one in known])
    return Acts(histories, np.concatenate([one.weights for one in known]), known[0].at_ms)
