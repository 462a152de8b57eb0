"""A shop of known tastes for forty days, and accounts that are paid to lift one product."""

from dataclasses import dataclass

import numpy as np

from recsys.catalog import Catalog
from recsys.events import EventType
from recsys.histories import Histories, History
from recsys.interactions import DAY_MS
from recsys.models.item_knn import ItemKNN
from tests.planted import NOW, item, taste_of

PERSONS, ITEMS, TASTES, DAYS, A_DAY = 2_000, 1_000, 10, 40, 4
CATALOG = Catalog.of([item(n) for n in range(ITEMS)])
START_MS = int(NOW.timestamp() * 1000)
VIEW, ORDER, DISLIKE = int(EventType.VIEW), int(EventType.ORDER), int(EventType.DISLIKE)
# Nobody honest ever touches it.
TARGET = ITEMS - 1


@dataclass
class Acts:
    """Events of many, in columns."""

    person: np.ndarray
    item: np.ndarray
    day: np.ndarray
    type: np.ndarray

    def __add__(self, other: "Acts") -> "Acts":
        names = ("person", "item", "day", "type")
        return Acts(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in names))

    def histories(self, n_persons: int) -> Histories:
        """The same by person, in time order."""
        order = np.lexsort((np.arange(len(self.day)), self.day, self.person))
        n = len(order)
        events = History(
            item=self.item[order].astype(np.int32),
            type=self.type[order].astype(np.int8),
            at_ms=START_MS + self.day[order].astype(np.int64) * DAY_MS,
            value=np.full(n, np.nan, dtype=np.float32),
            duration_s=np.full(n, np.nan, dtype=np.float32),
            order=np.zeros(n, dtype=np.int64),
            platform=np.zeros(n, dtype=np.int8),
        )
        offsets = np.searchsorted(self.person[order], np.arange(n_persons + 1))
        return Histories(events, offsets.astype(np.int64))


def honest(seed: int = 0) -> Acts:
    """Persons of one of ten tastes who look at what fits it, popular items more."""
    rng = np.random.default_rng(seed)
    n_own = (ITEMS - 1) // TASTES
    chance = 1 / (1 + np.arange(n_own)) ** 0.8
    chance /= chance.sum()
    is_there = rng.random((PERSONS, DAYS)) < 0.25
    person, day = np.nonzero(is_there)
    person, day = np.repeat(person, A_DAY), np.repeat(day, A_DAY)
    found = (person % TASTES) * n_own + rng.choice(n_own, size=len(person), p=chance)
    is_stray = rng.random(len(person)) < 0.15
    found[is_stray] = rng.integers(0, ITEMS - 1, int(is_stray.sum()))
    bought = rng.random(len(person)) < 0.05
    return Acts(person, found, day, np.where(bought, ORDER, VIEW))


def brushers(share: float, days: int, *, daily: bool, seed: int = 1) -> tuple[Acts, int]:
    """So many accounts of the persons, in the last days: target and best seller, and camouflage.

    Parameters
    ----------
    daily
        Whether every account comes every day, or each on one day of its own.
    """
    rng = np.random.default_rng(seed)
    n = round(share * PERSONS)
    last = np.arange(DAYS - days, DAYS)
    who, day = np.repeat(np.arange(n), days), np.tile(last, n)
    if not daily:
        who, day = np.arange(n), last[np.arange(n) % days]
    parts = []
    best = best_seller()
    for what, kind in ((TARGET, VIEW), (best, VIEW), (TARGET, ORDER)):
        parts.append(Acts(PERSONS + who, np.full(len(who), what), day, np.full(len(who), kind)))
    for _ in range(3):
        anything = rng.integers(0, ITEMS - 1, len(who))
        parts.append(Acts(PERSONS + who, anything, day, np.full(len(who), VIEW)))
    return sum(parts[1:], parts[0]), n


def best_seller() -> int:
    """The product that most honest persons had to do with."""
    acts = honest()
    pairs = np.unique(np.stack([acts.person, acts.item]), axis=1)
    return int(np.bincount(pairs[1], minlength=ITEMS).argmax())


def neighbours(histories: Histories, item_idx: int) -> list[int]:
    """What a model that learned from these says goes with an item, best first."""
    taste = taste_of(CATALOG)
    as_of_ms = START_MS + DAYS * DAY_MS
    model = ItemKNN().fit(taste.rows(histories, as_of_ms), CATALOG)
    asked = History.of([])
    one = Acts(np.zeros(1, int), np.array([item_idx]), np.array([DAYS - 1]), np.array([VIEW]))
    asked = one.histories(1).of_person(0)
    ranking = model.candidates(taste.row(asked, as_of_ms), 300, None)
    return [one for one in ranking.items.tolist() if one != item_idx]
