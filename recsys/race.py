"""Lists of several contenders for the same persons → one value a person, for every metric.

Lists are made once; every figure, curve and comparison is read from the same ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Idxs, Kind
from recsys.events import PLATFORMS
from recsys.ids import Ints, Mask
from recsys.links import Links
from recsys.metrics import METRICS, Estimate, Judged, PerPerson, judge
from recsys.variety import Traits, at_rank, coverage, distinct, diversity, firsts, gini, mean_of

# Parts of the persons by how many events they had before, first and last number; None: no end.
PARTS: dict[str, tuple[int, int | None]] = {
    "0": (0, 0),
    "1-4": (1, 4),
    "5+": (5, None),
    "5-19": (5, 19),
    "20-99": (20, 99),
    "100+": (100, None),
}
# Those of them that hold everybody once.
COARSE = ("0", "1-4", "5+")
EVERYBODY = "all"
PLATFORM_WORDS = tuple(one.value for one in PLATFORMS)
COLD = {"cold_recall": "recall", "cold_hit_rate": "hit_rate"}


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What one contender answered.

    Attributes
    ----------
    lists
        Row p is person p's list, best first.
    is_personal
        Shape (n_persons,). Whether the list was personalised.
    """

    lists: Links
    is_personal: Mask


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Race:
    """Everybody's lists, and what they did.

    Attributes
    ----------
    shown
        By contender.
    targets
        Row p is what person p did, distinct; nobody's is empty.
    n_acts
        Shape (n_persons,). How many events each person had before.
    kinds
        What lists show.
    per_pair
        Whether each target is judged alone.
    platform
        Shape (n_persons,). Where each did most of it, positions in `recsys.events.PLATFORMS`; None
        where that is not told.
    """

    shown: Mapping[str, Shown]
    targets: Links
    n_acts: Ints
    traits: Traits
    kinds: tuple[Kind, ...]
    per_pair: bool
    platform: NDArray[np.int8] | None = None
    _known: dict[object, Any] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        """How many persons were asked."""
        return len(self.n_acts)

    @property
    def is_mixed(self) -> bool:
        """Whether lists show both kinds."""
        return len(self.kinds) > 1

    @property
    def may_show(self) -> Mask:
        """Shape (n_items,). What a list could hold."""
        return np.asarray(self.traits.may_show & np.isin(self.traits.kind, self.kinds))

    def part(self, people: str) -> Mask:
        """Shape (n_persons,). Who belongs to a part of the people."""
        if people == EVERYBODY:
            return np.ones(len(self), dtype=np.bool_)
        if people in PLATFORM_WORDS and self.platform is not None:
            return np.asarray(self.platform == PLATFORM_WORDS.index(people))
        first, last = PARTS[people]
        found = self.n_acts >= first
        return np.asarray(found if last is None else found & (self.n_acts <= last))

    def platforms(self) -> list[str]:
        """The platforms that tell the persons apart; none where all are of one."""
        there = [] if self.platform is None else np.unique(self.platform[self.n_acts > 0]).tolist()
        return [PLATFORM_WORDS[one] for one in there] if len(there) > 1 else []

    def values(self, contender: str, metric: str, k: int) -> PerPerson:
        """One value a person of any metric of METRICS, COLD or LISTS."""
        key = (contender, metric, k)
        if key not in self._known:
            self._known[key] = self._values(*key)
        found: PerPerson = self._known[key]
        return found

    def _values(self, contender: str, metric: str, k: int) -> PerPerson:
        if metric in LISTS:
            return PerPerson.of(LISTS[metric](self, contender, k))
        is_cold = metric in COLD
        owners, judged = self._judged(contender, is_cold=is_cold)
        measured = METRICS[COLD.get(metric, metric)]
        each = np.array([measured(one, k) for one in judged], dtype=np.float64)
        n = len(self)
        return PerPerson(
            np.bincount(owners, weights=each, minlength=n).astype(np.float64),
            np.bincount(owners, minlength=n).astype(np.float64),
        )

    def _judged(self, contender: str, *, is_cold: bool) -> tuple[Ints, list[Judged]]:
        """What each list is judged by: all of a person's targets, or each of them alone."""
        key = (contender, is_cold)
        if key not in self._known:
            owners, targets = self._units(is_cold=is_cold)
            lists = self.shown[contender].lists
            judged = [
                judge(lists.row(int(owner)), one)
                for owner, one in zip(owners, targets, strict=True)
            ]
            self._known[key] = owners, judged
        found: tuple[Ints, list[Judged]] = self._known[key]
        return found

    def _units(self, *, is_cold: bool) -> tuple[Ints, list[Idxs]]:
        owners, items = self.targets.rows(np.arange(len(self)))
        if is_cold:
            kept = self.traits.is_cold(items)
            owners, items = owners[kept], items[kept]
        if self.per_pair:
            return owners, list(items[:, None])
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        return owners[starts], np.split(items, starts[1:]) if len(starts) else []

    def pooled(self, contender: str, k: int) -> dict[str, Estimate]:
        """What all lists together are like."""
        lists = self.shown[contender].lists
        return {
            "coverage": coverage(lists, k, int(self.may_show.sum())),
            "gini": gini(lists, k, self.may_show),
        }

    def of_targets(self) -> dict[str, PerPerson]:
        """What people did is like: how much of it was new to everybody, and how popular it was."""
        owners, items = self.targets.rows(np.arange(len(self)))
        n = len(self)
        if self.traits.takers is None:
            return {}
        cold = np.bincount(owners, weights=self.traits.is_cold(items), minlength=n).astype(float)
        counts = np.bincount(owners, minlength=n).astype(np.float64)
        return {
            "cold_share": PerPerson(cold, counts),
            "popularity": PerPerson.of(self.popularity_taken()),
        }

    def popularity_taken(self) -> NDArray[np.float64]:
        """Shape (n_persons,). Mean percentile of what each person did."""
        owners, items = self.targets.rows(np.arange(len(self)))
        here = items < len(self.traits.kind)
        counts = np.bincount(owners[here], minlength=len(self))
        known = Links(np.concatenate([[0], np.cumsum(counts)]), items[here])
        return mean_of(known, max(1, int(counts.max(initial=0))), self.traits.percentile)

    def commerce_at(self, contender: str, rank: int) -> PerPerson:
        """Share of lists with a product at a rank that counts from 0."""
        return PerPerson.of(at_rank(self.shown[contender].lists, rank, self.traits.is_product))


