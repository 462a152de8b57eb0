"""A world of any size to learn from: tastes, popular items and acts are drawn, not observed."""

from dataclasses import dataclass

import numpy as np

from recsys.catalog import Catalog, Item, Kind
from recsys.events import EventType
from recsys.histories import Histories
from recsys.ids import Ints
from recsys.interactions import DAY_MS
from training.bench_trial import Log

EVENTS_A_PERSON = 50
ITEMS_A_TASTE = 500
SHARE_OF_TASTE = 0.7
N_DAYS = 180
# What people do, and how often.
ACTS = {
    EventType.PLAY: 0.55,
    EventType.VIEW: 0.25,
    EventType.LIKE: 0.06,
    EventType.CART: 0.06,
    EventType.ORDER: 0.08,
}
TAGS_A_TASTE = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """Items and what people did with them.

    Attributes
    ----------
    until_ms
        The moment of the last act.
    """

    catalog: Catalog
    histories: Histories
    until_ms: int


def world(n_events: int, n_items: int, seed: int) -> World:
    """Acts of people with one taste each, on popular items more than on others.

    Every second item is a video and carries the product before it; videos are played and liked,
    products viewed, carted and ordered. Items of a taste share tags.
    """
    rng = np.random.default_rng(seed)
    n_persons = max(1, n_events // EVENTS_A_PERSON)
    n_tastes = max(1, n_items // ITEMS_A_TASTE)
    persons = rng.integers(0, n_persons, n_events)
    acts = rng.choice(list(ACTS), size=n_events, p=list(ACTS.values())).astype(np.int8)
    items = _items(rng, persons % n_tastes, n_items)
    is_of_video = np.isin(acts, (EventType.PLAY, EventType.LIKE))
    items = items - items % 2 + is_of_video
    at_ms = np.sort(rng.integers(0, N_DAYS * DAY_MS, n_events))
    value = np.where(acts == EventType.PLAY, rng.exponential(20.0, n_events), np.nan)
    log = Log.of(persons, items, acts, at_ms=at_ms, value=value)
    catalog = _catalog(n_items + n_items % 2)
    return World(
        catalog=catalog, histories=log.histories(n_persons), until_ms=int(at_ms.max(initial=0))
    )


def pairs(n_events: int, n_items: int, seed: int) -> tuple[Ints, Ints]:
    """Distinct pairs of person and item, of the same people."""
    rng = np.random.default_rng(seed)
    n_persons = max(1, n_events // EVENTS_A_PERSON)
    persons = rng.integers(0, n_persons, n_events)
    items = _items(rng, persons % max(1, n_items // ITEMS_A_TASTE), n_items)
    cells = np.unique(persons * n_items + items)
    return np.divmod(cells, n_items)


def _items(rng: np.random.Generator, tastes: Ints, n_items: int) -> Ints:
    """An item an act: few of a taste, or of all, are had by many."""
    # The square of an even draw gives the first tenth of the items a third of all acts.
    place = rng.random(len(tastes)) ** 2
    n_tastes = max(1, n_items // ITEMS_A_TASTE)
    of_taste = tastes + n_tastes * (place * (n_items // n_tastes)).astype(np.int64)
    of_all = (place * n_items).astype(np.int64)
    return np.where(rng.random(len(tastes)) < SHARE_OF_TASTE, of_taste, of_all)


def _catalog(n_items: int) -> Catalog:
    n_tastes = max(1, n_items // ITEMS_A_TASTE)
    return Catalog.of([_item(number, number % n_tastes) for number in range(n_items)])


def _item(number: int, taste: int) -> Item:
    tags = (f"tag-{taste}", f"tag-{taste}-{number % TAGS_A_TASTE}")
    if number % 2 == 0:
        return Item(item_id=f"item-{number}", kind=Kind.PRODUCT, tags=tags)
    return Item(
        item_id=f"item-{number}",
        kind=Kind.VIDEO,
        tags=tags,
        cards=(f"item-{number - 1}",),
        duration_s=float(10 + number % 50),
    )
