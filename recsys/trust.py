"""Whose acts teach others: one vote a person, item and day, and no pair faster than it ever was.

Who is paid to look at a product together with a best seller makes the two go together (Zhang et al.
2021, "Ride Item's Coattails"). A pair's votes of one day are therefore held to a multiple of what
the pair itself usually gets, which honest pairs do not reach and which costs a campaign its speed.
It does not stop a slow one: who has weeks gets there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys.events import EventType
from recsys.histories import UNDATED, Histories
from recsys.ids import Ints, Mask
from recsys.interactions import DAY_MS

# Shops of this world count their days from midnight in China.
OFFSET_MS = 8 * 3_600_000
# What says that a person wants an item; the rest is nobody's vote for it.
VOTES = (
    *(EventType.PLAY, EventType.LIKE, EventType.COMMENT, EventType.SHARE, EventType.FAVOURITE),
    *(EventType.FOLLOW, EventType.CHOOSE, EventType.VIEW, EventType.TRY_ON, EventType.CART),
    EventType.ORDER,
)
# A refund takes back one order, so orders are counted as they are.
REPEATABLE = (EventType.ORDER, EventType.REFUND)
# Of one person's day so many items make pairs: their number grows with the square.
MAX_ITEMS = 60
# Of an item that nearly nobody but so many accounts had to do with, in fast pairs on so many days,
# what these did teaches nothing at all, the slow days included.
FEW, RING_DAYS = 3, 3
# A pair is one number; the same items make the same number whatever else a shop has.
PAIR = 1 << 31
# The least risk at which nothing a person does teaches others: the highest of a platform's ranks.
DISTRUSTED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCap:
    """How many votes of one day a pair of items may get.

    Parameters
    ----------
    factor
        That many times the pair's own median of the days before.
    least
        So many whatever the median is.
    window_days
        Days the median is of.
    from_day
        In a shop's first days nothing is usual yet, and nothing is held back.
    """

    factor: float = 3.0
    least: int = 2
    window_days: int = 30
    from_day: int = 7


class Excess(NamedTuple):
    """One pair on one day with more votes than it may have.

    Attributes
    ----------
    item_idx
        The item of the pair that fewer persons ever had to do with: who gains by it.
    voters
        Who had to do with both that day.
    persons
        Those of them whose votes for the item that day teach nothing.
    """

    day: int
    item_idx: int
    other_idx: int
    n_votes: int
    cap: int
    voters: Ints
    persons: Ints


class Trusted(NamedTuple):
    """What may be learned from, one value an event, and what was held back for its speed."""

    kept: Mask
    excesses: tuple[Excess, ...]


class Votes(NamedTuple):
    """Who voted for what on which day, each once, by day and person."""

    day: Ints
    person: Ints
    item: Ints


def trusted(
    histories: Histories, cap: PairCap | None = None, risk: NDArray[np.int8] | None = None
) -> Trusted:
    """Which events may teach.

    Parameters
    ----------
    risk
        Shape (n_persons,). The shop's own opinion of each, 0 to 4; who is of more risk loses votes
        first, and of the highest has none.
    """
    events, person = histories.events, histories.persons()
    risk = np.zeros(len(histories), dtype=np.int8) if risk is None else risk
    day = np.where(events.at_ms == UNDATED, -1, (events.at_ms + OFFSET_MS) // DAY_MS)
    kept = (risk < DISTRUSTED)[person] & _first_of_day(histories, person, day)
    is_vote = kept & (day >= 0) & np.isin(events.type, VOTES)
    votes = _votes(day[is_vote], person[is_vote], events.item[is_vote])
    excesses = tuple(_excesses(votes, cap or PairCap(), risk))
    for one in excesses:
        is_theirs = (day == one.day) & (events.item == one.item_idx) & np.isin(person, one.persons)
        kept &= ~(is_theirs & np.isin(events.type, VOTES))
    found = Trusted(kept, excesses)
    for ring in rings(histories, found, min_persons=FEW):
        if len(ring.days) >= RING_DAYS:
            is_theirs = (events.item == ring.item_idx) & np.isin(person, ring.persons)
            kept &= ~(is_theirs & np.isin(events.type, VOTES))
    return found


def _first_of_day(histories: Histories, person: Ints, day: Ints) -> Mask:
    """Which events are the first of their kind on one item on one day of one person."""
    events = histories.events
    free = (day < 0) | np.isin(events.type, REPEATABLE)
    order = np.lexsort((np.arange(len(day)), events.type, events.item, day, person))
    keys = np.stack([person, day, events.item, events.type])[:, order]
    is_first = np.ones(len(day), dtype=np.bool_)
    is_first[order[1:]] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    found: Mask = is_first | free
    return found


def _votes(day: Ints, person: Ints, item: NDArray[np.int32]) -> Votes:
    found = np.unique(np.stack([day, person, item.astype(np.int64)]), axis=1)
    return Votes(found[0], found[1], found[2])


def _excesses(votes: Votes, cap: PairCap, risk: NDArray[np.int8]) -> Iterator[Excess]:
    """Pairs that were too fast, day by day."""
    if len(votes.day) == 0:
        return
    days = np.arange(votes.day[0], votes.day[-1] + 1)
    fast = [_fast(votes, int(day), cap.least) for day in days]
    pairs = np.unique(np.concatenate(fast))
    if len(pairs) == 0:
        return
    counts = np.stack([_counted(votes, int(day), pairs) for day in days], axis=1)
    takers = np.bincount(votes.item)
    for number in range(cap.from_day, len(days)):
        before = counts[:, max(0, number - cap.window_days) : number]
        most = np.maximum(cap.least, cap.factor * np.median(before, axis=1)).astype(np.int64)
        for at in np.flatnonzero(counts[:, number] > most):
            ends = divmod(int(pairs[at]), PAIR)
            item_idx, other_idx = sorted(ends, key=lambda one: (takers[one], one))
            voters = _voters(votes, int(days[number]), ends)
            voters = voters[np.lexsort((_shuffled(voters, int(pairs[at])), risk[voters]))]
            lost = np.sort(voters[int(most[at]) :])
            day = int(days[number])
            yield Excess(day, item_idx, other_idx, len(voters), int(most[at]), voters, lost)


def _of_day(votes: Votes, day: int) -> tuple[Ints, Ints]:
    start, end = np.searchsorted(votes.day, [day, day + 1])
    return votes.person[start:end], votes.item[start:end]


def _pairs(votes: Votes, day: int) -> Ints:
    """The pairs of every person's day as numbers, once a person."""
    person, item = _of_day(votes, day)
    found = [np.empty(0, dtype=np.int64)]
    for lag in range(1, MAX_ITEMS):
        both = person[lag:] == person[:-lag]
        if not both.any():
            break
        # Items of one person rise, so the lower one is always first.
        found.append(item[:-lag][both] * PAIR + item[lag:][both])
    return np.concatenate(found)


