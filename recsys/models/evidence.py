"""What a person's behaviours say for items: the columns a choice model weighs.

For each behaviour: whether the person did it on the item itself, how often that led on, and what
their other items of it say; besides what a linear filter over all of it says, and popularity. Each
counts apart for items new to the person and for items they have met.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Idxs, Kind
from recsys.ids import Ints, Mask
from recsys.interactions import Row
from recsys.models.behaviours import WORDS, Behaviours
from recsys.models.effects import Numbers
from recsys.models.lists import ListsByKind

# The last so many items that somebody turned to are their latest.
N_LATEST = 10
# A request reads the lists of so many items of each behaviour, the latest.
MAX_KEYS = 100
# Crossing of the latest items, filter of all items, filter of the latest items.
EXTRA = ("latest", "filter", "latest_filter")
COLUMNS = ("popularity", "any_popularity", "latest_popularity", "both_popularity")


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """What speaks for the items of one kind, before it is weighed.

    Attributes
    ----------
    items
        Shape (n,), ascending.
    sums
        Shape (n_behaviours + len(EXTRA), n). What lists add up to.
    own
        Shape (n_behaviours, n). Whether the person did it on the item itself.
    """

    items: Idxs
    sums: Numbers
    own: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What was learned of items.

    Attributes
    ----------
    kind
        Shape (n_items,).
    n_latest
        Shape (1,). How many items count as somebody's latest; 0 where acts are in no order.
    crossings
        Key b · n_items + i: what behaviour b on item i leads to, by log-likelihood ratio.
    filters
        For each item the positive entries of linear filters.
    usual
        Shape (n_items,). What filters from the other kind say to everybody who has some of that.
    rates
        Shape (n_behaviours, n_items). How much more often than usual a behaviour on an item led to
        the aim on the same item, as a logarithm.
    columns
        Shape (n_items, len(COLUMNS)). Logarithms of how many persons: aimed at it; did anything;
        did it latest; aimed at it and have both kinds.
    scales
        Shape (n_behaviours + len(EXTRA),). A usual size of each sum.
    """

    behaviours: Behaviours
    kind: NDArray[np.int8]
    n_latest: NDArray[np.int64]
    crossings: ListsByKind
    filters: ListsByKind
    usual: Numbers
    rates: Numbers
    columns: Numbers
    scales: Numbers

    def keys(self, row: Row) -> tuple[Idxs, NDArray[np.int64]]:
        """Item and behaviour of every list of crossings that a row asks for."""
        steps = row.steps()
        found: list[Idxs] = []
        for items in self.behaviours.items(row):
            # The row may hold thousands of items; the latest of them are asked.
            age = steps[np.searchsorted(row.items, items)]
            found.append(items[np.sort(np.argsort(age, kind="stable")[:MAX_KEYS])])
        place = np.repeat(np.arange(len(found)), [len(items) for items in found])
        return np.concatenate([np.empty(0, np.int32), *found]), place

    def signals(self, row: Row, kind: Kind) -> Signals:
        """What speaks for each item of a kind that anything speaks for; worked out once a row."""
        return row.once((self, kind), lambda: self._signals(row, kind))

    def _signals(self, row: Row, kind: Kind) -> Signals:
        items, behaviour = self.keys(row)
        n_items, n_behaviours = len(self.kind), len(self.behaviours)
        keys = behaviour * n_items + items
        (lists,), (filters,) = self.crossings.within(kind), self.filters.within(kind)
        latest = row.items[row.steps() < int(self.n_latest[0])]
        crossed, ratios, key = lists.entries(keys, np.ones(len(keys), dtype=np.float32))
        own, counts = np.unique(items, return_counts=True)
        length = float(np.linalg.norm(counts)) or 1.0
        weights = (counts / length).astype(np.float32)
        filtered, parts, whose = filters.entries(own, weights)
        met = own[(self.kind[own] == kind) & (self.columns[own, 1] > 0)]
        pool = _distinct(np.concatenate([crossed, filtered, met]))
        # Only the pool's places are written and read; the rest is never touched.
        place = np.empty(n_items, dtype=np.int64)
        place[pool] = np.arange(len(pool))
        at, filtered_at = place[crossed], place[filtered]
        is_latest, own_latest = np.isin(items, latest)[key], np.isin(own, latest)[whose]
        sums = np.zeros((n_behaviours + len(EXTRA), len(pool)), dtype=np.float32)
        sums[:n_behaviours] = _added(behaviour[key] * len(pool) + at, ratios, sums[:-3].shape)
        # Ratios of a rare behaviour are small: each counts in its own scale.
        scaled = ratios / self.scales[behaviour[key]]
        sums[-3] = np.bincount(at[is_latest], scaled[is_latest], len(pool))
        sums[-2] = np.bincount(filtered_at, parts, len(pool))
        if (self.kind[own] != kind).any():
            sums[-2] += np.maximum(self.usual[pool], 0)
        sums[-1] = np.bincount(filtered_at[own_latest], parts[own_latest], len(pool))
        own_of = np.zeros((n_behaviours, len(pool)), dtype=np.bool_)
        mine = place[met]
        for of, one in zip(own_of, self.behaviours.items(row), strict=True):
            of[mine] = np.isin(met, one)
        return Signals(pool, sums, own_of)

    def features(self, signals: Signals) -> Numbers:
        """Shape (n, n_features), in the order of `names`."""
        sums = np.log1p(signals.sums / self.scales[:, None])
        columns = self.columns[signals.items].T
        own = signals.own.astype(np.float32)
        met = np.asarray(own.any(axis=0), dtype=np.float32)
        rates = own * self.rates[:, signals.items]
        busy = met * np.float32(np.log1p(met.sum()))
        apart = [sums * (1 - met), sums * met, columns * (1 - met), columns * met]
        together = np.concatenate([own, rates, *apart, busy.reshape(1, -1)])
        return np.asarray(together.T, dtype=np.float32)

    def strongest(self, row: Row, items: Idxs) -> list[int | None]:
        """For each item the row's item that says most for it, itself before all others."""
        best: dict[int, tuple[float, int]] = {}
        own, behaviour = self.keys(row)
        scale = 1 / self.scales
        asked = [(self.crossings, behaviour * len(self.kind) + own, scale[behaviour])]
        asked.append((self.filters, own.astype(np.int64), np.full(len(own), scale[-2])))
        said: dict[tuple[int, int], float] = {}
        for lists, keys, weights in asked:
            for one in lists.within(None):
                targets, values, key = one.entries(keys, weights)
                kept = np.flatnonzero(np.isin(targets, items))
                for target, value, place in zip(
                    targets[kept].tolist(), values[kept].tolist(), key[kept].tolist(), strict=True
                ):
                    pair = (target, int(own[place]))
                    said[pair] = said.get(pair, 0.0) + value
        for (target, source), value in said.items():
            if value > best.get(target, (0.0, 0))[0]:
                best[target] = (value, source)
        mine = set(own.tolist())
        return [i if i in mine else best.get(i, (0.0, None))[1] for i in items.tolist()]


