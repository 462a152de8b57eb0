"""What people did, apart by behaviour: which rows hold, and each one's items."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recsys.catalog import Idxs
from recsys.errors import ConfigError
from recsys.events import EVENT_WORDS, EventType
from recsys.histories import UNDATED, Histories, History
from recsys.ids import Mask
from recsys.interactions import Acts, Row, Rows
from recsys.models.lists import Sparse

# A play that lasted this share of its video was watched, not merely begun.
WATCHED_SHARE = 0.7
WATCHED = len(EventType)
ANYTHING = WATCHED + 1
# A word for each code; the first are those of event types.
WORDS = (*EVENT_WORDS, "watched", "anything")

Codes = NDArray[np.int8]


def code_of(word: str) -> int:
    """The code of a behaviour's word.

    Raises
    ------
    ConfigError
        No behaviour is called so.
    """
    if word not in WORDS:
        raise ConfigError(f"there is no behaviour {word!r}; allowed: {', '.join(WORDS)}")
    return WORDS.index(word)


@dataclass(frozen=True, slots=True, eq=False)
class Behaviours:
    """The behaviours that are told apart, and what it takes to tell them.

    Attributes
    ----------
    codes
        Shape (n_behaviours,). Values of `EventType`, or `WATCHED`: a play of most of its video.
    seconds
        Shape (n_items,). Length of each video; 0 where unknown.
    """

    codes: Codes
    seconds: NDArray[np.float32]

    @classmethod
    def of(cls, acts: Acts, duration_s: NDArray[np.float32]) -> "Behaviours":
        """Every behaviour that speaks for an item in some acts."""
        seconds = np.nan_to_num(duration_s, nan=0.0).astype(np.float32)
        every = cls(np.arange(ANYTHING, dtype=np.int8), seconds)
        there = [code for code in every.codes if every.shown(acts, int(code)).any()]
        return cls(np.array(there, dtype=np.int8), seconds)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.codes)

    def shown(self, acts: Acts, code: int) -> Mask:
        """Shape (n events,). Which events show one behaviour and speak for their item."""
        events, speaks = acts.events, acts.weights > 0
        if code == ANYTHING:
            return np.asarray(speaks)
        if code != WATCHED:
            return np.asarray(speaks & (events.type == code))
        known = self.seconds[events.item]
        length = np.where(np.isnan(events.duration_s), known, events.duration_s)
        # A length nobody knows is 0 here, and what was watched of it is not known either.
        enough = (length > 0) & (events.value >= WATCHED_SHARE * length)
        return np.asarray(speaks & (events.type == EventType.PLAY) & enough)

    def matrix(self, acts: Acts, code: int, n_items: int) -> Sparse:
        """Who did it on what, ones of shape (n_rows, n_items)."""
        shown = self.shown(acts, code)
        persons, items = acts.histories.persons()[shown], acts.events.item[shown]
        return ones(persons, items, (len(acts.histories), n_items))

    def items(self, row: Row) -> list[Idxs]:
        """For each behaviour the distinct items of a row, ascending.

        Of a row whose acts are not known (a basket) every behaviour is taken to hold all of it.
        """
        return row.once((self, "items"), lambda: self._items(row))

    def _items(self, row: Row) -> list[Idxs]:
        acts = row.acts
        if acts is None:
            return [row.items[row.weights > 0]] * len(self)
        # What a person turned against later does not speak for it any more.
        liked = row.items[row.weights > 0]
        found = [np.unique(acts.events.item[self.shown(acts, int(code))]) for code in self.codes]
        return [items[np.isin(items, liked)] for items in found]


def ones(persons: NDArray[Any], items: NDArray[Any], shape: tuple[int, int]) -> Sparse:
    """A matrix of ones at some cells, each once."""
    matrix = csr_array((np.ones(len(items), dtype=np.float32), (persons, items)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def acts_of(rows: Rows, seed: int) -> Acts:
    """The acts of rows; of rows that do not know them, one order of each item, in random order."""
    if rows.acts is not None:
        return rows.acts
    persons = np.repeat(np.arange(len(rows)), np.diff(rows.offsets))
    order = np.lexsort((np.random.default_rng(seed).random(len(persons)), persons))
    n = len(order)
    events = History(
        item=rows.items[order],
        type=np.full(n, EventType.ORDER, dtype=np.int8),
        at_ms=np.full(n, UNDATED, dtype=np.int64),
        value=np.full(n, np.nan, dtype=np.float32),
        duration_s=np.full(n, np.nan, dtype=np.float32),
        order=np.zeros(n, dtype=np.int64),
        platform=np.zeros(n, dtype=np.int8),
    )
    return Acts(Histories(events, rows.offsets), rows.weights[order], 0)