def _fast(votes: Votes, day: int, least: int) -> Ints:
    """The pairs with more votes on a day than are always allowed."""
    pairs, counts = np.unique(_pairs(votes, day), return_counts=True)
    return pairs[counts > least]


def _counted(votes: Votes, day: int, asked: Ints) -> NDArray[np.int32]:
    """Shape (n asked,). Votes of a day for each of some pairs."""
    pairs = _pairs(votes, day)
    at = np.minimum(np.searchsorted(asked, pairs), len(asked) - 1)
    return np.bincount(at[asked[at] == pairs], minlength=len(asked)).astype(np.int32)


def _voters(votes: Votes, day: int, ends: tuple[int, int]) -> Ints:
    person, item = _of_day(votes, day)
    found: Ints = np.intersect1d(person[item == ends[0]], person[item == ends[1]])
    return found


def _shuffled(persons: Ints, pair: int) -> Ints:
    """An order that depends on nothing anybody can choose, the same for the same pair."""
    mixed = (persons * 2_654_435_769 + pair * 40_503) & 0xFFFFFFFF
    return (mixed ^ (mixed >> 15)) * 2_246_822_519 & 0xFFFFFFFF


class Ring(NamedTuple):
    """An item that gained by fast pairs, and who made them.

    Attributes
    ----------
    share
        Of all who ever had to do with the item, how many these are.
    others
        What it was paired with, most often first.
    """

    item_idx: int
    persons: Ints
    share: float
    days: tuple[int, ...]
    others: tuple[int, ...]


def rings(
    histories: Histories, found: Trusted, *, min_persons: int = 5, min_share: float = 0.5
) -> list[Ring]:
    """Items most of whose people came in fast pairs: for a person to look at, largest first.

    An honest item that is met often with another has many more people than came that day; of one
    that is lifted nearly everybody was paid.
    """
    events, person = histories.events, histories.persons()
    by_item: dict[int, list[Excess]] = {}
    for one in found.excesses:
        by_item.setdefault(one.item_idx, []).append(one)
    told = []
    for item_idx, mine in by_item.items():
        voters = np.unique(np.concatenate([one.voters for one in mine]))
        is_vote = (events.item == item_idx) & np.isin(events.type, VOTES)
        share = len(voters) / len(np.unique(person[is_vote]))
        if len(voters) >= min_persons and share >= min_share:
            days = tuple(sorted({one.day for one in mine}))
            others = tuple(dict.fromkeys(one.other_idx for one in sorted(mine, key=_most_votes)))
            told.append(Ring(item_idx, voters, share, days, others))
    return sorted(told, key=lambda ring: -len(ring.persons))


def _most_votes(one: Excess) -> int:
    return -one.n_votes