def _distinct(items: Idxs) -> Idxs:
    # np.unique hashes, which is several times slower for so few bits.
    ordered = np.sort(items)
    return ordered[np.flatnonzero(np.diff(ordered, prepend=-1))]


def _added(cells: Ints, values: Numbers, shape: tuple[int, ...]) -> Any:
    return np.bincount(cells, values, int(np.prod(shape))).reshape(shape)


def names(behaviours: Behaviours) -> list[str]:
    """What each feature is called."""
    words = [WORDS[code] for code in behaviours.codes]
    sums, columns = [f"others {word}" for word in (*words, *EXTRA)], list(COLUMNS)
    return [
        *(f"own {word}" for word in words),
        *(f"rate {word}" for word in words),
        *(f"{name}, {met}" for part in (sums, columns) for met in ("new", "met") for name in part),
        "busy, met",
    ]


def prior(behaviours: Behaviours, aim: int) -> NDArray[np.float64]:
    """What is believed of the effects before anybody was seen to choose.

    That evidence speaks for an item; nothing of the aim itself on the same item, which nobody is
    asked about.
    """
    n = len(behaviours)
    is_other = behaviours.codes != aim
    met = np.where(is_other, 0.5, 0.0)
    sums = np.concatenate([np.full(n, 0.5), [0.0, 0.5, 0.0]])
    nothing = np.zeros(2 * len(COLUMNS) + 1)
    return np.concatenate([met, met, sums, sums, nothing])


def features_of(behaviours: Behaviours, place: int) -> Mask:
    """Shape (n_features,). Which features come of one behaviour."""
    n = len(behaviours)
    m = n + len(EXTRA)
    is_of = np.zeros(2 * n + 2 * m + 2 * len(COLUMNS) + 1, dtype=np.bool_)
    is_of[[place, n + place, 2 * n + place, 2 * n + m + place]] = True
    return is_of
