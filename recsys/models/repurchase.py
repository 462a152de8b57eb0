"""When persons buy an item again: each item's own interval, and each person's own rhythm."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from recsys.catalog import Idxs
from recsys.histories import UNDATED
from recsys.ids import Ints, Mask
from recsys.interactions import DAY_MS
from recsys.models.orders import Orders

Floats = NDArray[np.float64]

# Rounds in which those who may yet come back are counted; later ones change little.
ROUNDS = 10
# So many intervals of others weigh like the average of all: draws what was seen rarely to it.
PRIOR_GAPS = 3.0
PRIOR_BOUGHT = 20.0
# The same for one person's tempo, and for one person's one item.
PRIOR_TEMPO = 5.0
PRIOR_OWN = 4.0
# Baskets come in whole numbers: the next one, of gap 1, lies between a half and one and a half.
HALF = 0.5
# Intervals never vary less than by this factor's logarithm: nobody buys by the clock.
MIN_SPREAD = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """What persons bought so far, an entry for each person and item.

    Attributes
    ----------
    persons, items
        Shape (n,). In ascending order of person, then item.
    n_bought
        Shape (n,). In how many baskets.
    waited
        Shape (n,). Days, or baskets, since the last of them.
    log_gaps
        Shape (n,). Sum of the logarithms of the intervals between them, n_bought - 1 of them.
    squares
        Shape (n,). Sum of the squares of these logarithms.
    """

    persons: Ints
    items: Idxs
    n_bought: Floats
    waited: Floats
    log_gaps: Floats
    squares: Floats

    @classmethod
    def of(cls, orders: Orders, now_ms: int, *, by_days: bool) -> Self:
        """Everybody's shelf as of a moment; by days, baskets of unknown time are left out."""
        baskets = orders.baskets()
        if by_days:
            known = orders.at_ms[baskets] != UNDATED
            clock, now = orders.at_ms / DAY_MS, np.full(orders.n_persons, now_ms / DAY_MS)
        else:
            known = np.ones(len(baskets), dtype=np.bool_)
            clock, now = orders.steps().astype(np.float64), orders.counts() - HALF
        baskets, items = baskets[known], orders.items[known]
        # Baskets are by person and time, so a stable sort by item leaves an item's in time order.
        order = np.lexsort((items, orders.persons[baskets]))
        persons, items, at = orders.persons[baskets][order], items[order], clock[baskets[order]]
        is_first = np.ones(len(order), dtype=np.bool_)
        is_first[1:] = (np.diff(persons) != 0) | (np.diff(items) != 0)
        gaps = np.where(is_first, 1.0, np.maximum(np.diff(at, prepend=0.0), 1.0))
        logs = np.log(gaps)
        starts = np.flatnonzero(is_first)
        ends = np.append(starts[1:], len(order))
        last = at[ends - 1] if len(starts) else np.empty(0)
        return cls(
            persons[starts],
            items[starts],
            (ends - starts).astype(np.float64),
            np.maximum(now[persons[starts]] - last, 0.0),
            np.add.reduceat(logs, starts) if len(starts) else np.empty(0),
            np.add.reduceat(logs**2, starts) if len(starts) else np.empty(0),
        )

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self.items)