def _distinct_creators(race: Race, contender: str, k: int) -> NDArray[np.float64]:
    return distinct(race.shown[contender].lists, k, race.traits.creator)


def _distinct_categories(race: Race, contender: str, k: int) -> NDArray[np.float64]:
    return distinct(race.shown[contender].lists, k, race.traits.category)


def _diversity(race: Race, contender: str, k: int) -> NDArray[np.float64]:
    return diversity(race.shown[contender].lists, k, race.traits.words)


def _novelty(race: Race, contender: str, k: int) -> NDArray[np.float64]:
    return mean_of(race.shown[contender].lists, k, race.traits.surprise)


def _popularity(race: Race, contender: str, k: int) -> NDArray[np.float64]:
    return mean_of(race.shown[contender].lists, k, race.traits.percentile)


def _popularity_lift(race: Race, contender: str, k: int) -> NDArray[np.float64]:
    # Abdollahpouri et al. 2019: what a person is shown against what the person takes.
    return _popularity(race, contender, k) - race.popularity_taken()


def _commerce(race: Race, contender: str, k: int) -> NDArray[np.float64]:
    return mean_of(race.shown[contender].lists, k, race.traits.is_product)


def _impersonal(race: Race, contender: str, _k: int) -> NDArray[np.float64]:
    return (~race.shown[contender].is_personal).astype(np.float64)


def _newcomers(race: Race, contender: str, k: int) -> NDArray[np.float64]:
    lists = race.shown[contender].lists
    _, items = firsts(lists, k)
    is_cold = np.zeros(len(race.traits.kind))
    is_cold[items] = race.traits.is_cold(items)
    return mean_of(lists, k, is_cold)


# Metrics of lists alone, one value a person.
LISTS: dict[str, Callable[[Race, str, int], NDArray[np.float64]]] = {
    "novelty": _novelty,
    "diversity": _diversity,
    "categories": _distinct_categories,
    "creators": _distinct_creators,
    "popularity": _popularity,
    "popularity_lift": _popularity_lift,
    "cold_shown": _newcomers,
    "commerce": _commerce,
    "impersonal": _impersonal,
}