@dataclass(frozen=True, slots=True, eq=False)
class Rhythm:
    """How items come back: after Fader, Hardie (2005) some purchases are the last of their kind.

    A purchase is followed by another with a chance of the item's own; if it is, the interval is
    log-normal about the item's own. What few intervals say of an item is drawn to its category,
    and a category to everything.

    Attributes
    ----------
    returns
        Shape (n_items,). The chance that a purchase is followed by another, 0 to 1.
    log_gap
        Shape (n_items,). Mean logarithm of the interval, in days or baskets.
    spread
        Shape (1,). Standard deviation of the logarithm.
    by_days
        Shape (1,). Whether intervals are in days; else in baskets.
    """

    returns: Floats
    log_gap: Floats
    spread: Floats
    by_days: Mask

    @classmethod
    def fit(
        cls, orders: Orders, now_ms: int, category: NDArray[Any], *, may_count_days: bool
    ) -> Self:
        """Learn from everybody's orders; `category` has shape (n_items,), 0 means none.

        Intervals are in days where that is allowed and most baskets have a time, else in baskets.
        """
        dated = orders.at_ms != UNDATED
        by_days = may_count_days and 2 * int(dated.sum()) > len(dated)
        shelf = Shelf.of(orders, now_ms, by_days=by_days)
        items, n_gaps = shelf.items, shelf.n_bought - 1
        log_gap = _drawn(
            _sums(items, shelf.log_gaps, orders.n_items),
            _sums(items, n_gaps, orders.n_items),
            category,
            PRIOR_GAPS,
        )
        spread = np.array([_spread(shelf, log_gap[items])])
        came = _sums(items, n_gaps, orders.n_items)
        bought = _sums(items, shelf.n_bought, orders.n_items)
        over = _passed(shelf.waited, log_gap[items], spread)
        returns = _drawn(came, bought, category, PRIOR_BOUGHT)
        for _ in range(ROUNDS):
            chance = returns[items]
            yet = chance * (1 - over) / np.maximum(1 - chance * over, 1e-9)
            returns = _drawn(
                came + _sums(items, yet, orders.n_items), bought, category, PRIOR_BOUGHT
            )
        return cls(np.clip(returns, 0, 1), log_gap, spread, np.array([by_days]))

    def shelf(self, orders: Orders, now_ms: int) -> Shelf:
        """What persons bought, by the clock that was learned with."""
        return Shelf.of(orders, now_ms, by_days=bool(self.by_days[0]))

    def chances(self, shelf: Shelf, within: float) -> Floats:
        """Shape (n entries,). The chance that each is bought again within so long from now.

        The intervals of the same person move the expected one: their own of the item, and how
        fast they are with all they buy. So does how often they came back move the chance.
        """
        items, n_gaps = shelf.items, shelf.n_bought - 1
        n_persons = int(shelf.persons[-1]) + 1 if len(shelf) else 0
        rest = shelf.log_gaps - n_gaps * self.log_gap[items]
        own_gaps = _sums(shelf.persons, n_gaps, n_persons)
        tempo = _sums(shelf.persons, rest, n_persons) / (own_gaps + PRIOR_TEMPO)
        expected = self.log_gap[items] + tempo[shelf.persons]
        expected = (shelf.log_gaps + PRIOR_OWN * expected) / (n_gaps + PRIOR_OWN)
        due = _sums(shelf.persons, (shelf.n_bought * self.returns[items]), n_persons)
        keen = (own_gaps + PRIOR_TEMPO) / (due + PRIOR_TEMPO)
        before = np.clip(self.returns[items] * keen[shelf.persons], 0, 0.95)
        chance = (n_gaps + PRIOR_OWN * before) / (n_gaps + PRIOR_OWN)
        past = _passed(shelf.waited, expected, self.spread)
        soon = _passed(shelf.waited + within, expected, self.spread)
        return np.asarray(chance * (soon - past) / np.maximum(1 - chance * past, 1e-9))


def _passed(waited: Floats, log_gap: Floats, spread: Floats) -> Floats:
    """The share of intervals that are over after so long."""
    with np.errstate(divide="ignore"):
        return np.asarray(ndtr((np.log(waited) - log_gap) / spread[0]))


def _sums(keys: NDArray[Any], values: Floats, n: int) -> Floats:
    return np.asarray(np.bincount(keys, weights=values, minlength=n), dtype=np.float64)


def _drawn(sums: Floats, counts: Floats, category: NDArray[Any], prior: float) -> Floats:
    """Means of items, drawn to those of their categories, and these to that of everything."""
    if len(sums) == 0:
        return sums
    overall = sums.sum() / max(counts.sum(), 1e-9) if counts.sum() > 0 else 0.0
    n = int(category.max()) + 1
    of_category = (_sums(category, sums, n) + prior * overall) / (
        _sums(category, counts, n) + prior
    )
    return np.asarray((sums + prior * of_category[category]) / (counts + prior))


def _spread(shelf: Shelf, mean: Floats) -> float:
    """Standard deviation of the logarithms of intervals about their items' means."""
    n_gaps = shelf.n_bought - 1
    if not n_gaps.any():
        return 1.0
    squares = shelf.squares - 2 * mean * shelf.log_gaps + n_gaps * mean**2
    # Equal intervals leave a rounding error, which may lie below 0.
    return max(MIN_SPREAD, float(np.sqrt(max(0.0, squares.sum() / n_gaps.sum()))))
